// Text as logs have it: lines of 75 to 300 bytes with times, levels, names, paths and numbers, made from a seed. LZ4
// brings them to about a fifth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/record.h"

namespace millrace::bench {

/// `count` records of exactly `value_bytes` each, filled with lines.
std::vector<Record> RecordsOfLogLines(std::uint64_t seed, std::size_t count, std::size_t value_bytes);

}  // namespace millrace::bench
