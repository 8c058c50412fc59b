// Which way a WAL should write: the candidates of docs/adr/0001-wal-write-path.md, each over a recycled (fully written)
// 64 MiB file, one group at a time, p50 of each size. Candidates alternate round by round; the table shows medians of
// the rounds. The last part closes groups of N blocking threads in different ways.
//
//   wal_paths [DIRECTORY]        default: a directory of its own under /tmp
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kFileBytes = 64 << 20, kRingBytes = 4 << 20;

double NowMicros() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Must(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// A file written once from end to end, or only made long.
class TestFile {
 public:
  TestFile(const std::string& path, int flags, bool written = true, std::size_t bytes = kFileBytes) : bytes_(bytes) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    Must(descriptor_ >= 0, "open");
    if (written) {
      const std::vector<char> block(1 << 20, 'x');
      for (std::size_t at = 0; at < bytes; at += block.size()) {
        Must(::pwrite(descriptor_, block.data(), block.size(), static_cast<off_t>(at)) > 0, "write");
      }
    }
    Must(::fsync(descriptor_) == 0, "fsync");
    ::close(descriptor_);
    descriptor_ = ::open(path.c_str(), O_RDWR | flags);
    Must(descriptor_ >= 0, "reopen");
  }
  ~TestFile() { ::close(descriptor_); }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  off_t Next(std::size_t bytes) {
    if (at_ + bytes > bytes_) at_ = 0;
    return static_cast<off_t>(std::exchange(at_, at_ + bytes));
  }

 private:
  int descriptor_;
  std::size_t bytes_, at_ = 0;
};

struct Path {
  std::string name;
  std::function<void(const char* payload, std::size_t bytes)> commit;
};

void ComparePaths(const std::string& directory) {
  TestFile growing(directory + "/growing", 0, false), buffered(directory + "/buffered", 0);
  TestFile direct(directory + "/direct", O_DIRECT), dsync(directory + "/dsync", O_DIRECT);
  TestFile mapped(directory + "/mapped", 0), staged(directory + "/staged", O_DIRECT);
  TestFile ring_file(directory + "/ring", 0, true, kRingBytes);
  auto* map =
      static_cast<char*>(::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, mapped.descriptor(), 0));
  auto* ring = static_cast<char*>(
      ::mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_file.descriptor(), 0));
  Must(map != MAP_FAILED && ring != MAP_FAILED, "mmap");
  auto* aligned = static_cast<char*>(std::aligned_alloc(4096, 1 << 20));
  std::memset(ring, 1, kRingBytes);
  std::size_t ring_at = 0;
  off_t grown = 0;
  const std::vector<Path> paths = {
      {"growing file, pwrite + fdatasync",
       [&](const char* p, std::size_t n) {
         Must(::pwrite(growing.descriptor(), p, n, grown) > 0 && ::fdatasync(growing.descriptor()) == 0, "growing");
         grown += static_cast<off_t>(n);
       }},
      {"recycled, pwrite + fdatasync",
       [&](const char* p, std::size_t n) {
         Must(::pwrite(buffered.descriptor(), p, n, buffered.Next(n)) > 0 && ::fdatasync(buffered.descriptor()) == 0,
              "buffered");
       }},
      {"recycled, O_DIRECT + fdatasync, from the heap",
       [&](const char* p, std::size_t n) {
         std::memcpy(aligned, p, n);
         Must(::pwrite(direct.descriptor(), aligned, n, direct.Next(n)) > 0 && ::fdatasync(direct.descriptor()) == 0,
              "direct");
       }},
      {"recycled, O_DIRECT | RWF_DSYNC",
       [&](const char* p, std::size_t n) {
         std::memcpy(aligned, p, n);
         const iovec piece = {aligned, n};
         Must(::pwritev2(dsync.descriptor(), &piece, 1, dsync.Next(n), RWF_DSYNC) > 0, "dsync");
       }},
      {"recycled, mmap + msync",
       [&](const char* p, std::size_t n) {
         const off_t at = mapped.Next(n);
         std::memcpy(map + at, p, n);
         Must(::msync(map + at, n, MS_SYNC) == 0, "msync");
       }},
      {"staging ring, O_DIRECT + fdatasync from it",
       [&](const char* p, std::size_t n) {
         if (ring_at + n > kRingBytes) ring_at = 0;
         std::memcpy(ring + ring_at, p, n);
         Must(::pwrite(staged.descriptor(), ring + ring_at, n, staged.Next(n)) > 0 &&
                  ::fdatasync(staged.descriptor()) == 0,
              "staged");
         ring_at += n;
       }},
  };
  const std::vector<std::size_t> sizes = {4 << 10, 64 << 10, 256 << 10, 1 << 20};
  const std::vector<char> payload(1 << 20, 'y');
  std::vector<std::vector<std::vector<double>>> rounds(paths.size(), std::vector<std::vector<double>>(sizes.size()));
  for (int round = 0; round < 6; ++round) {
    for (std::size_t s = 0; s < sizes.size(); ++s) {
      for (std::size_t k = 0; k < paths.size(); ++k) {
        const std::size_t path = round % 2 == 0 ? k : paths.size() - 1 - k;  // A, B, B, A
        std::vector<double> times;
        for (int i = 0; i < 100; ++i) {
          const double begun = NowMicros();
          paths[path].commit(payload.data(), sizes[s]);
          times.push_back(NowMicros() - begun);
        }
        if (round > 0) rounds[path][s].push_back(Median(std::move(times)));  // the first is warm-up
      }
    }
  }
  std::printf(
      "| write path, microseconds p50 (min..max of rounds) | 4 KiB | 64 KiB | 256 KiB | 1 MiB "
      "|\n|---|---|---|---|---|\n");
  for (std::size_t path = 0; path < paths.size(); ++path) {
    std::printf("| %s |", paths[path].name.c_str());
    for (const auto& values : rounds[path]) {
      std::printf(" %.0f (%.0f..%.0f) |", Median(values), *std::ranges::min_element(values),
                  *std::ranges::max_element(values));
    }
    std::printf("\n");
  }

  // Unsynced appends of 830 bytes: a copy into the ring against one pwrite each.
  constexpr int kAppends = 2'000'000;
  const double ring_begun = NowMicros();
  for (int i = 0; i < kAppends; ++i) {
    if (ring_at + 832 > kRingBytes) ring_at = 0;
    std::memcpy(ring + ring_at, payload.data(), 832);
    ring_at += 832;
  }
  const double ring_took = NowMicros() - ring_begun;
  const double write_begun = NowMicros();
  for (int i = 0; i < kAppends / 10; ++i)
    Must(::pwrite(buffered.descriptor(), payload.data(), 832, buffered.Next(832)) > 0, "pwrite");
  const double write_took = (NowMicros() - write_begun) * 10;
  std::printf("\nunsynced appends of 832 B: copy into the ring %.1f M/s, one pwrite each %.2f M/s\n",
              kAppends / ring_took, kAppends / write_took);
}

/// Group commit of blocking threads with different ways to close a group.
double GroupRate(const std::string& directory, unsigned threads, bool wait_for_joiners) {
  TestFile file(directory + "/groups", O_DIRECT);
  auto* block = static_cast<char*>(std::aligned_alloc(4096, 1 << 20));
  std::memset(block, 1, 1 << 20);
  std::mutex mutex;
  bool leading = false;
  std::uint64_t staged = 0, done = 0;
  std::atomic<std::uint32_t> word = 0, joined = 0;
  double expected = 1, sync_micros = 100;
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> total = 0;
  const auto append = [&] {
    std::unique_lock lock(mutex);
    const std::uint64_t mine = ++staged;
    ++joined;
    while (done < mine) {
      if (leading) {
        const std::uint32_t seen = word;
        lock.unlock();
        ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
        lock.lock();
        continue;
      }
      leading = true;
      if (wait_for_joiners && expected > 1.5) {
        const double limit = NowMicros() + 0.8 * sync_micros;
        lock.unlock();
        while (joined < expected - 0.5 && NowMicros() < limit) std::this_thread::yield();
        lock.lock();
      }
      const std::uint64_t upto = staged;
      const std::size_t bytes = ((upto - done) * 1096 + 4095) / 4096 * 4096;
      expected = std::max<double>(joined.exchange(0), expected * 15 / 16);
      lock.unlock();
      const double begun = NowMicros();
      Must(::pwrite(file.descriptor(), block, bytes, file.Next(bytes)) > 0 && ::fdatasync(file.descriptor()) == 0,
           "group");
      lock.lock();
      sync_micros += (NowMicros() - begun - sync_micros) / 8;
      done = upto;
      leading = false;
      ++word;
      lock.unlock();
      ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
      lock.lock();
    }
  };
  std::vector<std::thread> workers;
  const double begun = NowMicros();
  for (unsigned t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      std::uint64_t count = 0;
      while (!stop) {
        append();
        ++count;
      }
      total += count;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  stop = true;
  for (auto& worker : workers) worker.join();
  std::free(block);
  return static_cast<double>(total) / (NowMicros() - begun) * 1e6;
}

void CompareGroups(const std::string& directory) {
  std::printf(
      "\n| blocking threads, appends of 1 KiB, thousands per second | close at once | wait for the expected "
      "|\n|---|---|---|\n");
  for (const unsigned threads : {1U, 4U, 10U, 64U}) {
    std::vector<double> at_once, waiting;
    for (int round = 0; round < 3; ++round) {
      at_once.push_back(GroupRate(directory, threads, false));
      waiting.push_back(GroupRate(directory, threads, true));
    }
    std::printf("| %u | %.1f | %.1f |\n", threads, Median(at_once) / 1e3, Median(waiting) / 1e3);
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string directory = count > 1 ? arguments[1] : "/tmp/millrace-wal-paths-" + std::to_string(::getpid());
  std::filesystem::create_directories(directory);
  ComparePaths(directory);
  CompareGroups(directory);
  std::filesystem::remove_all(directory);
  return 0;
}
