#include "log/producer_state_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace {
ProducerState* ProducerStateTable::Find(WalStream stream, std::int64_t id) {
  const auto partition = index_.find(stream);
  if (partition == index_.end()) return nullptr;
  const auto found = partition->second.find(id);
  return found == partition->second.end() ? nullptr : &*found->second;
}

void ProducerStateTable::Touch(WalStream stream, std::int64_t id) {
  const States::iterator state = index_.at(stream).at(id);
  state->touched_ms = now_ms_;
  states_.splice(states_.end(), states_, state);
}

void ProducerStateTable::Erase(States::iterator state) {
  const auto partition = index_.find(state->stream);
  MR_CHECK(partition != index_.end() && partition->second.erase(state->window.id) == 1, state->stream.value(),
           state->window.id);
  if (partition->second.empty()) index_.erase(partition);
  states_.erase(state);
  ++changes_;
}

ProducerState& ProducerStateTable::FindOrMake(WalStream stream, std::int64_t id) {
  if (ProducerState* found = Find(stream, id)) {
    Touch(stream, id);
    return *found;
  }
  while (!states_.empty() && states_.size() >= limits_.states_max) {
    Erase(states_.begin());
    ++counts_.evicted;
  }
  states_.push_back({.stream = stream, .window = {.id = id}, .wal_end = {}, .touched_ms = now_ms_});
  index_[stream][id] = std::prev(states_.end());
  return states_.back();
}

ProducerStateTable::Judgement ProducerStateTable::Judge(WalStream stream, const ProducerBatch& batch, Offset log_end) {
  MR_CHECK(batch.id >= 0 && batch.first >= 0 && batch.count > 0, batch.id, batch.first, batch.count);
  MutexLock lock(mutex_);
  const ProducerState* state = Find(stream, batch.id);
  if (state == nullptr) return {};
  const ProducerWindow& window = state->window;
  if (window.known().back().end() > log_end) {  // no batch of this log: no ground to refuse one
    Erase(index_.at(stream).at(batch.id));
    return {};
  }
  if (batch.epoch < window.epoch) return {.verdict = Verdict::kOldEpoch, .epoch = window.epoch};
  if (batch.epoch > window.epoch) {
    if (batch.first == 0) return {};
    return {.verdict = Verdict::kOutOfOrder, .expected = 0};
  }
  for (const ProducedBatch& known : window.known()) {
    if (known.first != batch.first || known.last != batch.last()) continue;
    const Judgement repeated{.verdict = Verdict::kRepeated, .first_time = known};
    ++counts_.repeated;
    Touch(stream, batch.id);
    return repeated;
  }
  const std::int32_t expected = SequenceAfter(window.known().back().last);
  if (batch.first == expected) return {};
  return {.verdict = Verdict::kOutOfOrder, .expected = expected};
}

void ProducerStateTable::Add(WalStream stream, const ProducerBatch& batch, const ProducedAt& at) {
  ProducerState& state = FindOrMake(stream, batch.id);
  state.window.Push(batch.epoch,
                    {.first = batch.first, .last = batch.last(), .base = at.base, .timestamp_ms = at.timestamp_ms});
  state.wal_end = at.extent.end;
  ++changes_;
}

void ProducerStateTable::Record(WalStream stream, const ProducerBatch& batch, const ProducedAt& at) {
  MutexLock lock(mutex_);
  Add(stream, batch, at);
}

void ProducerStateTable::Recover(WalStream stream, const ProducerBatch& batch, const ProducedAt& at) {
  if (batch.id < 0 || batch.epoch < 0 || batch.first < 0 || batch.count <= 0)
    return;  // of no producer, or no producer's numbers
  MutexLock lock(mutex_);
  if (const ProducerState* state = Find(stream, batch.id); state != nullptr && at.extent.begin < state->wal_end) return;
  Add(stream, batch, at);
}

void ProducerStateTable::Forget(WalStream stream) {
  MutexLock lock(mutex_);
  const auto partition = index_.find(stream);
  if (partition == index_.end()) return;
  for (const auto& [id, state] : partition->second) states_.erase(state);
  index_.erase(partition);
  ++changes_;
}

void ProducerStateTable::Expire(std::int64_t now_ms) {
  MutexLock lock(mutex_);
  // Restored before the time was known.
  if (now_ms_ == 0)
    for (ProducerState& state : states_)
      if (state.touched_ms == 0) state.touched_ms = now_ms;
  now_ms_ = std::max(now_ms_, now_ms);
  const std::int64_t oldest_ms = now_ms_ - limits_.expiry.count();
  // Each touch moves a state to the end, under a time that only grows.
  while (!states_.empty() && states_.front().touched_ms < oldest_ms) {
    Erase(states_.begin());
    ++counts_.expired;
  }
}

std::vector<ProducerState> ProducerStateTable::All() const {
  MutexLock lock(mutex_);
  return {states_.begin(), states_.end()};
}

void ProducerStateTable::Restore(std::span<const ProducerState> states) {
  if (states.size() > limits_.states_max) states = states.last(limits_.states_max);
  MutexLock lock(mutex_);
  MR_CHECK(states_.empty(), states_.size());
  for (const ProducerState& state : states) {
    states_.push_back(state);
    MR_CHECK(index_[state.stream].emplace(state.window.id, std::prev(states_.end())).second, state.window.id);
  }
}

void ProducerStateTable::Clear() {
  MutexLock lock(mutex_);
  states_.clear();
  index_.clear();
  ++changes_;
}

std::uint64_t ProducerStateTable::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

ProducerStateTable::Counts ProducerStateTable::counts() const {
  MutexLock lock(mutex_);
  Counts counts = counts_;
  counts.states = states_.size();
  return counts;
}

}  // namespace millrace
