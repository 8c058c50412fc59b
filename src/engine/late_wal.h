// A WAL that is there before it is open: partitions hold it by reference while recovery fills them, which happens
// inside Wal::Open.
#pragma once

#include <memory>
#include <utility>

#include "wal/wal.h"

namespace millrace {

/// Forwards every call. Set once, before any call but construction.
class LateWal final : public Wal {
 public:
  void Set(std::unique_ptr<Wal> wal) { wal_ = std::move(wal); }

  Result<WalExtent> TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) override {
    return wal_->TryAppend(stream, pieces);
  }
  Result<WalExtent> TryAppendWithCrc(WalStream stream, std::span<const std::byte> head, std::span<const std::byte> body,
                                     std::uint32_t body_crc) override {
    return wal_->TryAppendWithCrc(stream, head, body, body_crc);
  }
  Result<void> AwaitRoom(std::uint64_t payload_bytes, std::chrono::nanoseconds deadline) override {
    return wal_->AwaitRoom(payload_bytes, deadline);
  }
  Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline) override {
    return wal_->AwaitDurable(end, deadline);
  }
  void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) override {
    wal_->OnDurable(end, std::move(done));
  }
  [[nodiscard]] WalPosition begin() const override { return wal_->begin(); }
  [[nodiscard]] WalPosition durable_end() const override { return wal_->durable_end(); }
  [[nodiscard]] WalPosition end() const override { return wal_->end(); }
  void SetDurableListener(std::function<void(WalPosition durable_end)> listener) override {
    wal_->SetDurableListener(std::move(listener));
  }
  Result<Frames> Read(WalStream stream, WalExtent range, std::uint64_t bytes_max) override {
    return wal_->Read(stream, range, bytes_max);
  }
  [[nodiscard]] std::optional<WalPosition> EndOf(const DamagedRange& damage) const override {
    return wal_->EndOf(damage);
  }
  Result<void> Recycle(WalPosition position, Seal seal) override { return wal_->Recycle(position, seal); }
  [[nodiscard]] Space space() const override { return wal_->space(); }
  Result<bool> CommitOnce() override { return wal_->CommitOnce(); }
  Result<bool> SyncDueOnce() override { return wal_->SyncDueOnce(); }
  Result<bool> PrepareFilesOnce() override { return wal_->PrepareFilesOnce(); }
  void AwaitWork(std::optional<std::chrono::nanoseconds> deadline) override { wal_->AwaitWork(deadline); }
  void Wake() override { wal_->Wake(); }
  [[nodiscard]] std::optional<std::chrono::nanoseconds> NextDue() const override { return wal_->NextDue(); }
  [[nodiscard]] const WalRecoveryReport& recovery() const override { return wal_->recovery(); }
  [[nodiscard]] WalStats Stats() const override { return wal_->Stats(); }
  WalPosition StopStaging() override { return wal_ ? wal_->StopStaging() : WalPosition(); }
  Result<void> CloseWithNote(std::span<const std::byte> note, WalPosition taken_at) override {
    return wal_ ? wal_->CloseWithNote(note, taken_at) : Result<void>();
  }
  Result<void> Close() override { return wal_ ? wal_->Close() : Result<void>(); }  // opening may have failed

 private:
  std::unique_ptr<Wal> wal_;
};

}  // namespace millrace
