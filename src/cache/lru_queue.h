// The least recently used goes first, whether a reader or a stream used it.
#pragma once

#include "cache/eviction_queue.h"
#include "cache/slot_list.h"

namespace millrace {

class LruQueue final : public EvictionQueue {
 public:
  void OnInsert(std::uint32_t slot, const Entry&) override { slots_.PushFront(0, slot); }
  void OnHit(std::uint32_t slot, InsertHint) override {
    slots_.Remove(slot);
    slots_.PushFront(0, slot);
  }
  void OnRemove(std::uint32_t slot, Removal) override { slots_.Remove(slot); }
  std::optional<std::uint32_t> Victim(const Newcomer&) override { return slots_.Back(0); }
  [[nodiscard]] std::uint8_t Rank(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::vector<Ranked> InOrder() const override {
    std::vector<Ranked> places;
    for (std::uint32_t slot = slots_.Back(0); slot != SlotLists::kNone; slot = slots_.Before(slot))
      places.push_back({slot, 0});
    return places;
  }
  void Restore(const Ranked& place, const Entry&) override { slots_.PushFront(0, place.slot); }

 private:
  SlotLists slots_{1};
};

}  // namespace millrace
