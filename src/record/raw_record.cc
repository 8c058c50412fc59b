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

}  // namespace millrace
