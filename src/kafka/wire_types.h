// What the fields of Kafka messages hold. All of it is trivially destructible, so that arrays of it may lie in an
// Arena.
#pragma once

#include <array>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "millrace/bytes.h"

namespace millrace::kafka {

/// Versions of an API, both ends included. Empty when `last` is below `first`.
struct VersionRange {
  std::int16_t first = 0, last = -1;

  [[nodiscard]] constexpr bool empty() const { return last < first; }
  [[nodiscard]] constexpr bool Contains(std::int16_t version) const { return first <= version && version <= last; }
  [[nodiscard]] constexpr bool Contains(VersionRange other) const {
    return other.empty() || (Contains(other.first) && Contains(other.last));
  }
  friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

/// 16 bytes as they lie on the wire. All zero means "none".
struct Uuid {
  std::array<std::byte, 16> bytes{};

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// Where the view of a Nullable points when there is nothing to see. Never read.
alignas(16) inline constexpr std::byte kNullMark{};

/// A string, bytes or an array that may be null, with the calls of std::optional. No larger than the view itself: what
/// a small frame decodes to is limited (docs/kafka.md), and a flag would cost eight bytes a field.
template <class View>
class Nullable {
 public:
  Nullable() = default;
  Nullable(std::nullopt_t) {}
  template <class From>
    requires std::convertible_to<From, View>
  Nullable(From&& from) : view_(std::forward<From>(from)) {}

  [[nodiscard]] bool has_value() const { return Mark(view_) != &kNullMark; }
  explicit operator bool() const { return has_value(); }
  /// The view; empty when null.
  const View& operator*() const { return view_; }
  const View* operator->() const { return &view_; }
  [[nodiscard]] View value_or(View other) const { return has_value() ? view_ : other; }

  friend bool operator==(const Nullable& one, const Nullable& other)
    requires std::equality_comparable<View>
  {
    return one.has_value() == other.has_value() && one.view_ == other.view_;
  }

 private:
  static const void* Mark(const View& view) { return view.data(); }
  static View Null() { return View(reinterpret_cast<decltype(View().data())>(&kNullMark), std::size_t{0}); }

  View view_ = Null();
};

using Text = std::string_view;
using NullableText = Nullable<std::string_view>;
using Bytes = std::span<const std::byte>;
using NullableBytes = Nullable<Bytes>;
template <class T>
using Array = std::span<const T>;
template <class T>
using NullableArray = Nullable<std::span<const T>>;

/// Record batches, back to back. A decoder sets `view`, into the frame. Who encodes sets either one: `view` is copied,
/// `slices` are sent from where they lie, in order, and shared until they are sent.
struct Records {
  Bytes view;
  std::span<const SharedBytes> slices;

  [[nodiscard]] std::size_t size_bytes() const {
    std::size_t size = view.size();
    for (const SharedBytes& slice : slices) size += slice.size();
    return size;
  }
};

}  // namespace millrace::kafka
