// A queue in one block of memory: pushed at the back, dropped from the front, indexed from the front. Doubles when
// full; gives its memory back when it runs empty after having been large.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"

namespace millrace {

/// T is default-constructible; slots outside the queue hold T{}. Not thread-safe.
template <class T>
class Ring {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t index) { return slots_[(first_ + index) & (slots_.size() - 1)]; }
  [[nodiscard]] const T& operator[](std::size_t index) const { return slots_[(first_ + index) & (slots_.size() - 1)]; }
  [[nodiscard]] T& front() { return (*this)[0]; }
  [[nodiscard]] const T& front() const { return (*this)[0]; }
  [[nodiscard]] T& back() { return (*this)[size_ - 1]; }
  [[nodiscard]] const T& back() const { return (*this)[size_ - 1]; }

  void PushBack(T value) {
    if (size_ == slots_.size()) Grow();
    (*this)[size_] = std::move(value);
    ++size_;
  }
  void PopFront() {
    MR_DCHECK(size_ > 0);
    front() = T{};
    first_ = (first_ + 1) & (slots_.size() - 1);
    if (--size_ == 0 && slots_.size() > kKeptSlots) Clear();
  }
  void Clear() {
    slots_ = {};
    first_ = size_ = 0;
  }

  /// Index of the first element for which `before` is false; elements are partitioned by it.
  template <class Before>
  [[nodiscard]] std::size_t PartitionPoint(Before before) const {
    std::size_t low = 0, high = size_;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (before((*this)[middle]))
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }

 private:
  static constexpr std::size_t kFirstSlots = 8, kKeptSlots = 32;

  void Grow() {
    std::vector<T> larger(slots_.empty() ? kFirstSlots : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;  // a power of two
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace millrace
