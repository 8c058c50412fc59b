// What the log costs on this machine's disk: durable and unsynced appends against the raw writes they are made of.
// Every figure alternates ours and raw in one process (A, B, B, A) and prints the median of the rounds' ratios.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "env/posix_file_system.h"
#include "env/system_clock.h"
#include "wal/disk_wal.h"
#include "wal/frame.h"

namespace millrace {
namespace {

using Seconds = std::chrono::duration<double>;
double Now() { return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class NoReplay final : public WalReplay {
 public:
  Result<void> OnFrame(WalStream, WalExtent, std::span<const std::byte>) override { return {}; }
  Result<void> OnDamage(const WalDamage&) override { return {}; }
};

[[noreturn]] void Fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.ToString().c_str());
  std::exit(1);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// A log with the thread an engine would give it.
class RunningWal {
 public:
  RunningWal(const std::filesystem::path& directory, SyncPolicy sync) {
    auto opened = DiskWal::Open({.directory = directory, .sync = sync}, file_system_, clock_, replay_);
    if (!opened) Fail(opened.error());
    wal_ = *std::move(opened);
    worker_ = std::thread([this] {
      while (!stop_) {
        bool again = false;
        for (const auto& step : {wal_->CommitOnce(), wal_->SyncDueOnce(), wal_->PrepareFilesOnce()}) {
          again = again || (step && *step);
        }
        if (!again) wal_->AwaitWork(wal_->NextDue());
      }
    });
  }
  ~RunningWal() {
    stop_ = true;
    wal_->Wake();
    worker_.join();
    [[maybe_unused]] const auto closed = wal_->Close();
  }
  DiskWal& operator*() { return *wal_; }
  DiskWal* operator->() { return wal_.get(); }

  WalExtent Append(std::span<const std::byte> payload) {
    const std::array pieces = {payload};
    for (;;) {
      auto extent = wal_->TryAppend(WalStream(1), pieces);
      if (extent) return *extent;
      if (extent.error().code() != ErrorCode::kUnavailable) Fail(extent.error());
      if (auto room = wal_->AwaitRoom(payload.size(), clock_.Monotonic() + std::chrono::seconds(10)); !room) {
        Fail(room.error());
      }
    }
  }
  void Recycle() {
    if (auto recycled = wal_->Recycle(wal_->durable_end(), DiskWal::Seal::kSealActive); !recycled)
      Fail(recycled.error());
  }

 private:
  PosixFileSystem file_system_;
  SystemClock clock_;
  NoReplay replay_;
  std::unique_ptr<DiskWal> wal_;
  std::thread worker_;
  std::atomic<bool> stop_ = false;
};

/// Synced overwrites of a pre-written file: the floor.
class RawFile {
 public:
  explicit RawFile(const std::filesystem::path& path, std::size_t size = 64 << 20) : size_(size) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT, 0600);
    block_ = static_cast<std::byte*>(std::aligned_alloc(4096, 1 << 20));
    std::memset(block_, 'x', 1 << 20);
    for (std::size_t at = 0; at < size; at += 1 << 20) {
      if (::pwrite(descriptor_, block_, 1 << 20, static_cast<off_t>(at)) < 0) std::exit(1);
    }
    ::fsync(descriptor_);
  }
  ~RawFile() { ::close(descriptor_); }
  void Write(std::size_t bytes) {
    if (at_ + bytes > size_) at_ = 0;
    if (::pwrite(descriptor_, block_, bytes, static_cast<off_t>(at_)) < 0 || ::fdatasync(descriptor_) != 0)
      std::exit(1);
    at_ += bytes;
  }

 private:
  int descriptor_;
  std::byte* block_;
  std::size_t at_ = 0, size_;
};

/// p50 in microseconds of `count` runs.
double P50(int count, const std::function<void()>& run) {
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const double begun = Now();
    run();
    times.push_back((Now() - begun) * 1e6);
  }
  return Median(std::move(times));
}

void DurableLatency(const std::filesystem::path& directory, std::size_t payload_bytes, std::size_t raw_bytes) {
  RunningWal wal(directory / "latency", SyncPolicy::Each());
  RawFile raw(directory / "raw");
  const std::vector<std::byte> payload(payload_bytes, std::byte{7});
  const auto ours = [&] {
    const auto extent = wal.Append(payload);
    if (auto durable = wal->AwaitDurable(extent.end); !durable) Fail(durable.error());
  };
  const auto theirs = [&] { raw.Write(raw_bytes); };
  std::vector<double> ratios, our_times, raw_times;
  P50(500, ours);
  P50(500, theirs);
  for (int round = 0; round < 5; ++round) {
    const double a = P50(500, ours), b = P50(500, theirs), c = P50(500, theirs), d = P50(500, ours);
    ratios.push_back((a + d) / (b + c));
    our_times.push_back((a + d) / 2);
    raw_times.push_back((b + c) / 2);
    wal.Recycle();
  }
  std::printf("durable append %7zu B, 1 thread: p50 %.1f us; raw %zu B synced %.1f us; ratio %.3f\n", payload_bytes,
              Median(our_times), raw_bytes, Median(raw_times), Median(ratios));
}

void DurableThreads(const std::filesystem::path& directory, int threads, std::size_t payload_bytes, double seconds) {
  RunningWal wal(directory / "threads", SyncPolicy::Each());
  RawFile raw(directory / "raw");
  const std::size_t group = AlignUp(static_cast<std::size_t>(threads) * WalFrameBytes(payload_bytes), 4096);
  std::vector<double> rates, bounds, ratios;
  for (int round = 0; round < 5; ++round) {
    const double sync = P50(300, [&] { raw.Write(group); }) / 1e6;
    std::atomic<std::uint64_t> appends = 0;
    std::atomic<bool> stop = false;
    std::vector<std::thread> workers;
    const double begun = Now();
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        const std::vector<std::byte> payload(payload_bytes, std::byte{7});
        std::uint64_t count = 0;
        while (!stop.load(std::memory_order_relaxed)) {
          const auto extent = wal.Append(payload);
          if (auto durable = wal->AwaitDurable(extent.end); !durable) Fail(durable.error());
          ++count;
        }
        appends += count;
      });
    }
    std::this_thread::sleep_for(Seconds(seconds));
    stop = true;
    for (auto& worker : workers) worker.join();
    const double rate = static_cast<double>(appends) / (Now() - begun);
    rates.push_back(rate);
    bounds.push_back(threads / sync);
    ratios.push_back(rate / (threads / sync));
    wal.Recycle();
  }
  std::printf(
      "durable append %7zu B, %d threads: %.0f K/s; bound %.0f K/s (threads / T_sync of the group); ratio %.2f\n",
      payload_bytes, threads, Median(rates) / 1e3, Median(bounds) / 1e3, Median(ratios));
}

void Unsynced(const std::filesystem::path& directory, int threads, std::size_t payload_bytes, std::uint64_t bytes) {
  RunningWal wal(directory / "unsynced", SyncPolicy::None());
  std::vector<double> rates;
  for (int round = 0; round < 4; ++round) {
    const std::uint64_t each = bytes / payload_bytes / static_cast<std::uint64_t>(threads);
    std::vector<std::thread> workers;
    const double begun = Now();
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        const std::vector<std::byte> payload(payload_bytes, std::byte{7});
        for (std::uint64_t i = 0; i < each; ++i) wal.Append(payload);
      });
    }
    for (auto& worker : workers) worker.join();
    const double took = Now() - begun;
    if (round > 0) rates.push_back(static_cast<double>(each * static_cast<std::uint64_t>(threads)) / took);
    if (auto durable = wal->AwaitDurable(wal->end()); !durable) Fail(durable.error());
    wal.Recycle();
  }
  std::printf("unsynced append %zu B, %d threads, rounds of %llu MiB: %.2f M/s\n", payload_bytes, threads,
              static_cast<unsigned long long>(bytes >> 20), Median(rates) / 1e6);
}

void FirstReceipt(const std::filesystem::path& directory) {
  std::vector<double> times;
  for (int round = 0; round < 7; ++round) {
    std::filesystem::remove_all(directory / "first");
    const double begun = Now();
    RunningWal wal(directory / "first", SyncPolicy::Each());
    const std::vector<std::byte> payload(1000, std::byte{7});
    const auto extent = wal.Append(payload);
    if (auto durable = wal->AwaitDurable(extent.end); !durable) Fail(durable.error());
    times.push_back((Now() - begun) * 1e3);
  }
  std::printf("empty directory to first durable receipt: %.1f ms\n", Median(times));
}

void Recovery(const std::filesystem::path& directory, std::uint64_t bytes) {
  {
    RunningWal wal(directory / "recovery", SyncPolicy::None());
    const std::vector<std::byte> payload(64 << 10, std::byte{7});
    for (std::uint64_t i = 0; i < bytes / payload.size(); ++i) wal.Append(payload);
  }
  const auto read_all = [&] {
    std::vector<std::byte> buffer(1 << 20);
    for (const auto& entry : std::filesystem::directory_iterator(directory / "recovery")) {
      const int descriptor = ::open(entry.path().c_str(), O_RDONLY);
      while (::read(descriptor, buffer.data(), buffer.size()) > 0) {
      }
      ::close(descriptor);
    }
  };
  const auto evict = [&] {
    ::sync();
    for (const auto& entry : std::filesystem::directory_iterator(directory / "recovery")) {
      const int descriptor = ::open(entry.path().c_str(), O_RDONLY);
      ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
      ::close(descriptor);
    }
  };
  std::vector<double> ratios, ours;
  PosixFileSystem file_system;
  SystemClock clock;
  for (int round = 0; round < 3; ++round) {
    evict();
    double begun = Now();
    read_all();
    const double raw = Now() - begun;
    evict();
    begun = Now();
    NoReplay replay;
    auto wal =
        DiskWal::Open({.directory = directory / "recovery", .sync = SyncPolicy::None()}, file_system, clock, replay);
    if (!wal) Fail(wal.error());
    ours.push_back(Now() - begun);
    ratios.push_back(ours.back() / raw);
    if (auto closed = (*wal)->Close(); !closed) Fail(closed.error());
  }
  std::printf("recovery of %llu MiB: %.2f s; ratio to reading the files %.2f\n",
              static_cast<unsigned long long>(bytes >> 20), Median(ours), Median(ratios));
}

}  // namespace
}  // namespace millrace

int main(int count, char** arguments) {
  using namespace millrace;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string which = count > 1 ? arguments[1] : "all";
  const std::filesystem::path directory = count > 2 ? arguments[2] : "/tmp/millrace-wal-bench";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  const auto asked = [&](std::string_view name) { return which == "all" || which == name; };
  if (asked("latency")) DurableLatency(directory, 1024, 4096);
  if (asked("batch")) DurableLatency(directory, 256 * 830, AlignUp(256 * 830, 4096));
  if (asked("threads")) {
    DurableThreads(directory, 10, 760, 1.0);
    DurableThreads(directory, 64, 1024, 1.0);
  }
  if (asked("unsynced")) {
    Unsynced(directory, 1, 830, 1 << 30);
    Unsynced(directory, 10, 830, 1 << 30);
  }
  if (asked("first")) FirstReceipt(directory);
  if (asked("recovery")) Recovery(directory, 2ull << 30);
  std::filesystem::remove_all(directory);
  return 0;
}
