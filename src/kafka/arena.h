// Memory of one request: the arrays of its decoded messages and of its reply, freed together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace millrace::kafka {

/// Gives memory out and takes it back all at once. One thread. Destructors of what lies in it never run.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { Free(nullptr); }

  /// `count` values, each as T{} makes it. For what must succeed: a reply of our own.
  template <class T>
  std::span<T> New(std::size_t count) {
    return Construct<T>(Allocate(count * sizeof(T), kUnlimited), count);
  }

  /// The same, or nullptr (an empty span with `count` > 0) where the arena would hold more than `held_bytes_max`.
  template <class T>
  std::span<T> NewWithin(std::size_t count, std::size_t held_bytes_max) {
    if (count > held_bytes_max / sizeof(T)) return {};
    return Construct<T>(Allocate(count * sizeof(T), held_bytes_max), count);
  }

  /// Takes everything back; one chunk stays for the next request.
  void Reset();

  /// What it takes from the system at present.
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

 private:
  struct alignas(std::max_align_t) Chunk {
    Chunk* before;
    std::size_t bytes;  // with this head
  };
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

  template <class T>
  static std::span<T> Construct(std::byte* at, std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= alignof(std::max_align_t));
    if (at == nullptr) return {};
    T* first = reinterpret_cast<T*>(at);
    for (std::size_t i = 0; i < count; ++i) new (first + i) T{};
    return {first, count};
  }

  /// nullptr where it would hold more than `held_bytes_max`.
  std::byte* Allocate(std::size_t bytes, std::size_t held_bytes_max);
  std::byte* NewChunk(std::size_t bytes);
  void Free(const Chunk* stays);

  Chunk* last_ = nullptr;      // the newest; the list goes back from it
  std::byte* free_ = nullptr;  // [free_, free_end_): what is left of the chunk that is being filled
  std::byte* free_end_ = nullptr;
  std::size_t held_bytes_ = 0;
};

}  // namespace millrace::kafka
