// Plans of several ranges by the two back ends of the file system: io_uring, one submission a plan, and positional
// calls. The default (docs/adr/0005-io-back-ends.md) rests on these figures.
#include <fmt/core.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bench/harness/opened_engine.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"
#include "env/posix_file_system.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kFileBytes = 256u << 20;
constexpr std::size_t kBlock = 4096;

struct Aligned {
  explicit Aligned(std::size_t size) : memory(static_cast<std::byte*>(std::aligned_alloc(kBlock, size)), &std::free) {
    std::memset(memory.get(), 1, size);
    bytes = {memory.get(), size};
  }
  std::unique_ptr<std::byte, void (*)(void*)> memory;
  std::span<std::byte> bytes;
};

struct Shape {
  const char* pages;  // the state of the page cache
  FilePath path;
  std::size_t ranges, range_bytes;
};

std::string NameOf(std::size_t bytes) { return bytes < 1024 * 1024 ? fmt::format("{} KiB", bytes / 1024) : "1 MiB"; }

std::unique_ptr<File> OpenOf(PosixFileSystem& file_system, const std::filesystem::path& path, FilePath how) {
  return OrDie(file_system.Open(path, {FileAccess::kReadWrite, FileCreation::kOpenExisting, how}), "open");
}

void MakeFile(const std::filesystem::path& path) {
  PosixFileSystem file_system;
  const auto file =
      OrDie(file_system.Open(path, {FileAccess::kReadWrite, FileCreation::kCreateNew, FilePath::kBuffered}), "create");
  Aligned piece(1 << 20);
  for (std::uint64_t at = 0; at < kFileBytes; at += piece.bytes.size()) {
    for (std::size_t i = 0; i < piece.bytes.size(); i += kBlock) std::memcpy(&piece.bytes[i], &at, sizeof at);
    OrDie(file->WriteAt(at, piece.bytes), "write");
  }
  OrDie(file->Sync(), "sync");
}

/// Microseconds a plan, over `plans` plans of random ranges.
double ReadPlansUs(File& file, const Shape& shape, std::uint64_t seed) {
  Aligned buffer(shape.ranges * shape.range_bytes);
  std::mt19937_64 random(seed);
  const std::size_t plans = shape.path == FilePath::kDirect ? 100 : 400;
  std::vector<FileRead> plan(shape.ranges);
  double us = 0;
  for (std::size_t i = 0; i < plans; ++i) {
    for (std::size_t k = 0; k < plan.size(); ++k) {
      plan[k] = {random() % (kFileBytes / shape.range_bytes) * shape.range_bytes,
                 buffer.bytes.subspan(k * shape.range_bytes, shape.range_bytes)};
    }
    const Stopwatch watch;
    OrDie(file.ReadMany(plan), "read");
    us += watch.microseconds();
    for (const FileRead& read : plan) {
      std::uint64_t mebibyte = 0;
      std::memcpy(&mebibyte, read.out.data(), sizeof mebibyte);
      if (read.got != shape.range_bytes || mebibyte != read.offset >> 20 << 20) Die("a range came back wrong");
    }
  }
  return us / static_cast<double>(plans);
}

void MeasureReads(Suite& suite, const Shape& shape) {
  const Row row{fmt::format("plan of {} reads of {}, {}", shape.ranges, NameOf(shape.range_bytes), shape.pages),
                "us",
                "random ranges of a 256 MiB file, 1 thread, mean of a plan",
                Better::kLower,
                {}};
  if (!suite.Wants(row)) return;
  const auto path = suite.FreshDirectory("file") / "f";
  MakeFile(path);
  PosixFileSystem ring(IoBackEnd::kRing), plain(IoBackEnd::kPositional);
  if (ring.io_back_end() != "io_uring") Die("this machine has no io_uring for us");
  const auto by_ring = OpenOf(ring, path, shape.path), by_calls = OpenOf(plain, path, shape.path);
  ReadFiles(path.parent_path());
  suite.Compare(row, {{"io_uring", [&] { return ReadPlansUs(*by_ring, shape, suite.seed()); }},
                      {"positional calls", [&] { return ReadPlansUs(*by_calls, shape, suite.seed()); }}});
}

/// What a group is that lies over the end of the staging ring: two pieces that follow each other in the file.
void MeasureWrites(Suite& suite, std::size_t piece_bytes) {
  const Row row{fmt::format("synced group of 2 x {}, direct I/O", NameOf(piece_bytes)),
                "us",
                "WriteMany of two neighbours + fdatasync over a written 256 MiB file, 1 thread, mean of 300",
                Better::kLower,
                {}};
  if (!suite.Wants(row)) return;
  const auto path = suite.FreshDirectory("file") / "f";
  MakeFile(path);
  PosixFileSystem ring(IoBackEnd::kRing), plain(IoBackEnd::kPositional);
  const auto by_ring = OpenOf(ring, path, FilePath::kDirect), by_calls = OpenOf(plain, path, FilePath::kDirect);
  Aligned buffer(2 * piece_bytes);
  const auto run = [&](File& file, bool together) {
    constexpr int kGroups = 300;
    const Stopwatch watch;
    for (int i = 0; i < kGroups; ++i) {
      const std::uint64_t at = static_cast<std::uint64_t>(i) * 2 * piece_bytes % kFileBytes;
      const std::array<FileWrite, 2> group = {
          {{at, buffer.bytes.first(piece_bytes)}, {at + piece_bytes, buffer.bytes.last(piece_bytes)}}};
      if (together) {
        OrDie(file.WriteMany(group), "write");
      } else {
        for (const FileWrite& write : group) OrDie(file.WriteAt(write.offset, write.bytes), "write");
      }
      OrDie(file.Sync(), "sync");
    }
    return watch.microseconds() / kGroups;
  };
  suite.Compare(row, {{"io_uring, one submission", [&] { return run(*by_ring, true); }},
                      {"one pwritev", [&] { return run(*by_calls, true); }},
                      {"two pwrite", [&] { return run(*by_calls, false); }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("io_back_ends", argc, argv);
  for (const auto& [ranges, bytes] : {std::pair<std::size_t, std::size_t>{2, 64 << 10}, {16, 64 << 10}, {64, 4096}}) {
    MeasureReads(suite, {"page cache", FilePath::kBuffered, ranges, bytes});
    MeasureReads(suite, {"direct I/O", FilePath::kDirect, ranges, bytes});
  }
  MeasureWrites(suite, 16 << 10);
  MeasureWrites(suite, 128 << 10);
  return 0;
}
