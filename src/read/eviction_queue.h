// Which entry of a cache goes next, apart from how entries are kept and counted: another order is another queue.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

/// Who brings an entry: somebody who reads here and there, or a stream that goes over everything once.
enum class InsertHint { kRandom, kScan };

/// Knows entries by slot number. Guarded by its cache shard's mutex.
class EvictionQueue {
 public:
  virtual ~EvictionQueue() = default;
  /// `key_hash` lets an order remember who was here before.
  virtual void OnInsert(std::uint32_t slot, std::uint64_t key_hash) = 0;
  virtual void OnHit(std::uint32_t slot) = 0;
  virtual void OnRemove(std::uint32_t slot) = 0;
  /// Precondition: some entry is held.
  virtual std::uint32_t Victim() = 0;
};

/// The least recently used goes first: a ring of slots, its sentinel at index 0.
class LruQueue final : public EvictionQueue {
 public:
  void OnInsert(std::uint32_t slot, std::uint64_t) override {
    if (links_.size() < slot + 2) links_.resize(slot + 2);
    LinkFirst(slot + 1);
  }
  void OnHit(std::uint32_t slot) override {
    Unlink(slot + 1);
    LinkFirst(slot + 1);
  }
  void OnRemove(std::uint32_t slot) override { Unlink(slot + 1); }
  std::uint32_t Victim() override { return links_[0].before - 1; }

 private:
  struct Link {
    std::uint32_t before = 0, after = 0;
  };
  void LinkFirst(std::uint32_t at) {
    const std::uint32_t second = links_[0].after;
    links_[at] = {0, second};
    links_[second].before = at;
    links_[0].after = at;
  }
  void Unlink(std::uint32_t at) {
    links_[links_[at].before].after = links_[at].after;
    links_[links_[at].after].before = links_[at].before;
  }

  std::vector<Link> links_{1};
};

}  // namespace millrace
