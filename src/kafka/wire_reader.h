// Reads the fields of Kafka's messages out of one frame. The decoders made from the tables in kafka/messages call it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bugs.h"
#include "base/coding.h"
#include "kafka/arena.h"
#include "kafka/wire_types.h"
#include "millrace/result.h"

namespace millrace::kafka {

/// Which form the fields have that come next.
struct WireForm {
  std::string_view message;  // for errors
  std::int16_t version = 0;
  bool flexible = false;  // compact lengths, and tags behind every struct
};

/// What an arena may take for a frame of this size: 4 × and 60 KiB, the rest of 64 KiB being left to errors.
constexpr std::size_t MessageBytesMax(std::size_t frame_bytes) { return 4 * frame_bytes + (60 << 10); }

/// Fails once: the first field that cannot be read is remembered, every read after it gives zero and empty, and
/// `Finish` tells. Decoders so need no branch a field. Views point into the frame and arrays into the arena; both must
/// outlive the messages. Whatever the bytes say, the arena grows by at most `MessageBytesMax(frame)`.
class WireReader {
 public:
  WireReader(std::span<const std::byte> frame, Arena& arena)
      : begin_(frame.data()),
        at_(frame.data()),
        end_(frame.data() + frame.size()),
        frame_bytes_(frame.size()),
        arena_(arena),
        arena_bytes_max_(arena.held_bytes() + MessageBytesMax(frame.size())) {}

  void SetForm(const WireForm& form) { form_ = form; }
  [[nodiscard]] std::int16_t version() const { return form_.version; }
  [[nodiscard]] bool flexible() const { return form_.flexible; }

  // `field` is the path from the message down, for errors: "topics.partitions.index". It must be a literal.
  bool Bool(const char* field) { return Fixed<std::int8_t>(field) != 0; }
  std::int8_t Int8(const char* field) { return Fixed<std::int8_t>(field); }
  std::int16_t Int16(const char* field) { return Fixed<std::int16_t>(field); }
  std::uint16_t Uint16(const char* field) { return Fixed<std::uint16_t>(field); }
  std::int32_t Int32(const char* field) { return Fixed<std::int32_t>(field); }
  std::int64_t Int64(const char* field) { return Fixed<std::int64_t>(field); }
  double Float64(const char* field) { return std::bit_cast<double>(Fixed<std::uint64_t>(field)); }
  /// At most five bytes.
  std::uint32_t Varint(const char* field);
  Uuid Id(const char* field);

  Text String(const char* field) { return *NullableString(field, false); }
  Bytes ByteString(const char* field) { return *NullableByteString(field, false); }
  Records RecordBytes(const char* field) { return {.view = ByteString(field)}; }
  // Null is refused unless `may_be_null`: whether it is allowed depends on the version.
  NullableText NullableString(const char* field, bool may_be_null);
  NullableBytes NullableByteString(const char* field, bool may_be_null);
  std::optional<Records> NullableRecordBytes(const char* field, bool may_be_null);

  /// Elements of the wire take at least `element_bytes_min`, so a count that cannot be true is refused before anything
  /// is allocated for it. A struct is read by `Read(WireReader&, T&)`.
  template <class T>
  Array<T> Elements(const char* field, std::size_t element_bytes_min) {
    return *NullableElements<T>(field, element_bytes_min, false);
  }
  template <class T>
  NullableArray<T> NullableElements(const char* field, std::size_t element_bytes_min, bool may_be_null);

  /// A struct that a byte of 1 announces, or of −1 denies.
  template <class T>
  std::optional<T> NullableStruct(const char* field, bool may_be_null);

  /// The tags behind a struct. `read_known(tag)` reads the field of a tag it knows and says whether it did; the others
  /// are skipped and counted. Nothing unless the form is flexible.
  template <class ReadKnown>
  void Tags(const char* field, ReadKnown&& read_known);
  void Tags(const char* field) {
    Tags(field, [](std::uint32_t) { return false; });
  }

  /// Tagged fields met that no table has.
  [[nodiscard]] std::uint64_t unknown_tags() const { return unknown_tags_; }
  [[nodiscard]] std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  [[nodiscard]] std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] bool failed() const { return failed_; }

  /// kCorruption with message, version, field and byte position if anything could not be read.
  Result<void> Finish() const;

 private:
  static constexpr std::int64_t kNull = -1;

  template <class T>
  T Fixed(const char* field) {
    if (remaining() < sizeof(T)) [[unlikely]] {
      Fail(field, "the frame ends within it");
      return 0;
    }
    const T value = GetBe<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  /// A length or count, kNull for null; 0 after a failure. `wide`: 4 bytes in the inflexible form, else 2.
  std::int64_t Length(const char* field, bool wide, bool may_be_null);
  Bytes Take(const char* field, std::size_t size);
  template <class T>
  void ReadElement(const char* field, T& out);
  void Fail(const char* field, const char* reason);

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;  // of the frame, or of the tagged field that is being read
  std::size_t frame_bytes_;
  Arena& arena_;
  std::size_t arena_bytes_max_;
  WireForm form_;
  std::uint64_t unknown_tags_ = 0;
  bool failed_ = false;
  const char* failed_field_ = "";
  const char* failed_reason_ = "";
  std::size_t failed_position_ = 0;
};

template <class T>
void WireReader::ReadElement(const char* field, T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    out = Bool(field);
  } else if constexpr (std::is_integral_v<T>) {
    out = Fixed<T>(field);
  } else if constexpr (std::is_same_v<T, Text>) {
    out = String(field);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    out = ByteString(field);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    out = Id(field);
  } else {
    Read(*this, out);
  }
}

template <class T>
NullableArray<T> WireReader::NullableElements(const char* field, std::size_t element_bytes_min, bool may_be_null) {
  const std::int64_t length = Length(field, true, may_be_null);
  if (length == kNull) return std::nullopt;
  const auto count = static_cast<std::size_t>(length);
  if (count == 0) return Array<T>();
  const bool trusted = Planted(Bug::kWireCountTrusted);
  if (count > remaining() / element_bytes_min && !trusted) {
    Fail(field, "more elements than the bytes that are left can hold");
    return Array<T>();
  }
  std::span<T> elements = trusted ? arena_.New<T>(count) : arena_.NewWithin<T>(count, arena_bytes_max_);
  if (elements.empty()) {
    Fail(field, "the message would take more memory than four times its bytes");
    return Array<T>();
  }
  for (T& element : elements) {
    ReadElement(field, element);
    if (failed_) break;
  }
  return Array<T>(elements);
}

template <class T>
std::optional<T> WireReader::NullableStruct(const char* field, bool may_be_null) {
  const std::int8_t there = Int8(field);
  if (there < 0 && !may_be_null) Fail(field, "it is null and must not be");
  if (there < 0) return std::nullopt;
  T value;
  Read(*this, value);
  return value;
}

template <class ReadKnown>
void WireReader::Tags(const char* field, ReadKnown&& read_known) {
  if (!flexible()) return;
  const std::uint32_t count = Varint(field);
  const std::byte* const outer_end = end_;
  for (std::uint32_t i = 0; i < count && !failed_; ++i) {
    const std::uint32_t tag = Varint(field);
    const std::uint32_t size = Varint(field);
    if (failed_) return;
    if (size > remaining()) return Fail(field, "a tagged field is longer than the bytes that are left");
    end_ = at_ + size;
    if (!read_known(tag)) {
      ++unknown_tags_;
      if (Planted(Bug::kWireUnknownTagStored)) (void)arena_.New<std::pair<std::uint32_t, Bytes>>(1);
      at_ = end_;
    }
    if (!failed_ && at_ != end_) Fail(field, "a tagged field is longer than what it holds");
    end_ = failed_ ? at_ : outer_end;
  }
}

}  // namespace millrace::kafka
