#include "cache/chunk_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace {

std::optional<ChunkTable::Slot> ChunkTable::Find(const ChunkName& name) const {
  const auto found = slot_of_.find(name);
  if (found == slot_of_.end()) return std::nullopt;
  return found->second;
}

ChunkTable::Slot ChunkTable::FreeSlot() {
  if (free_.empty()) {
    chunks_.emplace_back();
    return static_cast<Slot>(chunks_.size() - 1);
  }
  const Slot slot = free_.back();
  free_.pop_back();
  return slot;
}

ChunkTable::Slot ChunkTable::Claim(const ChunkName& name) {
  const Slot slot = FreeSlot();
  MR_CHECK(slot_of_.emplace(name, slot).second);
  chunks_[slot] = {.name = name, .state = State::kReserved};
  return slot;
}

void ChunkTable::Reserve(Slot slot, std::uint64_t file_bytes) {
  Chunk& chunk = chunks_[slot];
  MR_CHECK(chunk.state == State::kReserved && chunk.file_bytes <= file_bytes);
  used_ += file_bytes - chunk.file_bytes;
  chunk.file_bytes = file_bytes;
  MR_CHECK(used_ <= bytes_max_, used_, bytes_max_);
}

std::optional<std::vector<ChunkTable::Slot>> ChunkTable::MakeRoom(Slot slot, std::uint64_t file_bytes) {
  std::optional<std::vector<Slot>> victims = Victims(file_bytes, chunks_[slot].hint);
  if (!victims) return std::nullopt;
  std::uint64_t leaving = 0;
  for (const Slot victim : *victims) leaving += chunks_[victim].file_bytes;
  Reserve(slot, file_bytes - std::min(file_bytes, leaving));
  if (chunks_[slot].hint == InsertHint::kScan) streams_coming_ += chunks_[slot].coming_bytes = file_bytes;
  return victims;
}

bool ChunkTable::CouldFit(std::uint64_t bytes) const {
  const std::uint64_t staying = used_ - (resident_ - pinned_);
  return bytes <= bytes_max_ && staying <= bytes_max_ - bytes;
}

std::optional<std::vector<ChunkTable::Slot>> ChunkTable::Victims(std::uint64_t bytes, InsertHint for_whom) {
  std::vector<EvictionQueue::Ranked> victims, in_use;  // aside while others are looked for
  EvictionQueue::Newcomer newcomer{.hint = for_whom, .streams_coming_bytes = streams_coming_};
  std::uint64_t leaving = 0;
  bool refused = false;
  while (used_ - leaving + bytes > bytes_max_ && resident_ > pinned_) {
    const std::optional<Slot> slot = queue_->Victim(newcomer);
    if (!slot) {
      refused = true;
      break;
    }
    const EvictionQueue::Ranked place{*slot, queue_->Rank(*slot)};
    const Chunk& chunk = chunks_[*slot];
    if (chunk.pins > 0) {
      in_use.push_back(place);
      queue_->OnRemove(*slot, EvictionQueue::Removal::kDropped);
      if (chunk.hint == InsertHint::kScan) newcomer.streams_coming_bytes += chunk.file_bytes;
      continue;
    }
    LeaveQueue(*slot, EvictionQueue::Removal::kEvicted);
    leaving += chunk.file_bytes;
    victims.push_back(place);
  }
  for (const EvictionQueue::Ranked& place : in_use) queue_->Restore(place, EntryOf(place.slot));
  if (refused) {
    for (const EvictionQueue::Ranked& place : victims) EnterQueue(place.slot, place.rank);
    return std::nullopt;
  }
  std::vector<Slot> slots;
  for (const EvictionQueue::Ranked& place : victims) {
    chunks_[place.slot].state = State::kLeaving;
    slots.push_back(place.slot);
  }
  return slots;
}

void ChunkTable::Arrive(Slot slot) {
  MR_CHECK(chunks_[slot].state == State::kReserved);
  chunks_[slot].header_checked = true;
  streams_coming_ -= std::exchange(chunks_[slot].coming_bytes, 0);
  EnterQueue(slot, std::nullopt);
}

void ChunkTable::Restore(const ChunkName& name, std::uint64_t file_bytes, std::optional<std::uint8_t> rank) {
  const Slot slot = Claim(name);
  chunks_[slot].file_bytes = file_bytes;
  used_ += file_bytes;
  EnterQueue(slot, rank);
}

void ChunkTable::Pin(Slot slot) {
  if (chunks_[slot].pins++ == 0) pinned_ += chunks_[slot].file_bytes;
}

bool ChunkTable::Unpin(Slot slot) {
  Chunk& chunk = chunks_[slot];
  MR_CHECK(chunk.pins > 0);
  if (--chunk.pins > 0) return false;
  if (chunk.state == State::kResident) pinned_ -= chunk.file_bytes;
  if (chunk.state != State::kDoomed) return false;
  chunk.state = State::kLeaving;
  return true;
}

bool ChunkTable::Doom(Slot slot) {
  Chunk& chunk = chunks_[slot];
  MR_CHECK(chunk.state == State::kResident);
  LeaveQueue(slot, EvictionQueue::Removal::kDropped);
  if (chunk.pins > 0) {
    pinned_ -= chunk.file_bytes;
    chunk.state = State::kDoomed;
    return false;
  }
  chunk.state = State::kLeaving;
  return true;
}

void ChunkTable::Forget(Slot slot) {
  Chunk& chunk = chunks_[slot];
  MR_CHECK((chunk.state == State::kReserved || chunk.state == State::kLeaving) && chunk.pins == 0);
  used_ -= chunk.file_bytes;
  streams_coming_ -= chunk.coming_bytes;
  slot_of_.erase(chunk.name);
  chunk = {};
  free_.push_back(slot);
}

void ChunkTable::Return(Slot slot) {
  MR_CHECK(chunks_[slot].state == State::kLeaving);
  EnterQueue(slot, std::nullopt);
}

std::vector<RankedChunk> ChunkTable::InOrder() const {
  std::vector<RankedChunk> places;
  for (const EvictionQueue::Ranked& place : queue_->InOrder()) places.push_back({chunks_[place.slot].name, place.rank});
  return places;
}

std::vector<ChunkName> ChunkTable::Residents() const {
  std::vector<ChunkName> names;
  for (const EvictionQueue::Ranked& place : queue_->InOrder()) names.push_back(chunks_[place.slot].name);
  return names;
}

EvictionQueue::Entry ChunkTable::EntryOf(Slot slot) const {
  const Chunk& chunk = chunks_[slot];
  return {chunk.name.high, chunk.file_bytes, chunk.hint};
}

void ChunkTable::LeaveQueue(Slot slot, EvictionQueue::Removal removal) {
  queue_->OnRemove(slot, removal);
  resident_ -= chunks_[slot].file_bytes;
  --entries_;
}

void ChunkTable::EnterQueue(Slot slot, std::optional<std::uint8_t> rank) {
  Chunk& chunk = chunks_[slot];
  const EvictionQueue::Entry entry = EntryOf(slot);
  if (rank) {
    queue_->Restore({slot, *rank}, entry);
  } else {
    queue_->OnInsert(slot, entry);
  }
  chunk.state = State::kResident;
  resident_ += chunk.file_bytes;
  ++entries_;
}

}  // namespace millrace
