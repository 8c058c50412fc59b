// Which entry of a cache goes next, apart from how entries are kept and counted: another order is another queue.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/options.h"

namespace millrace {

/// Who brings or touches an entry: a reader at places of its own, or a stream that goes over everything once.
enum class InsertHint { kRandom, kScan };

/// Knows entries by slot number. Guarded by its cache's mutex.
class EvictionQueue {
 public:
  struct Entry {
    std::uint64_t key_hash = 0;  // lets an order remember who was here before
    std::uint64_t bytes = 0;
    InsertHint hint = InsertHint::kRandom;
  };
  /// Where an entry stands, to be written down and restored; `rank` means something to its own kind of queue only.
  struct Ranked {
    std::uint32_t slot = 0;
    std::uint8_t rank = 0;
  };
  enum class Removal { kDropped, kEvicted };
  /// The entry that wants room.
  struct Newcomer {
    InsertHint hint = InsertHint::kRandom;
    std::uint64_t streams_coming_bytes = 0;  // of streams, promised room before, and not inserted yet
  };

  virtual ~EvictionQueue() = default;
  virtual void OnInsert(std::uint32_t slot, const Entry& entry) = 0;
  virtual void OnHit(std::uint32_t slot, InsertHint hint) = 0;
  virtual void OnRemove(std::uint32_t slot, Removal removal) = 0;
  /// The entry to go for `newcomer`; it stays until removed. Nothing: those held are worth more than it, which happens
  /// only to streams whose bytes are coming. Precondition: some entry is held.
  virtual std::optional<std::uint32_t> Victim(const Newcomer& newcomer) = 0;
  [[nodiscard]] virtual std::uint8_t Rank(std::uint32_t slot) const = 0;
  /// All entries, sooner to go before later.
  [[nodiscard]] virtual std::vector<Ranked> InOrder() const = 0;
  /// Back to where its rank was, behind those that are there. An unknown rank is that of a new entry.
  virtual void Restore(const Ranked& place, const Entry& entry) = 0;
};

/// `bytes_max` is what the cache may hold.
std::unique_ptr<EvictionQueue> MakeEvictionQueue(EvictionPolicy policy, std::uint64_t bytes_max);

}  // namespace millrace
