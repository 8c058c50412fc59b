// A segment's bytes by ranged GETs of the object it lies in: the end of the chain of sources. A disk cache goes between
// this and its caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "fetch/fetch_context.h"
#include "fetch/fetched_chunk.h"
#include "fetch/read_trace.h"
#include "millrace/bytes.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "segment/block_source.h"

namespace millrace {

/// Requests end with the limits of this thread's RequestScope.
/// Bytes [byte_begin, byte_begin + byte_size) of one object, addressed from byte_begin. For one read on one thread.
class ObjectBlockSource final : public BlockSource {
 public:
  struct ObjectRange {
    std::string object;
    std::uint64_t byte_begin = 0, byte_size = 0;
  };
  ObjectBlockSource(FetchContext& context, ObjectRange range, ReadTrace& trace, ChunkFor whose = ChunkFor::kReader)
      : context_(context), range_(std::move(range)), trace_(trace), whose_(whose) {}

  /// kCorruption names the object and the range within it.
  Result<SharedBytes> Fetch(ByteRange range) override;
  /// Neighbours from `offset` on by one request, each in memory of its own. Errors: as Fetch.
  Result<std::vector<SharedBytes>> FetchParts(std::uint64_t offset, std::span<const std::uint64_t> lengths);

 private:
  Result<std::vector<SharedBytes>> Request(std::uint64_t offset, std::span<const std::uint64_t> lengths);
  Error Damaged(ByteRange in_object, std::string_view why) const;

  FetchContext& context_;
  const ObjectRange range_;
  ReadTrace& trace_;
  const ChunkFor whose_;
};

}  // namespace millrace
