// S3-FIFO (Yang et al., SOSP 2023) with a lane of its own for streams. Nothing moves on a hit but a counter.
//
//   stream ──► touched by others meanwhile? ──┐
//     │ no                                    ▼
//     ├──► gone, remembered                  main ──► touched since? once more round ──► gone
//     │ no                                    ▲
//   small ───► touched again? ────────────────┘◄── new, but remembered
//
// A stream that is over its lane's share drives out itself alone, however fast it runs and however much of it is on its
// way; so what is read here and there keeps the rest. Now and then main's oldest is looked at all the same: what was
// hot once must not stay for ever.
#pragma once

#include <array>
#include <deque>
#include <unordered_map>

#include "cache/eviction_queue.h"
#include "cache/slot_list.h"

namespace millrace {

class S3FifoQueue final : public EvictionQueue {
 public:
  static constexpr std::uint64_t kSmallShare = 10, kStreamShare = 20;  // one part in so many of the whole
  static constexpr std::uint64_t kStreamBytesMin = 2 << 20;  // what streams have ahead must fit; at most half of all
  static constexpr std::uint32_t kSweepEvery = 128;          // evictions for one look at main's oldest
  static constexpr std::uint8_t kTouchesMax = 3;

  explicit S3FifoQueue(std::uint64_t bytes_max);

  void OnInsert(std::uint32_t slot, const Entry& entry) override;
  void OnHit(std::uint32_t slot, InsertHint hint) override;
  void OnRemove(std::uint32_t slot, Removal removal) override;
  std::optional<std::uint32_t> Victim(const Newcomer& newcomer) override;
  [[nodiscard]] std::uint8_t Rank(std::uint32_t slot) const override;
  [[nodiscard]] std::vector<Ranked> InOrder() const override;
  void Restore(const Ranked& place, const Entry& entry) override;

 private:
  enum Lane : std::uint8_t { kStream, kSmall, kMain, kLanes };
  struct Node {
    std::uint64_t key_hash = 0, bytes = 0;
    Lane lane = kSmall;
    std::uint8_t touches = 0;
  };
  /// Keys of entries that went without a second touch; as many bytes of them as the cache holds.
  class Ghosts {
   public:
    explicit Ghosts(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
    void Add(std::uint64_t key_hash, std::uint64_t bytes);
    /// True: it was there, and is no more.
    bool Take(std::uint64_t key_hash);

   private:
    struct Ghost {
      std::uint64_t key_hash = 0, bytes = 0, number = 0;
    };
    std::uint64_t bytes_max_, bytes_ = 0, next_number_ = 0;
    std::deque<Ghost> oldest_first_;
    std::unordered_map<std::uint64_t, std::uint64_t> number_of_;
  };

  void Put(std::uint32_t slot, Lane lane, std::uint8_t touches);
  void MoveTo(std::uint32_t slot, Lane lane, int touches);
  /// Main's oldest, if it is due to go although no newcomer needs its room.
  std::optional<std::uint32_t> Sweep();
  [[nodiscard]] std::optional<Lane> LaneToEvict(const Newcomer& newcomer) const;

  const std::uint64_t stream_bytes_max_, small_bytes_max_;
  SlotLists slots_{kLanes};
  std::vector<Node> nodes_;
  std::array<std::uint64_t, kLanes> lane_bytes_{};
  Ghosts ghosts_;
  std::uint32_t evictions_since_sweep_ = 0;
};

}  // namespace millrace
