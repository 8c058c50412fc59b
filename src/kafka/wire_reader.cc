#include "kafka/wire_reader.h"

#include <fmt/format.h>

namespace millrace::kafka {

std::uint32_t WireReader::Varint(const char* field) {
  std::uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(Fixed<std::int8_t>(field));
    if (shift == 28 && byte > 0x0f) break;
    value |= std::uint32_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  Fail(field, "a varint of more than 32 bits");
  return 0;
}

Uuid WireReader::Id(const char* field) {
  Uuid id;
  const Bytes bytes = Take(field, id.bytes.size());
  if (!bytes.empty()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

NullableText WireReader::NullableString(const char* field, bool may_be_null) {
  const std::int64_t length = Length(field, false, may_be_null);
  if (length == kNull) return std::nullopt;
  return AsText(Take(field, static_cast<std::size_t>(length)));
}

NullableBytes WireReader::NullableByteString(const char* field, bool may_be_null) {
  const std::int64_t length = Length(field, true, may_be_null);
  if (length == kNull) return std::nullopt;
  return Take(field, static_cast<std::size_t>(length));
}

std::optional<Records> WireReader::NullableRecordBytes(const char* field, bool may_be_null) {
  const NullableBytes bytes = NullableByteString(field, may_be_null);
  if (!bytes) return std::nullopt;
  return Records{.view = *bytes};
}

std::int64_t WireReader::Length(const char* field, bool wide, bool may_be_null) {
  std::int64_t length = 0;
  if (flexible()) {
    length = std::int64_t{Varint(field)} - 1;
    if (failed_) return 0;
  } else {
    length = wide ? Int32(field) : Int16(field);
  }
  if (length == kNull && may_be_null) return kNull;
  if (length >= 0) return length;
  Fail(field, length == kNull ? "it is null and must not be" : "its length is negative");
  return 0;
}

Bytes WireReader::Take(const char* field, std::size_t size) {
  if (size > remaining()) {
    Fail(field, "it is longer than the bytes that are left");
    return {};
  }
  const Bytes bytes(at_, size);
  at_ += size;
  return bytes;
}

void WireReader::Fail(const char* field, const char* reason) {
  if (!failed_) {
    failed_ = true;
    failed_field_ = field;
    failed_reason_ = reason;
    failed_position_ = position();
  }
  at_ = end_;
}

Result<void> WireReader::Finish() const {
  if (!failed_) return {};
  return Error(ErrorCode::kCorruption,
               fmt::format("{} v{}, field {} at byte {} of {}: {}", form_.message, form_.version, failed_field_,
                           failed_position_, frame_bytes_, failed_reason_));
}

}  // namespace millrace::kafka
