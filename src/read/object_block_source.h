// A segment's bytes by ranged GETs of the object it lies in: the end of the chain of sources. A disk cache goes between
// this and its caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "millrace/bytes.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "millrace/read.h"
#include "read/fetched_chunk.h"
#include "read/partition_reader.h"
#include "read/requests_ahead.h"
#include "segment/block_source.h"

namespace millrace {

/// What a read waits for.
enum class WaitCause { kSync, kStore, kShared, kMemory, kCache };

/// What one read asked of the object store; kept by one thread at a time.
struct ReadTrace {
  ReadCounters& counters;
  Clock& clock;
  ReadExplanation& explanation;
  RequestsAhead* ahead = nullptr;  // not null: the requests are told of by the reads they are made for

  void CountRequest(const std::string& object, ByteRange range);
  void CountShared();
  /// Runs `call` and counts its time.
  template <class Call>
  auto Wait(WaitCause cause, Call&& call) {
    const std::chrono::nanoseconds begun = clock.Monotonic();
    auto result = std::forward<Call>(call)();
    CountWait(cause, clock.Monotonic() - begun);
    return result;
  }
  void CountWait(WaitCause cause, std::chrono::nanoseconds time);
};

/// Requests end with the limits of this thread's RequestScope.
/// Bytes [byte_begin, byte_begin + byte_size) of one object, addressed from byte_begin. For one read on one thread.
class ObjectBlockSource final : public BlockSource {
 public:
  struct Place {
    std::string object;
    std::uint64_t byte_begin = 0, byte_size = 0;
  };
  ObjectBlockSource(ReadContext& context, Place place, ReadTrace& trace, ChunkFor whose = ChunkFor::kReader)
      : context_(context), place_(std::move(place)), trace_(trace), whose_(whose) {}

  /// kCorruption names the object and the range within it.
  Result<SharedBytes> Fetch(ByteRange range) override;
  /// Neighbours from `offset` on by one request, each in memory of its own. Errors: as Fetch.
  Result<std::vector<SharedBytes>> FetchParts(std::uint64_t offset, std::span<const std::uint64_t> lengths);

 private:
  Result<std::vector<SharedBytes>> Request(std::uint64_t offset, std::span<const std::uint64_t> lengths);
  Error Damaged(ByteRange in_object, std::string_view why) const;

  ReadContext& context_;
  const Place place_;
  ReadTrace& trace_;
  const ChunkFor whose_;
};

}  // namespace millrace
