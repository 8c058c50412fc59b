// What this machine can do at all: checksums, copies, page-cache reads, synced writes. No Millrace inside.
#include <fcntl.h>
#include <fmt/core.h>
#include <isa-l.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace::bench;

namespace {

constexpr std::size_t kMebibyte = 1u << 20;

std::vector<unsigned char> RandomBytes(std::size_t size, std::uint64_t seed) {
  std::vector<unsigned char> bytes(size);
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(&bytes[i], &word, 8);
  }
  return bytes;
}

double GigabytesPerSecond(std::uint64_t bytes, double seconds) { return static_cast<double>(bytes) / 1e9 / seconds; }

void MeasureChecksum(Suite& suite, std::size_t size, const char* text) {
  auto bytes = RandomBytes(size, suite.seed());
  suite.Compare({fmt::format("limit: CRC-32C, {}", text),
                 "GB/s",
                 "ISA-L crc32_iscsi over one buffer, 1 thread",
                 Better::kHigher,
                 {}},
                {{"crc32_iscsi", [&] {
                    const std::size_t repeats = (1u << 30) / size;
                    const Stopwatch watch;
                    unsigned crc = 0;
                    for (std::size_t i = 0; i < repeats; ++i)
                      crc = crc32_iscsi(bytes.data(), static_cast<int>(size), crc);
                    const double figure = GigabytesPerSecond(repeats * size, watch.seconds());
                    return crc == 0 ? 0 : figure;
                  }}});
}

void MeasureCopy(Suite& suite) {
  const auto from = RandomBytes(256 * kMebibyte, suite.seed());
  std::vector<unsigned char> to(from.size());
  suite.Compare({"limit: memory copy", "GB/s", "memcpy of 256 MiB, touched, 1 thread", Better::kHigher, {}},
                {{"memcpy", [&] {
                    const Stopwatch watch;
                    std::memcpy(to.data(), from.data(), from.size());
                    return GigabytesPerSecond(from.size(), watch.seconds());
                  }}});
}

void MeasurePageCache(Suite& suite) {
  const auto path = suite.FreshDirectory("page-cache") / "file";
  const auto bytes = RandomBytes(256 * kMebibyte, suite.seed());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::vector<unsigned char> buffer(kMebibyte);
  const auto read_all = [&](bool checked) {
    const Stopwatch watch;
    unsigned crc = 0;
    for (std::size_t at = 0; at < bytes.size(); at += kMebibyte) {
      if (pread(file, buffer.data(), kMebibyte, static_cast<off_t>(at)) != static_cast<ssize_t>(kMebibyte))
        Die("short read");
      if (checked) crc = crc32_iscsi(buffer.data(), static_cast<int>(kMebibyte), crc);
    }
    return GigabytesPerSecond(bytes.size(), watch.seconds()) + (crc == 1 ? 1e-9 : 0);
  };
  suite.Compare(
      {"limit: page-cache read", "GB/s", "pread of 1 MiB over a cached 256 MiB file, 1 thread", Better::kHigher, {}},
      {{"pread", [&] { return read_all(false); }}, {"pread + CRC-32C", [&] { return read_all(true); }}});
  close(file);
}

void MeasureSyncedWrites(Suite& suite) {
  for (const std::size_t kibibytes : {4, 64, 256, 1024}) {
    const auto directory = suite.FreshDirectory("synced");
    RecycledFile file(directory / "file", 64 * kMebibyte, suite.seed());
    suite.Compare({fmt::format("limit: synced overwrite of {} KiB", kibibytes),
                   "us",
                   fmt::format("{} + fdatasync over a written 64 MiB file, median of 400",
                               file.direct() ? "direct pwrite" : "pwrite"),
                   Better::kLower,
                   {}},
                  {{"raw", [&] { return MedianSyncUs(file, kibibytes * 1024, 400); }}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("limits", argc, argv);
  MeasureChecksum(suite, 256, "256 B");
  MeasureChecksum(suite, 4096, "4 KiB");
  MeasureChecksum(suite, 256 * kMebibyte, "256 MiB");
  MeasureCopy(suite);
  MeasurePageCache(suite);
  MeasureSyncedWrites(suite);
  return 0;
}
