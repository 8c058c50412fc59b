#include "env/io_plans.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/try.h"
#include "env/posix_error.h"

namespace millrace {
namespace {

// The kernel transfers at most 0x7ffff000 bytes a call; a multiple of 4,096 keeps direct I/O aligned.
constexpr std::size_t kTransferMax = 1 << 30;
constexpr std::size_t kVectorMax = 64;
constexpr std::uint32_t kRingEntries = 64;
constexpr std::size_t kIdleRingsMax = 4;

std::span<std::byte> BytesOf(const FileRead& range) { return range.out; }
std::span<const std::byte> BytesOf(const FileWrite& range) { return range.bytes; }

/// How many ranges from the front of `plan` lie one behind the other and fit one call; at least one.
template <class Range>
std::size_t RunLength(std::span<Range> plan) {
  std::size_t count = 1, bytes = BytesOf(plan[0]).size();
  while (count < plan.size() && count < kVectorMax) {
    const auto& before = plan[count - 1];
    const std::size_t size = BytesOf(plan[count]).size();
    if (before.offset + BytesOf(before).size() != plan[count].offset || bytes + size > kTransferMax) break;
    bytes += size;
    ++count;
  }
  return count;
}

/// Ranges that all lie one behind the other are one transfer, for which a ring has no depth to offer.
template <class Range>
bool IsOneRun(std::span<Range> plan) {
  return plan.empty() || RunLength(plan) == plan.size();
}

template <class Range>
std::size_t FillVector(std::span<Range> run, std::array<iovec, kVectorMax>& vector) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const auto range = BytesOf(run[i]);
    vector[i] = {const_cast<std::byte*>(range.data()), range.size()};
    bytes += range.size();
  }
  return bytes;
}

}  // namespace

Result<std::size_t> ReadRange(const PlannedFile& file, std::uint64_t offset, std::span<std::byte> out,
                              std::size_t done) {
  while (done < out.size()) {
    const std::size_t want = std::min(out.size() - done, kTransferMax);
    const ssize_t got = ::pread(file.descriptor, out.data() + done, want, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError(errno, "read", file.path);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> WriteRange(const PlannedFile& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t want = std::min(bytes.size(), kTransferMax);
    const ssize_t put = ::pwrite(file.descriptor, bytes.data(), want, static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return PosixError(errno, "write", file.path);
    if (put == 0) return PosixError(EIO, "write", file.path);
    offset += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> PositionalPlans::Read(const PlannedFile& file, std::span<FileRead> plan) {
  std::array<iovec, kVectorMax> vector;
  while (!plan.empty()) {
    const auto run = plan.first(RunLength(plan));
    plan = plan.subspan(run.size());
    ssize_t got = 0;
    if (run.size() > 1) {
      FillVector(run, vector);
      do {
        got = ::preadv(file.descriptor, vector.data(), static_cast<int>(run.size()), static_cast<off_t>(run[0].offset));
      } while (got < 0 && errno == EINTR);
      if (got < 0) return PosixError(errno, "read", file.path);
    }
    auto there = static_cast<std::size_t>(got);
    for (FileRead& range : run) {
      range.got = std::min(there, range.out.size());
      there -= range.got;
      // Short, or the end of the file: it is asked again to know.
      if (range.got < range.out.size()) {
        MR_ASSIGN_OR_RETURN(range.got, ReadRange(file, range.offset, range.out, range.got));
      }
    }
  }
  return {};
}

Result<void> PositionalPlans::Write(const PlannedFile& file, std::span<const FileWrite> plan) {
  std::array<iovec, kVectorMax> vector;
  while (!plan.empty()) {
    const auto run = plan.first(RunLength(plan));
    plan = plan.subspan(run.size());
    ssize_t put = 0;
    if (run.size() > 1) {
      FillVector(run, vector);
      do {
        put =
            ::pwritev(file.descriptor, vector.data(), static_cast<int>(run.size()), static_cast<off_t>(run[0].offset));
      } while (put < 0 && errno == EINTR);
      if (put < 0) return PosixError(errno, "write", file.path);
    }
    auto there = static_cast<std::size_t>(put);
    for (const FileWrite& range : run) {
      const std::size_t done = std::min(there, range.bytes.size());
      there -= done;
      MR_TRY(WriteRange(file, range.offset + done, range.bytes.subspan(done)));
    }
  }
  return {};
}

std::unique_ptr<RingPlans> RingPlans::Probe(Open open) {
  auto kernel = open(kRingEntries);
  if (!kernel) return nullptr;
  std::unique_ptr<RingPlans> plans(new RingPlans(open));
  plans->Return(std::make_unique<Uring>(std::move(kernel)));
  return plans;
}

std::unique_ptr<Uring> RingPlans::Take() {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      auto ring = std::move(idle_.back());
      idle_.pop_back();
      return ring;
    }
  }
  auto kernel = open_(kRingEntries);
  return kernel ? std::make_unique<Uring>(std::move(kernel)) : nullptr;
}

void RingPlans::Return(std::unique_ptr<Uring> ring) {
  MutexLock lock(mutex_);
  if (idle_.size() < kIdleRingsMax) idle_.push_back(std::move(ring));
}

void RingPlans::Run(std::span<UringTransfer> transfers) {
  auto ring = Take();
  if (ring && ring->Run(transfers)) Return(std::move(ring));
}

Result<void> RingPlans::Read(const PlannedFile& file, std::span<FileRead> plan) {
  if (IsOneRun(plan)) return PositionalPlans().Read(file, plan);
  std::vector<UringTransfer> transfers;
  transfers.reserve(plan.size());
  for (const FileRead& range : plan) {
    transfers.push_back({.descriptor = file.descriptor,
                         .direction = UringTransfer::Direction::kRead,
                         .offset = range.offset,
                         .bytes = range.out.data(),
                         .length = range.out.size()});
  }
  Run(transfers);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const UringTransfer& transfer = transfers[i];
    if (transfer.state == UringTransfer::State::kFailed) return PosixError(transfer.error_number, "read", file.path);
    plan[i].got = transfer.done;
    if (transfer.state == UringTransfer::State::kFinished) continue;
    MR_ASSIGN_OR_RETURN(plan[i].got, ReadRange(file, plan[i].offset, plan[i].out, transfer.done));
  }
  return {};
}

Result<void> RingPlans::Write(const PlannedFile& file, std::span<const FileWrite> plan) {
  if (IsOneRun(plan)) return PositionalPlans().Write(file, plan);
  std::vector<UringTransfer> transfers;
  transfers.reserve(plan.size());
  for (const FileWrite& range : plan) {
    transfers.push_back({.descriptor = file.descriptor,
                         .direction = UringTransfer::Direction::kWrite,
                         .offset = range.offset,
                         .bytes = const_cast<std::byte*>(range.bytes.data()),
                         .length = range.bytes.size()});
  }
  Run(transfers);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const UringTransfer& transfer = transfers[i];
    if (transfer.state == UringTransfer::State::kFailed) return PosixError(transfer.error_number, "write", file.path);
    if (transfer.state == UringTransfer::State::kFinished) continue;
    MR_TRY(WriteRange(file, plan[i].offset + transfer.done, plan[i].bytes.subspan(transfer.done)));
  }
  return {};
}

}  // namespace millrace
