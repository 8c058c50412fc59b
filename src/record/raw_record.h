// One record of a batch, taken apart in place. Shared by decoding, validation and the search for timestamps, so that
// all three accept exactly the same bytes.
//
//   record  = length varint, attributes i8, timestamp delta varlong, offset delta varint,
//             key length varint (-1: null), key, value length varint (-1: null), value, headers
//   headers = count varint, { key length varint, key, value length varint (-1: null), value }...
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "record/varint.h"

namespace millrace {

struct RawRecord {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::optional<std::string_view> key, value;
  std::span<const std::byte> headers;  // empty if there are none, else with their count
};

/// A length and that many bytes; -1 is null. Null pointer if they are not there.
inline const std::byte* ReadNullableBytes(const std::byte* at, const std::byte* end,
                                          std::optional<std::string_view>& bytes) {
  std::int32_t length = 0;
  at = ReadVarint(at, end, length);
  if (at == nullptr || length > end - at) [[unlikely]]
    return nullptr;
  if (length < 0) {
    bytes.reset();
    return length == -1 ? at : nullptr;
  }
  bytes.emplace(reinterpret_cast<const char*>(at), static_cast<std::size_t>(length));
  return at + length;
}

/// Checks that [at, end) is exactly `count` headers and no key is null.
bool CheckHeaders(const std::byte* at, const std::byte* end, std::int32_t count);

/// Key, value and headers without framing, as record_bytes_max counts them.
[[nodiscard]] std::uint64_t PayloadBytes(const RawRecord& record);

/// The record that begins at `at`; returns where the next one begins, null if this one is malformed.
inline const std::byte* ReadRawRecord(const std::byte* at, const std::byte* batch_end, RawRecord& record) {
  std::int32_t length = 0;
  at = ReadVarint(at, batch_end, length);
  if (at == nullptr || length < 1 || length > batch_end - at) [[unlikely]]
    return nullptr;
  const std::byte* end = at + length;
  ++at;  // the record's attributes: none is defined
  at = ReadVarint(at, end, record.timestamp_delta);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = ReadVarint(at, end, record.offset_delta);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = ReadNullableBytes(at, end, record.key);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = ReadNullableBytes(at, end, record.value);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  const std::byte* headers = at;
  std::int32_t header_count = 0;
  at = ReadVarint(at, end, header_count);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  if (header_count == 0) {
    record.headers = {};
    return at == end ? end : nullptr;
  }
  record.headers = {headers, end};
  return CheckHeaders(at, end, header_count) ? end : nullptr;
}

}  // namespace millrace
