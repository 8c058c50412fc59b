// Bytes and who owns them: a span to look, Buffer to fill, SharedBytes to keep.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace millrace {

/// Text seen as bytes, and bytes seen as text; no copy.
inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Immutable bytes with a counted owner. Copies and slices share the owner; the bytes live as long as any of them.
class SharedBytes {
 public:
  SharedBytes() = default;
  /// Shares bytes that `owner` keeps alive.
  SharedBytes(std::shared_ptr<const void> owner, std::span<const std::byte> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  static SharedBytes Copy(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    auto owner = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
    std::memcpy(owner.get(), bytes.data(), bytes.size());
    std::span<const std::byte> view(owner.get(), bytes.size());
    return {std::move(owner), view};
  }

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] const std::byte* data() const { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }
  /// Precondition: offset + length <= size().
  [[nodiscard]] SharedBytes Slice(std::size_t offset, std::size_t length) const {
    return {owner_, bytes_.subspan(offset, length)};
  }
  operator std::span<const std::byte>() const { return bytes_; }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> bytes_;
};

/// Bytes of fixed size with one owner, to be filled. Not initialised. Freeze() turns it into SharedBytes without a
/// copy.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : bytes_(std::make_shared_for_overwrite<std::byte[]>(size)), size_(size) {}
  /// Takes over `bytes`, which `owner` keeps alive and which no other writes, or reads while they are written.
  Buffer(const std::shared_ptr<void>& owner, std::span<std::byte> bytes)
      : bytes_(owner, bytes.data()), size_(bytes.size()) {}
  Buffer(Buffer&& other) noexcept : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  [[nodiscard]] std::span<std::byte> bytes() { return {bytes_.get(), size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Forgets the bytes after `size`; the memory stays. Precondition: size <= size().
  void Shrink(std::size_t size) { size_ = size; }
  [[nodiscard]] SharedBytes Freeze() && {
    std::span<const std::byte> view(bytes_.get(), size_);
    size_ = 0;
    return {std::move(bytes_), view};
  }

 private:
  std::shared_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace millrace
