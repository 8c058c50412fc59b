#include "base/group_gate.h"

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "base/futex.h"

namespace millrace {

namespace {

/// A leader looks so often at most, should the clock stand still.
constexpr int kJoinYieldsMax = 10'000;

}  // namespace

GroupGate::Ticket GroupGate::Enter(std::uint64_t group) {
  waiting_[group & 1].fetch_add(1, std::memory_order_relaxed);
  return {group, words_[group & 1].value.load(std::memory_order_relaxed)};
}

bool GroupGate::Wait(const Ticket& ticket, std::optional<std::chrono::nanoseconds> timeout) {
  auto& word = words_[ticket.group & 1].value;
  const bool in_time = Moved(ticket) || FutexWait(word, ticket.seen, timeout);
  waiting_[ticket.group & 1].fetch_sub(1, std::memory_order_relaxed);
  return in_time;
}

GroupGate::Wakes GroupGate::Move(std::size_t word, int threads) {
  Wakes wakes;
  if (waiting_[word].load(std::memory_order_relaxed) == 0) return wakes;
  words_[word].value.fetch_add(1, std::memory_order_release);
  wakes.threads[word] = threads;
  return wakes;
}

GroupGate::Wakes GroupGate::EndLead() {
  MR_CHECK(led_);
  led_ = false;
  Wakes wakes = Move(0, 1);
  wakes += Move(1, 1);
  return wakes;
}

GroupGate::Wakes GroupGate::RouseAll() {
  Wakes wakes = Move(0, kAllThreads);
  wakes += Move(1, kAllThreads);
  return wakes;
}

void GroupGate::Send(const Wakes& wakes) {
  for (std::size_t word = 0; word < words_.size(); ++word) {
    if (wakes.threads[word] > 0) FutexWake(&words_[word].value, wakes.threads[word]);
  }
}

std::uint64_t GroupGate::Close() {
  const std::uint64_t closed = open_group_++;
  joined(open_group_).store(0, std::memory_order_relaxed);
  return closed;
}

void GroupGate::AwaitJoiners(Clock& clock, std::chrono::nanoseconds patience) const {
  const std::uint32_t wanted = expected();
  if (wanted <= 1 || joined_open() >= wanted) return;
  const auto begun = clock.Monotonic();
  for (int i = 0; i < kJoinYieldsMax; ++i) {
    std::this_thread::yield();
    if (joined_open() >= wanted || clock.Monotonic() - begun >= patience) return;
  }
}

GroupGate::Wakes GroupGate::Complete(std::uint64_t group) {
  const std::uint32_t came = joined(group).load(std::memory_order_relaxed) * 16;
  // The largest recent group, forgotten by a sixteenth at a time.
  expected_sixteenths_ = std::max({came, expected_sixteenths_ - expected_sixteenths_ / 16, 16U});
  completed_ = std::max(completed_, group);
  // The word changes when the leadership ends, which is before another thread can look: in the same critical section.
  Wakes wakes;
  if (waiting_[group & 1].load(std::memory_order_relaxed) > 0) wakes.threads[group & 1] = kAllThreads;
  return wakes;
}

}  // namespace millrace
