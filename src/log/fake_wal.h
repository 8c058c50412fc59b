// A WAL in memory for the tests of the rooms above: the test decides when frames become durable, which are damaged, and
// when appends fail. Reads look at every byte between where they begin and where they stop, as the real one does, and
// count them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "wal/wal.h"

namespace millrace {

class FakeWal final : public Wal {
 public:
  static constexpr std::int64_t kFrameOverhead = 32;

  /// kAsked: AwaitDurable and OnDurable sync at once. kByHand: only MakeDurable does.
  enum class Syncing { kAsked, kByHand };
  explicit FakeWal(Syncing syncing = Syncing::kAsked) : syncing_(syncing) {}

  // The test's side.
  void MakeDurable(WalPosition position) {
    std::vector<Waiter> ready;
    {
      MutexLock lock(mutex_);
      durable_end_ = std::max(durable_end_, std::min(position, end_));
      ++syncs_;
      std::erase_if(waiters_, [&, durable_end = durable_end_](Waiter& waiter) {
        if (waiter.end > durable_end) return false;
        ready.push_back(std::move(waiter));
        return true;
      });
      durable_moved_.NotifyAll();
    }
    for (Waiter& waiter : ready) waiter.done({});
  }
  void MakeAllDurable() { MakeDurable(end()); }
  /// Every append and sync from now on fails with it.
  void Poison(const Error& error) {
    std::vector<Waiter> ready;
    {
      MutexLock lock(mutex_);
      poison_ = error;
      ready = std::exchange(waiters_, {});
      durable_moved_.NotifyAll();
    }
    for (Waiter& waiter : ready) waiter.done(error);
  }
  /// Every waiter for a sync is answered `error`; the next sync may succeed.
  void FailSync(const Error& error) {
    std::vector<Waiter> ready;
    {
      MutexLock lock(mutex_);
      ready = std::exchange(waiters_, {});
    }
    for (Waiter& waiter : ready) waiter.done(error);
  }
  void SetAppendError(std::optional<Error> error) {
    MutexLock lock(mutex_);
    append_error_ = std::move(error);
  }
  /// TryAppend is kUnavailable while more than this is not durable; AwaitRoom syncs.
  void SetStagingBytes(std::int64_t bytes) {
    MutexLock lock(mutex_);
    staging_bytes_ = bytes;
  }
  /// The frame that begins at `begin` cannot be verified any more.
  void Damage(WalPosition begin) {
    MutexLock lock(mutex_);
    frames_.at(begin).damaged = true;
  }
  /// As Damage, and the error names bytes from `named_begin` on.
  void Damage(WalPosition begin, WalPosition named_begin) {
    MutexLock lock(mutex_);
    frames_.at(begin).damaged = true;
    frames_.at(begin).named_begin = named_begin;
  }
  /// As Damage, and the error names bytes up to `named_end`, past whole frames.
  void DamageUpTo(WalPosition begin, WalPosition named_end) {
    MutexLock lock(mutex_);
    frames_.at(begin).damaged = true;
    frames_.at(begin).named_end = named_end;
  }
  /// A read of more than one frame that meets damage answers it alone, as the real one's second look at a file does.
  void HideWhatLiesBeforeDamage() {
    MutexLock lock(mutex_);
    damage_hides_ = true;
  }
  /// Frames that begin before `position` are gone; reads of them answer kOutOfRange.
  void Recycle(WalPosition position) {
    MutexLock lock(mutex_);
    frames_.erase(frames_.begin(), frames_.lower_bound(position));
    begin_ = std::max(begin_, position);
  }
  /// All before is staged.
  [[nodiscard]] WalPosition end() const {
    MutexLock lock(mutex_);
    return end_;
  }
  /// Another stream's bytes, so that positions move on.
  WalExtent AppendForeign(std::size_t bytes) {
    const std::vector<std::byte> payload(bytes);
    const std::span<const std::byte> piece(payload);
    return *TryAppend(WalStream(0), {&piece, 1});
  }
  struct Stored {
    WalExtent extent;
    WalStream stream;
    SharedBytes payload;
    bool damaged = false;
    WalPosition named_begin = extent.begin, named_end = extent.end;  // of the damage
  };
  /// What a recovery would find: frames that begin before `end`.
  [[nodiscard]] std::vector<Stored> Frames(WalPosition end) const {
    MutexLock lock(mutex_);
    std::vector<Stored> found;
    for (const auto& [begin, frame] : frames_)
      if (begin < end) found.push_back(frame);
    return found;
  }
  [[nodiscard]] std::uint64_t bytes_read() const {
    MutexLock lock(mutex_);
    return bytes_read_;
  }
  [[nodiscard]] std::uint64_t reads() const {
    MutexLock lock(mutex_);
    return reads_;
  }
  [[nodiscard]] std::uint64_t on_durable_calls() const {
    MutexLock lock(mutex_);
    return on_durable_calls_;
  }

  // Wal.
  Result<WalExtent> TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) override {
    MutexLock lock(mutex_);
    if (poison_) return *poison_;
    if (append_error_) return *append_error_;
    std::vector<std::byte> payload;
    for (const auto& piece : pieces) payload.insert(payload.end(), piece.begin(), piece.end());
    const std::int64_t length = kFrameOverhead + static_cast<std::int64_t>(payload.size());
    if (end_ - durable_end_ + length > staging_bytes_) return Error(ErrorCode::kUnavailable, "staging is full");
    const WalExtent extent{end_, end_ + length};
    end_ = extent.end;
    frames_.emplace(extent.begin, Stored{extent, stream, SharedBytes::Copy(payload)});
    return extent;
  }
  Result<void> AwaitRoom(std::uint64_t, std::chrono::nanoseconds) override {
    {
      MutexLock lock(mutex_);
      if (poison_) return *poison_;
      if (append_error_) return *append_error_;
    }
    MakeAllDurable();
    return {};
  }
  Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds>) override {
    if (syncing_ == Syncing::kAsked && !poisoned()) MakeDurable(this->end());
    MutexLock lock(mutex_);
    while (durable_end_ < end) {
      if (poison_) return *poison_;
      durable_moved_.Wait(mutex_);
    }
    return {};
  }
  void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) override {
    std::optional<Error> error;
    {
      MutexLock lock(mutex_);
      ++on_durable_calls_;
      error = poison_;
      if (!error && durable_end_ < end) {
        waiters_.push_back({end, std::move(done)});
        done = nullptr;
      }
    }
    if (done) return done(error ? Result<void>(*error) : Result<void>());
    if (syncing_ == Syncing::kAsked) MakeAllDurable();
  }
  [[nodiscard]] WalPosition durable_end() const override {
    MutexLock lock(mutex_);
    return durable_end_;
  }
  Result<Wal::Frames> Read(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) override {
    MutexLock lock(mutex_);
    ++reads_;
    if (range.begin < begin_) return Error(ErrorCode::kOutOfRange, "recycled");
    Wal::Frames read{.next = range.end};
    std::uint64_t bytes = 0;
    for (auto at = frames_.lower_bound(range.begin); at != frames_.end() && at->first < range.end; ++at) {
      const Stored& frame = at->second;
      if (frame.damaged) {
        if (!read.frames.empty() && !damage_hides_) {
          read.next = frame.extent.begin;
          return read;
        }
        DamagedRange damage{.place = "wal/1"};
        damage.byte_begin = static_cast<std::uint64_t>(frame.named_begin.value());
        damage.byte_end = static_cast<std::uint64_t>(frame.named_end.value());
        return Error(ErrorCode::kCorruption, "wal/1 is damaged").WithDamage(damage);
      }
      bytes_read_ += static_cast<std::uint64_t>(frame.extent.end - frame.extent.begin);
      if (!streams.Has(frame.stream)) continue;
      read.frames.push_back({frame.extent, frame.payload, frame.stream});
      bytes += frame.payload.size();
      if (bytes < bytes_max) continue;
      read.next = frame.extent.end;
      return read;
    }
    return read;
  }
  [[nodiscard]] std::optional<WalPosition> EndOf(const DamagedRange& damage) const override {
    return WalPosition(static_cast<std::int64_t>(damage.byte_end));
  }

 private:
  struct Waiter {
    WalPosition end;
    std::move_only_function<void(const Result<void>&)> done;
  };
  bool poisoned() const {
    MutexLock lock(mutex_);
    return poison_.has_value();
  }

  const Syncing syncing_;
  mutable Mutex mutex_;
  CondVar durable_moved_;
  std::map<WalPosition, Stored> frames_ MR_GUARDED_BY(mutex_);
  std::vector<Waiter> waiters_ MR_GUARDED_BY(mutex_);
  WalPosition begin_ MR_GUARDED_BY(mutex_), durable_end_ MR_GUARDED_BY(mutex_), end_ MR_GUARDED_BY(mutex_);
  std::optional<Error> poison_ MR_GUARDED_BY(mutex_), append_error_ MR_GUARDED_BY(mutex_);
  bool damage_hides_ MR_GUARDED_BY(mutex_) = false;
  std::int64_t staging_bytes_ MR_GUARDED_BY(mutex_) = INT64_MAX / 2;
  std::uint64_t bytes_read_ MR_GUARDED_BY(mutex_) = 0, reads_ MR_GUARDED_BY(mutex_) = 0,
                            on_durable_calls_ MR_GUARDED_BY(mutex_) = 0, syncs_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
