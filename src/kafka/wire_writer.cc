#include "kafka/wire_writer.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kBufferBytesMin = 256;
constexpr std::size_t kWideStringBytesMax = std::numeric_limits<std::int16_t>::max();

std::size_t VarintBytes(std::uint32_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

void PutVarint(std::byte* at, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::byte>(value | 0x80);
  *at = static_cast<std::byte>(value);
}

}  // namespace

void WireWriter::Varint(std::uint32_t value) { PutVarint(Extend(VarintBytes(value)), value); }

void WireWriter::String(Text value) {
  // What is this long is words for people, and its beginning will do.
  if (!flexible_) value = value.substr(0, kWideStringBytesMax);
  Length(value.size(), Width::kTwo);
  Append(AsBytes(value));
}

void WireWriter::ByteString(Bytes value) {
  Length(value.size(), Width::kFour);
  Append(value);
}

void WireWriter::RecordBytes(const Records& value) {
  Length(value.size_bytes(), Width::kFour);
  Append(value.view);
  for (const SharedBytes& slice : value.slices) Share(slice);
}

void WireWriter::NullableString(NullableText value, bool may_be_null) {
  if (!value && may_be_null) return Null(Width::kTwo);
  String(*value);
}

void WireWriter::NullableByteString(NullableBytes value, bool may_be_null) {
  if (!value && may_be_null) return Null(Width::kFour);
  ByteString(*value);
}

void WireWriter::NullableRecordBytes(const std::optional<Records>& value, bool may_be_null) {
  if (!value && may_be_null) return Null(Width::kFour);
  RecordBytes(value ? *value : Records{});
}

void WireWriter::Length(std::size_t size, Width width) {
  MR_CHECK(size <= std::numeric_limits<std::int32_t>::max());
  if (flexible_) return Varint(static_cast<std::uint32_t>(size + 1));
  if (width == Width::kFour) return Int32(static_cast<std::int32_t>(size));
  Int16(static_cast<std::int16_t>(size));
}

void WireWriter::Null(Width width) {
  if (flexible_) return Varint(0);
  if (width == Width::kFour) return Int32(-1);
  Int16(-1);
}

void WireWriter::Append(Bytes bytes) {
  if (!bytes.empty()) std::memcpy(Extend(bytes.size()), bytes.data(), bytes.size());
}

void WireWriter::Share(const SharedBytes& slice) {
  if (slice.size() < kSharedBytesMin) return Append(slice);
  shared_.push_back({used_, slice});
  shared_bytes_ += slice.size();
}

void WireWriter::Grow(std::size_t size) {
  Buffer larger(std::max({kBufferBytesMin, used_ + size, 2 * buffer_.size()}));
  std::ranges::copy(buffer_.bytes().first(used_), larger.bytes().data());
  buffer_ = std::move(larger);
}

WireSlices WireWriter::Finish() {
  WireSlices slices;
  slices.reserve(2 * shared_.size() + 1);
  const std::size_t used = std::exchange(used_, 0);
  const SharedBytes own = std::move(buffer_).Freeze();
  std::size_t done = 0;
  for (Shared& shared : shared_) {
    if (shared.at > done) slices.push_back(own.Slice(done, shared.at - done));
    slices.push_back(std::move(shared.bytes));
    done = shared.at;
  }
  if (used > done) slices.push_back(own.Slice(done, used - done));
  shared_.clear();
  shared_bytes_ = 0;
  return slices;
}

TagWriter::TagWriter(WireWriter& out) : out_(out) {
  if (!out.flexible()) return;
  count_at_ = out.used_;
  out.Int8(0);
}

void TagWriter::Begin(std::uint32_t tag) {
  MR_DCHECK(out_.flexible());
  std::byte& count = out_.buffer_.bytes()[count_at_];
  count = static_cast<std::byte>(std::to_integer<int>(count) + 1);
  out_.Varint(tag);
  field_at_ = out_.used_;
}

void TagWriter::End() {
  // The field's size stands before it and is known only now.
  const std::size_t size = out_.used_ - field_at_;
  const std::size_t size_bytes = VarintBytes(static_cast<std::uint32_t>(size));
  out_.Extend(size_bytes);
  std::byte* field = out_.buffer_.bytes().data() + field_at_;
  std::memmove(field + size_bytes, field, size);
  PutVarint(field, static_cast<std::uint32_t>(size));
}

}  // namespace millrace::kafka
