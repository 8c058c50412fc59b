// The hashes that signing needs, and checksums as S3 writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "millrace/bytes.h"

namespace millrace {

using Sha256Digest = std::array<std::byte, 32>;

[[nodiscard]] Sha256Digest Sha256(std::string_view text);
/// Of the concatenation of `pieces`.
[[nodiscard]] Sha256Digest Sha256(std::span<const SharedBytes> pieces);
[[nodiscard]] Sha256Digest HmacSha256(std::span<const std::byte> key, std::string_view text);

/// As the header content-md5 wants it; "" where the machine's cryptography forbids MD5.
[[nodiscard]] std::string Md5Base64(std::string_view text);
/// As the header x-amz-checksum-crc32c wants it: four bytes, the highest first, in base64.
[[nodiscard]] std::string CrcBase64(std::uint32_t crc);

}  // namespace millrace
