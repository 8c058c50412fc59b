#include "cache/s3fifo_queue.h"

#include <algorithm>

#include "cache/lru_queue.h"

namespace millrace {

std::unique_ptr<EvictionQueue> MakeEvictionQueue(EvictionPolicy policy, std::uint64_t bytes_max) {
  if (policy == EvictionPolicy::kLru) return std::make_unique<LruQueue>();
  return std::make_unique<S3FifoQueue>(bytes_max);
}

void S3FifoQueue::Ghosts::Add(std::uint64_t key_hash, std::uint64_t bytes) {
  if (number_of_.contains(key_hash)) return;
  oldest_first_.push_back({key_hash, bytes, next_number_});
  number_of_.emplace(key_hash, next_number_++);
  bytes_ += bytes;
  while (bytes_ > bytes_max_) {
    const Ghost& oldest = oldest_first_.front();
    bytes_ -= oldest.bytes;
    // It may have been taken, and have come back as another ghost.
    if (const auto found = number_of_.find(oldest.key_hash);
        found != number_of_.end() && found->second == oldest.number)
      number_of_.erase(found);
    oldest_first_.pop_front();
  }
}

bool S3FifoQueue::Ghosts::Take(std::uint64_t key_hash) { return number_of_.erase(key_hash) != 0; }

S3FifoQueue::S3FifoQueue(std::uint64_t bytes_max)
    : stream_bytes_max_(std::max(bytes_max / kStreamShare, std::min(bytes_max / 2, kStreamBytesMin))),
      small_bytes_max_(bytes_max / kSmallShare),
      ghosts_(bytes_max) {}

void S3FifoQueue::Put(std::uint32_t slot, Lane lane, std::uint8_t touches) {
  slots_.PushFront(lane, slot);
  lane_bytes_[lane] += nodes_[slot].bytes;
  nodes_[slot].lane = lane;
  nodes_[slot].touches = touches;
}

void S3FifoQueue::MoveTo(std::uint32_t slot, Lane lane, int touches) {
  slots_.Remove(slot);
  lane_bytes_[nodes_[slot].lane] -= nodes_[slot].bytes;
  Put(slot, lane, static_cast<std::uint8_t>(touches));
}

void S3FifoQueue::OnInsert(std::uint32_t slot, const Entry& entry) {
  if (nodes_.size() <= slot) nodes_.resize(std::size_t{slot} + 1);
  nodes_[slot] = {entry.key_hash, entry.bytes};
  if (entry.hint == InsertHint::kScan) return Put(slot, kStream, 0);  // a second scan is no reason to keep it longer
  Put(slot, ghosts_.Take(entry.key_hash) ? kMain : kSmall, 0);
}

void S3FifoQueue::OnHit(std::uint32_t slot, InsertHint hint) {
  Node& node = nodes_[slot];
  if (hint == InsertHint::kRandom && node.touches < kTouchesMax) ++node.touches;
}

void S3FifoQueue::OnRemove(std::uint32_t slot, Removal removal) {
  const Node& node = nodes_[slot];
  slots_.Remove(slot);
  lane_bytes_[node.lane] -= node.bytes;
  if (removal == Removal::kDropped) return;
  ++evictions_since_sweep_;
  if (node.lane != kMain) ghosts_.Add(node.key_hash, node.bytes);
}

std::optional<S3FifoQueue::Lane> S3FifoQueue::LaneToEvict(const Newcomer& newcomer) const {
  const auto holds = [&](Lane lane) { return slots_.Back(lane) != SlotLists::kNone; };
  if (lane_bytes_[kStream] + newcomer.streams_coming_bytes > stream_bytes_max_) {
    if (holds(kStream)) return kStream;
    if (newcomer.hint == InsertHint::kScan) return std::nullopt;
  }
  if (lane_bytes_[kSmall] > small_bytes_max_) return kSmall;
  if (holds(kMain)) return kMain;
  return holds(kStream) ? kStream : kSmall;
}

std::optional<std::uint32_t> S3FifoQueue::Sweep() {
  const std::uint32_t oldest = slots_.Back(kMain);
  if (evictions_since_sweep_ < kSweepEvery || oldest == SlotLists::kNone) return std::nullopt;
  evictions_since_sweep_ = 0;
  if (nodes_[oldest].touches == 0) return oldest;
  MoveTo(oldest, kMain, nodes_[oldest].touches - 1);
  return std::nullopt;
}

std::optional<std::uint32_t> S3FifoQueue::Victim(const Newcomer& newcomer) {
  if (const auto swept = Sweep()) return swept;
  while (const std::optional<Lane> lane = LaneToEvict(newcomer)) {
    const std::uint32_t oldest = slots_.Back(*lane);
    if (nodes_[oldest].touches == 0) return oldest;
    MoveTo(oldest, kMain, nodes_[oldest].touches - 1);
  }
  return std::nullopt;
}

std::uint8_t S3FifoQueue::Rank(std::uint32_t slot) const {
  return static_cast<std::uint8_t>(nodes_[slot].lane << 4 | nodes_[slot].touches);
}

std::vector<EvictionQueue::Ranked> S3FifoQueue::InOrder() const {
  std::vector<Ranked> places;
  for (const Lane lane : {kStream, kSmall, kMain}) {
    for (std::uint32_t slot = slots_.Back(lane); slot != SlotLists::kNone; slot = slots_.Before(slot))
      places.push_back({slot, Rank(slot)});
  }
  return places;
}

void S3FifoQueue::Restore(const Ranked& place, const Entry& entry) {
  const unsigned lane = place.rank >> 4, touches = place.rank & 0xf;
  if (lane >= kLanes || touches > kTouchesMax) return OnInsert(place.slot, entry);
  if (nodes_.size() <= place.slot) nodes_.resize(std::size_t{place.slot} + 1);
  nodes_[place.slot] = {entry.key_hash, entry.bytes};
  Put(place.slot, static_cast<Lane>(lane), static_cast<std::uint8_t>(touches));
}

}  // namespace millrace
