#include "base/crc32c.h"

#include <isa-l/crc.h>

namespace millrace {

std::uint32_t Crc32c(std::span<const std::byte> bytes, std::uint32_t seed) {
  // ISA-L takes and gives the register without the final inversion.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~seed);
}

}  // namespace millrace
