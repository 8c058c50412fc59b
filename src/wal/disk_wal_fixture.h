// What tests of the whole log share: disks of all kinds it has to do with, and all that can be read of it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "millrace/bytes.h"
#include "wal/disk_wal.h"

namespace millrace {

inline constexpr SimTraits kDisksOfAllKinds[] = {
    {}, {.direct = false}, {.allocate = false}, {.map = false}, {.direct = false, .allocate = false, .map = false}};

class OnDisksOfAllKinds : public testing::TestWithParam<SimTraits> {
 protected:
  SimFileSystem disk_{1, GetParam()};
  SimClock clock_;
};

inline std::vector<std::string> ReadAll(DiskWal& wal, WalStream stream = WalStream(1), std::uint64_t bytes_max = 4096) {
  std::vector<std::string> all;
  WalPosition at = wal.begin();
  while (at < wal.end()) {
    auto frames = wal.Read(stream, {at, wal.end()}, bytes_max);
    EXPECT_TRUE(frames) << frames.error().ToString();
    if (!frames || frames->next == at) break;
    for (const auto& frame : frames->frames) all.emplace_back(AsText(frame.payload));
    at = frames->next;
  }
  return all;
}

}  // namespace millrace
