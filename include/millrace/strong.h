// Strong<Tag, Rep>: a number with a name. Two kinds of number never mix, and a bare integer never slips in.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace {

/// A named number: explicit to make, ordered and hashable, never converted by accident.
template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;

  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}

  [[nodiscard]] constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(Strong, Strong) = default;

 private:
  Rep value_{};
};

/// A strong number that counts along a line: point + distance is a point, point - point a distance.
template <class Tag, class Rep>
class StrongPoint : public Strong<Tag, Rep> {
 public:
  using Strong<Tag, Rep>::Strong;

  friend constexpr auto operator<=>(StrongPoint, StrongPoint) = default;
  friend constexpr StrongPoint operator+(StrongPoint point, Rep distance) {
    return StrongPoint(point.value() + distance);
  }
  friend constexpr StrongPoint operator-(StrongPoint point, Rep distance) {
    return StrongPoint(point.value() - distance);
  }
  friend constexpr Rep operator-(StrongPoint a, StrongPoint b) { return a.value() - b.value(); }
  constexpr StrongPoint& operator+=(Rep distance) { return *this = *this + distance; }
};

}  // namespace millrace

template <class Tag, class Rep>
struct std::hash<millrace::Strong<Tag, Rep>> {
  std::size_t operator()(millrace::Strong<Tag, Rep> strong) const noexcept { return std::hash<Rep>{}(strong.value()); }
};

template <class Tag, class Rep>
struct std::hash<millrace::StrongPoint<Tag, Rep>> {
  std::size_t operator()(millrace::StrongPoint<Tag, Rep> strong) const noexcept {
    return std::hash<Rep>{}(strong.value());
  }
};
