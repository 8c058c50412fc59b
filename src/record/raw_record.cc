#include "record/raw_record.h"

namespace millrace {

bool CheckHeaders(const std::byte* at, const std::byte* end, std::int32_t count) {
  constexpr std::int32_t kHeaderBytesMin = 2;  // both lengths
  if (count < 0 || count > (end - at) / kHeaderBytesMin) return false;
  std::optional<std::string_view> key, value;
  for (std::int32_t i = 0; i < count; ++i) {
    at = ReadNullableBytes(at, end, key);
    if (at == nullptr || !key) return false;
    at = ReadNullableBytes(at, end, value);
    if (at == nullptr) return false;
  }
  return at == end;
}

std::uint64_t PayloadBytes(const RawRecord& record) {
  std::uint64_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  if (record.headers.empty()) return bytes;
  const std::byte* at = record.headers.data();
  const std::byte* end = at + record.headers.size();
  std::int32_t count = 0;
  at = ReadVarint(at, end, count);
  std::optional<std::string_view> part;
  for (std::int64_t parts = std::int64_t{count} * 2; parts > 0; --parts) {
    at = ReadNullableBytes(at, end, part);
    if (part) bytes += part->size();
  }
  return bytes;
}

}  // namespace millrace
