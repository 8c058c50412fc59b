// Writes the fields of Kafka's messages. The encoders made from the tables in kafka/messages call it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/coding.h"
#include "kafka/wire_types.h"
#include "millrace/bytes.h"

namespace millrace::kafka {

/// Slices of a reply, in the order in which one gathered write sends them.
using WireSlices = std::vector<SharedBytes>;

/// All bytes of its own lie in one buffer; slices of records are noted with the place where they come in.
///
///     buffer   [ size, header, … partition 0 … | … partition 1 … | … ]
///     slices                                   ^ 1 MiB            ^ 64 KiB
class WireWriter {
 public:
  /// Slices of records below this are copied: they would cost more as an entry of the gathered write.
  static constexpr std::size_t kSharedBytesMin = 4 << 10;

  WireWriter(std::int16_t version, bool flexible) : version_(version), flexible_(flexible) {}

  [[nodiscard]] std::int16_t version() const { return version_; }
  [[nodiscard]] bool flexible() const { return flexible_; }
  void SetForm(std::int16_t version, bool flexible) {
    version_ = version;
    flexible_ = flexible;
  }

  void Bool(bool value) { Fixed(static_cast<std::int8_t>(value)); }
  void Int8(std::int8_t value) { Fixed(value); }
  void Int16(std::int16_t value) { Fixed(value); }
  void Uint16(std::uint16_t value) { Fixed(value); }
  void Int32(std::int32_t value) { Fixed(value); }
  void Int64(std::int64_t value) { Fixed(value); }
  void Float64(double value) { Fixed(std::bit_cast<std::uint64_t>(value)); }
  void Varint(std::uint32_t value);
  void Id(const Uuid& value) { Append(value.bytes); }

  /// Cut after 32,767 bytes where the length has two.
  void String(Text value);
  void ByteString(Bytes value);
  void RecordBytes(const Records& value);
  // Null is written as empty unless `may_be_null`: in a version that knows no null there is no other way to say it.
  void NullableString(NullableText value, bool may_be_null);
  void NullableByteString(NullableBytes value, bool may_be_null);
  void NullableRecordBytes(const std::optional<Records>& value, bool may_be_null);

  /// A struct is written by `Write(WireWriter&, const T&)`.
  template <class T>
  void Elements(Array<T> elements) {
    Length(elements.size(), Width::kFour);
    for (const T& element : elements) WriteElement(element);
  }
  template <class T>
  void NullableElements(NullableArray<T> elements, bool may_be_null) {
    if (!elements && may_be_null) return Null(Width::kFour);
    Elements<T>(*elements);
  }
  template <class T>
  void NullableStruct(const std::optional<T>& value, bool may_be_null) {
    if (!value && may_be_null) return Int8(-1);
    Int8(1);
    Write(*this, value ? *value : T{});
  }

  [[nodiscard]] std::size_t size_bytes() const { return used_ + shared_bytes_; }
  /// Overwrites four bytes that were written at `position` of the buffer.
  void PutInt32(std::size_t position, std::int32_t value) { PutBe(buffer_.bytes().data() + position, value); }

  /// What was written. The writer is empty afterwards.
  WireSlices Finish();

 private:
  friend class TagWriter;
  enum class Width { kTwo, kFour };
  struct Shared {
    std::size_t at;  // comes before this byte of the buffer
    SharedBytes bytes;
  };

  template <class T>
  void Fixed(T value) {
    PutBe(Extend(sizeof(T)), value);
  }
  std::byte* Extend(std::size_t size) {
    if (size > buffer_.size() - used_) [[unlikely]]
      Grow(size);
    std::byte* at = buffer_.bytes().data() + used_;
    used_ += size;
    return at;
  }
  void Grow(std::size_t size);
  void Append(Bytes bytes);
  void Length(std::size_t size, Width width);
  void Null(Width width);
  void Share(const SharedBytes& slice);

  template <class T>
  void WriteElement(const T& element) {
    if constexpr (std::is_same_v<T, bool>) {
      Bool(element);
    } else if constexpr (std::is_integral_v<T>) {
      Fixed(element);
    } else if constexpr (std::is_same_v<T, Text>) {
      String(element);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      ByteString(element);
    } else if constexpr (std::is_same_v<T, Uuid>) {
      Id(element);
    } else {
      Write(*this, element);
    }
  }

  std::int16_t version_;
  bool flexible_;
  Buffer buffer_;
  std::size_t used_ = 0;
  std::vector<Shared> shared_;
  std::size_t shared_bytes_ = 0;
};

/// The tags behind a struct: for each field that is set, Begin, the field, End, in ascending order. Fewer than 128, and
/// none of them records. Writes nothing unless the form is flexible.
class TagWriter {
 public:
  explicit TagWriter(WireWriter& out);
  void Begin(std::uint32_t tag);
  void End();

 private:
  WireWriter& out_;
  std::size_t count_at_ = 0;
  std::size_t field_at_ = 0;
};

}  // namespace millrace::kafka
