#include "fetch/object_block_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/deadline.h"
#include "base/try.h"
#include "fetch/request_threads.h"

namespace millrace {

Error ObjectBlockSource::Damaged(ByteRange in_object, std::string_view why) const {
  const std::uint64_t end = in_object.offset + in_object.length;
  return Error(ErrorCode::kCorruption, fmt::format("{} bytes [{}, {}): {}", range_.object, in_object.offset, end, why))
      .WithDamage({.place = range_.object, .byte_begin = in_object.offset, .byte_end = end});
}

Result<std::vector<SharedBytes>> ObjectBlockSource::Request(std::uint64_t offset,
                                                            std::span<const std::uint64_t> lengths) {
  ObjectStore& objects = context_.objects;
  if (whose_ == ChunkFor::kAhead) return objects.PrefetchParts(range_.object, offset, lengths);
  // A store may know no deadlines: then a thread of ours waits for it.
  if (context_.requests == nullptr || RequestScope::Current().deadline == kNever)
    return objects.GetParts(range_.object, offset, lengths);
  return context_.requests->Run(
      [&objects, object = range_.object, offset, own = std::vector(lengths.begin(), lengths.end())] {
        return objects.GetParts(object, offset, own);
      });
}

Result<SharedBytes> ObjectBlockSource::Fetch(ByteRange range) {
  MR_ASSIGN_OR_RETURN(std::vector<SharedBytes> parts, FetchParts(range.offset, {&range.length, 1}));
  return std::move(parts.front());
}

Result<std::vector<SharedBytes>> ObjectBlockSource::FetchParts(std::uint64_t offset,
                                                               std::span<const std::uint64_t> lengths) {
  ByteRange in_object{range_.byte_begin + offset, 0};
  for (const std::uint64_t length : lengths) in_object.length += length;
  if (offset > range_.byte_size || in_object.length > range_.byte_size - offset)
    return Damaged(in_object, "beyond the segment's end");
  trace_.CountRequest(range_.object, in_object);
  Result<std::vector<SharedBytes>> parts =
      trace_.Wait(WaitCause::kStore, [&] { return Request(in_object.offset, lengths); });
  if (!parts && parts.error().code() == ErrorCode::kOutOfRange)
    return Damaged(in_object, "the object ends before them");
  if (!parts) return parts;
  std::uint64_t came = 0;
  for (const SharedBytes& part : *parts) came += part.size();
  const auto same_size = [](const SharedBytes& part, std::uint64_t length) { return part.size() == length; };
  if (!std::ranges::equal(*parts, lengths, same_size))
    return Damaged(in_object, fmt::format("only {} bytes came", came));
  return parts;
}

}  // namespace millrace
