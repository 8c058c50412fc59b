// A process that reads the far topic from one offset to another, to be killed while it does.
//
//   far_reader DIRECTORY PORT GENERATION BEGIN END     a line after each read; "right RECORDS", or "wrong ..." and 1
#include <cstdio>
#include <cstdlib>

#include "test/e2e/far_topic.h"

int main(int argc, char** argv) {
  using namespace millrace;
  if (argc != 6) return 2;
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  const auto generation = static_cast<std::uint64_t>(std::atoll(argv[3]));
  const Offset end(std::atoll(argv[5]));
  auto engine = Engine::Open(FarOptions(argv[1], port));
  if (!engine) {
    std::printf("wrong %s\n", engine.error().ToString().c_str());
    return 1;
  }
  std::uint64_t records = 0;
  constexpr std::int64_t kStride = 250;
  for (Offset at(std::atoll(argv[4])); at < end; at = at + kStride) {
    const FarRead read = ReadFar(**engine, generation, at, at + kStride < end ? at + kStride : end);
    records += read.records;
    std::printf(read.wrong.empty() ? "at %lld\n" : "wrong after %lld: %s\n", static_cast<long long>(at.value()),
                read.wrong.c_str());
    std::fflush(stdout);
    if (!read.wrong.empty()) return 1;
  }
  std::printf("right %llu\n", static_cast<unsigned long long>(records));
  return (*engine)->Close() ? 0 : 1;
}
