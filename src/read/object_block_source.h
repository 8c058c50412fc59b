// A segment's bytes by ranged GETs of the object it lies in: the end of the chain of sources. A disk cache goes between
// this and its caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "millrace/clock.h"
#include "millrace/engine.h"
#include "millrace/object_store.h"
#include "read/partition_reader.h"
#include "segment/block_source.h"

namespace millrace {

/// What one read asked of the object store; kept by one thread at a time.
struct ReadTrace {
  ReadCounters& counters;
  Clock& clock;
  ReadExplanation& explanation;

  void CountRequest(const std::string& object, ByteRange range);
  void CountShared();
};

/// Bytes [byte_begin, byte_begin + byte_size) of one object, addressed from byte_begin. For one read on one thread.
class ObjectBlockSource final : public BlockSource {
 public:
  struct Place {
    std::string object;
    std::uint64_t byte_begin = 0, byte_size = 0;
  };
  ObjectBlockSource(ObjectStore& objects, Place place, ReadTrace& trace)
      : objects_(objects), place_(std::move(place)), trace_(trace) {}

  /// kCorruption names the object and the range within it.
  Result<SharedBytes> Fetch(ByteRange range) override;
  /// Neighbours from `offset` on by one request, each in memory of its own. Errors: as Fetch.
  Result<std::vector<SharedBytes>> FetchParts(std::uint64_t offset, std::span<const std::uint64_t> lengths);

 private:
  Error Damaged(ByteRange in_object, std::string_view why) const;

  ObjectStore& objects_;
  const Place place_;
  ReadTrace& trace_;
};

}  // namespace millrace
