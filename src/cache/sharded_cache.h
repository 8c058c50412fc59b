// Values in memory under one budget of bytes, in shards so that readers seldom meet at a lock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "cache/eviction_queue.h"
#include "millrace/statistics.h"

namespace millrace {

/// Value is copied out: make it a shared_ptr. An entry larger than a shard's share is not kept and evicts nothing.
template <class Key, class Value, class Hash>
class ShardedCache {
 public:
  static constexpr std::uint64_t kShardBytesMin = 32 << 20;  // so that a large batch still fits
  static constexpr std::size_t kShardsMax = 16;

  explicit ShardedCache(std::uint64_t bytes_max, EvictionPolicy policy = EvictionPolicy::kLru) {
    const std::size_t count = std::clamp<std::uint64_t>(bytes_max / kShardBytesMin, 1, kShardsMax);
    for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(bytes_max / count, policy));
  }

  /// For a reader: counted, and a touch as the order of eviction sees it. A stream says so at each of its lookups.
  std::optional<Value> Find(const Key& key, InsertHint hint = InsertHint::kRandom) {
    return ShardOf(key).Find(key, hint);
  }
  /// For us: not counted, and nothing moves.
  std::optional<Value> Peek(const Key& key) { return ShardOf(key).Find(key, std::nullopt); }
  void Insert(const Key& key, Value value, std::uint64_t bytes, InsertHint hint = InsertHint::kRandom) {
    ShardOf(key).Insert(key, std::move(value), bytes, Hash{}(key), hint);
  }
  void Erase(const Key& key) { ShardOf(key).Erase(key); }

  [[nodiscard]] CacheStats Stats() const {
    CacheStats all;
    for (const auto& shard : shards_) shard->AddTo(all);
    return all;
  }

 private:
  class Shard {
   public:
    Shard(std::uint64_t bytes_max, EvictionPolicy policy)
        : bytes_max_(bytes_max), queue_(MakeEvictionQueue(policy, bytes_max)) {}

    std::optional<Value> Find(const Key& key, std::optional<InsertHint> reader) {
      MutexLock lock(mutex_);
      const auto found = slot_of_.find(key);
      if (found == slot_of_.end()) {
        if (reader) ++misses_;
        return std::nullopt;
      }
      if (reader) {
        ++hits_;
        queue_->OnHit(found->second, *reader);
      }
      return slots_[found->second].value;
    }
    void Insert(const Key& key, Value value, std::uint64_t bytes, std::uint64_t hash, InsertHint hint) {
      if (bytes > bytes_max_) return;
      std::vector<Value> dropped;  // their memory is freed after the lock
      MutexLock lock(mutex_);
      if (const auto found = slot_of_.find(key); found != slot_of_.end())
        dropped.push_back(
            Remove(found->second, EvictionQueue::Removal::kDropped));  // put again: the newest counts, once
      while (bytes_ > bytes_max_ - bytes) {
        const std::optional<std::uint32_t> victim = queue_->Victim({.hint = hint});
        MR_CHECK(victim);  // nothing is coming that is not here
        dropped.push_back(Remove(*victim, EvictionQueue::Removal::kEvicted));
        ++evictions_;
      }
      const std::uint32_t slot = FreeSlot();
      slots_[slot] = {key, std::move(value), bytes};
      slot_of_.emplace(key, slot);
      queue_->OnInsert(slot, {hash, bytes, hint});
      bytes_ += bytes;
    }
    void Erase(const Key& key) {
      std::optional<Value> dropped;
      MutexLock lock(mutex_);
      if (const auto found = slot_of_.find(key); found != slot_of_.end())
        dropped = Remove(found->second, EvictionQueue::Removal::kDropped);
    }
    void AddTo(CacheStats& all) const {
      MutexLock lock(mutex_);
      all.bytes += bytes_;
      all.bytes_max += bytes_max_;
      all.entries += slot_of_.size();
      all.hits += hits_;
      all.misses += misses_;
      all.evictions += evictions_;
    }

   private:
    struct Slot {
      Key key{};
      Value value{};
      std::uint64_t bytes = 0;
    };
    Value Remove(std::uint32_t slot, EvictionQueue::Removal removal) MR_REQUIRES(mutex_) {
      queue_->OnRemove(slot, removal);
      bytes_ -= slots_[slot].bytes;
      slot_of_.erase(slots_[slot].key);
      free_.push_back(slot);
      return std::exchange(slots_[slot], Slot{}).value;
    }
    std::uint32_t FreeSlot() MR_REQUIRES(mutex_) {
      if (free_.empty()) {
        slots_.emplace_back();
        return static_cast<std::uint32_t>(slots_.size() - 1);
      }
      const std::uint32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }

    const std::uint64_t bytes_max_;
    mutable Mutex mutex_;
    std::unordered_map<Key, std::uint32_t, Hash> slot_of_ MR_GUARDED_BY(mutex_);
    std::vector<Slot> slots_ MR_GUARDED_BY(mutex_);
    std::vector<std::uint32_t> free_ MR_GUARDED_BY(mutex_);
    std::unique_ptr<EvictionQueue> queue_ MR_GUARDED_BY(mutex_);
    std::uint64_t bytes_ MR_GUARDED_BY(mutex_) = 0, hits_ MR_GUARDED_BY(mutex_) = 0, misses_ MR_GUARDED_BY(mutex_) = 0,
                         evictions_ MR_GUARDED_BY(mutex_) = 0;
  };

  Shard& ShardOf(const Key& key) { return *shards_[(Hash{}(key) >> 32) % shards_.size()]; }

  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace millrace
