#include "tier/object_tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/try.h"

namespace millrace {
namespace {

constexpr std::uint64_t kTailGuess = 64 << 10;

Result<SharedBytes> GetTail(ObjectStore& objects, std::string_view key, std::uint64_t size, std::uint64_t bytes) {
  MR_ASSIGN_OR_RETURN(SharedBytes tail, objects.Get(key, {size - bytes, bytes}));
  if (tail.size() == bytes) return tail;
  return Error(ErrorCode::kCorruption, fmt::format("object {} is shorter than the {} bytes listed", key, size))
      .WithDamage({.place = std::string(key), .byte_begin = size - bytes, .byte_end = size});
}

}  // namespace

Result<std::optional<ObjectDirectory>> ReadObjectDirectory(ObjectStore& objects, std::string_view key,
                                                           std::uint64_t size_bytes) {
  std::uint64_t bytes = std::min(size_bytes, kTailGuess);
  if (bytes == 0) return std::optional<ObjectDirectory>();
  MR_ASSIGN_OR_RETURN(SharedBytes tail, GetTail(objects, key, size_bytes, bytes));
  const auto told = DirectoryBytes(tail);
  if (!told) return std::optional<ObjectDirectory>();
  const Error damaged =
      Error(ErrorCode::kCorruption, fmt::format("the directory of object {} is damaged", key))
          .WithDamage({.place = std::string(key), .byte_begin = size_bytes - bytes, .byte_end = size_bytes});
  if (*told > size_bytes) return damaged;
  if (*told > bytes) {
    bytes = *told;
    MR_ASSIGN_OR_RETURN(tail, GetTail(objects, key, size_bytes, bytes));
  }
  auto directory = DecodeObjectDirectory(tail.bytes().last(*told));
  if (directory) return std::optional<ObjectDirectory>(*std::move(directory));
  if (directory.error().code() == ErrorCode::kCorruption) return damaged;
  return directory.error().WithContext(std::string(key));
}

}  // namespace millrace
