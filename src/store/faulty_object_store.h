// An object store that misbehaves on purpose, from a seed: what a network and a store can do, in one decorator.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "env/seeded_random.h"
#include "store/forwarding_object_store.h"

namespace millrace {

enum class ObjectFault {
  kErrorBefore,  // the request has no effect
  kErrorAfter,   // it has, and the caller is told it failed: an unknown outcome
  kShortBody,    // a Get gives fewer bytes than the range has
  kCorruptBody,  // a Get gives one flipped bit
  kStaleList,    // a List does not know the last puts and still knows the last deletes
  kDelay,
  kEnd
};
inline constexpr std::size_t kObjectFaults = static_cast<std::size_t>(ObjectFault::kEnd);

struct ObjectFaultPlan {
  /// Chance of each fault per request it can befall, in 1/1,000,000.
  std::array<std::uint32_t, kObjectFaults> per_million{};
  ErrorCode code = ErrorCode::kUnavailable;  // of the errors: kUnavailable (500, 503, refused, reset) or kTimeout
  std::chrono::nanoseconds delay{};          // of kDelay

  ObjectFaultPlan& Set(ObjectFault fault, std::uint32_t chance_per_million) {
    per_million[static_cast<std::size_t>(fault)] = chance_per_million;
    return *this;
  }
};

/// Safe from any thread; a seeded run is deterministic if its calls come in a fixed order. Parts are one Get, many
/// deletes one Delete a key, so that each meets faults of its own.
class FaultyObjectStore final : public ForwardingObjectStore {
 public:
  /// `delay` lets time pass: it advances the simulated clock, or sleeps.
  FaultyObjectStore(std::shared_ptr<ObjectStore> inner, std::uint64_t seed,
                    std::function<void(std::chrono::nanoseconds)> delay = {});

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override;
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                            std::span<const std::uint64_t> lengths) override;
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                 std::span<const std::uint64_t> lengths) override;
  Result<ObjectDescription> Head(std::string_view key) override;
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override;
  Result<void> Delete(std::string_view key) override;
  Result<void> DeleteMany(std::span<const std::string> keys) override;

  /// From now on; a default plan heals everything.
  void SetPlan(const ObjectFaultPlan& plan);
  /// The `n`-th request from now on (1: the next) meets `fault`, whatever the plan says; a fault that cannot befall
  /// that request counts as kErrorBefore.
  void FailRequest(std::uint64_t n, ObjectFault fault);
  [[nodiscard]] std::uint64_t requests() const;
  [[nodiscard]] std::uint64_t fired(ObjectFault fault) const;

 private:
  enum class Request { kPut, kGet, kHead, kList, kDelete };
  struct Verdict {
    bool error_before = false, error_after = false, short_body = false, corrupt_body = false, stale_list = false;
    ErrorCode code = ErrorCode::kUnavailable;
    std::uint64_t dice = 0;
  };
  Verdict Judge(Request request);
  bool Befalls(ObjectFault fault, Request request, bool chosen) MR_REQUIRES(mutex_);
  void Remember(std::string_view key, std::uint64_t size_bytes, bool deleted);

  const std::function<void(std::chrono::nanoseconds)> delay_;
  mutable Mutex mutex_;
  SeededRandom random_ MR_GUARDED_BY(mutex_);
  ObjectFaultPlan plan_ MR_GUARDED_BY(mutex_);
  std::uint64_t requests_ MR_GUARDED_BY(mutex_) = 0, chosen_request_ MR_GUARDED_BY(mutex_) = 0;
  ObjectFault chosen_fault_ MR_GUARDED_BY(mutex_) = ObjectFault::kErrorBefore;
  std::array<std::uint64_t, kObjectFaults> fired_ MR_GUARDED_BY(mutex_){};
  struct Change {
    ObjectDescription object;
    bool deleted = false;
  };
  std::deque<Change> recent_ MR_GUARDED_BY(mutex_);  // what a stale listing has not heard of
};

}  // namespace millrace
