#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "base/coding.h"
#include "base/crc32c_portable.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace millrace {
namespace {

// Below this ISA-L's start-up costs more than going word by word.
constexpr std::size_t kSerialBytes = 128;

// ISA-L takes an int; one call's worth stays far below.
constexpr std::size_t kIsalBytes = 1 << 30;

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t SerialBySse(std::uint32_t crc, std::span<const std::byte> bytes) {
  std::uint64_t wide = crc;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) wide = _mm_crc32_u64(wide, GetLe<std::uint64_t>(bytes.data()));
  auto narrow = static_cast<std::uint32_t>(wide);
  if (bytes.size() >= 4) {
    narrow = _mm_crc32_u32(narrow, GetLe<std::uint32_t>(bytes.data()));
    bytes = bytes.subspan(4);
  }
  for (const std::byte byte : bytes) narrow = _mm_crc32_u8(narrow, std::to_integer<unsigned char>(byte));
  return narrow;
}
#endif

using Serial = std::uint32_t (*)(std::uint32_t, std::span<const std::byte>);

Serial ChooseSerial() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return &SerialBySse;
#endif
  return &Crc32cPortable;
}

}  // namespace

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  static const Serial serial = ChooseSerial();
  // All three take and give the register without the inversions.
  std::uint32_t crc = ~seed;
  while (bytes.size() >= kSerialBytes) {
    const auto part = bytes.first(std::min(bytes.size(), kIsalBytes));
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(part.data()));
    crc = crc32_iscsi(data, static_cast<int>(part.size()), crc);
    bytes = bytes.subspan(part.size());
  }
  return ~serial(crc, bytes);
}

}  // namespace millrace
