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
  /// How many fit before the next doubling, to next_capacity().
  [[nodiscard]] std::size_t capacity() const { return slots_.size(); }
  [[nodiscard]] std::size_t next_capacity() const { return slots_.empty() ? kFirstSlots : slots_.size() * 2; }
  /// Precondition: index < size().
  [[nodiscard]] T& operator[](std::size_t index) {
    MR_DCHECK(index < size_, index, size_);
    return slots_[SlotOf(index)];
  }
  [[nodiscard]] const T& operator[](std::size_t index) const {
    MR_DCHECK(index < size_, index, size_);
    return slots_[SlotOf(index)];
  }
  [[nodiscard]] T& front() { return (*this)[0]; }
  [[nodiscard]] const T& front() const { return (*this)[0]; }
  [[nodiscard]] T& back() { return (*this)[size_ - 1]; }
  [[nodiscard]] const T& back() const { return (*this)[size_ - 1]; }

  void PushBack(T value) {
    if (size_ == slots_.size()) MoveTo(next_capacity());
    MR_DCHECK(size_ < slots_.size() && first_ < slots_.size(), size_, first_, slots_.size());
    slots_[SlotOf(size_)] = std::move(value);
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
  /// Drops what lies at `size` and behind. Precondition: size <= size().
  void Truncate(std::size_t size) {
    MR_DCHECK(size <= size_);
    while (size_ > size) slots_[SlotOf(--size_)] = T{};
  }
  /// To the fewest slots that hold what it holds.
  void ShrinkToFit() {
    std::size_t slots = size_ == 0 ? 0 : kFirstSlots;
    while (slots < size_) slots *= 2;
    if (slots < slots_.size()) MoveTo(slots);
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
  [[nodiscard]] std::size_t SlotOf(std::size_t index) const { return (first_ + index) & (slots_.size() - 1); }
  static constexpr std::size_t kFirstSlots = 8, kKeptSlots = 32;

  void MoveTo(std::size_t slots) {
    MR_DCHECK(slots >= size_ && (slots & (slots - 1)) == 0, slots, size_);
    std::vector<T> moved(slots);
    for (std::size_t i = 0; i < size_; ++i) moved[i] = std::move((*this)[i]);
    slots_ = std::move(moved);
    first_ = 0;
  }

  std::vector<T> slots_;  // a power of two
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace millrace
