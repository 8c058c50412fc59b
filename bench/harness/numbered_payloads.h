// Payloads that tell their number, the same in C++ and in the drivers of peers (bench/peers), so that what comes back
// can be checked for count, order and content: entry i of a writer is payload (61 * writer + i) mod 4,096 of a table
// made from the seed, with i in its first eight bytes. Lengths are uniform in [500, 1,024].
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/record.h"

namespace millrace::bench {

class NumberedPayloads {
 public:
  static constexpr std::size_t kTable = 4096;
  static constexpr double kMeanBytes = 762;

  explicit NumberedPayloads(std::uint64_t seed, std::uint64_t writer = 0) : writer_(writer), records_(kTable) {
    records_.reserve(2 * kTable);
    const auto next = [&seed] {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      return z ^ (z >> 31);
    };
    for (Record& record : records_) {
      std::string value(500 + next() % 525, '\0');
      for (char& byte : value) byte = static_cast<char>(next());
      record.value = std::move(value);
    }
    // Once more, so that a batch over the table's end lies in one piece and making it costs no copies.
    for (std::size_t i = 0; i < kTable; ++i) records_.push_back(records_[i]);
  }

  /// Entry `i`; valid until that place of the table is stamped again.
  const Record& Stamped(std::uint64_t i) {
    Record& record = records_[Place(i)];
    std::memcpy(record.value->data(), &i, sizeof i);
    return record;
  }
  /// Entries [i, i + length). Precondition: length <= kTable.
  std::span<const Record> StampedBatch(std::uint64_t i, std::size_t length) {
    const auto batch = std::span(records_).subspan(Place(i), length);
    for (Record& record : batch) {
      std::memcpy(record.value->data(), &i, sizeof i);
      ++i;
    }
    return batch;
  }
  [[nodiscard]] bool Is(std::uint64_t i, std::string_view value) const {
    const std::string& expected = *records_[Place(i)].value;
    return value.size() == expected.size() && NumberOf(value) == i &&
           value.substr(8) == std::string_view(expected).substr(8);
  }
  static std::uint64_t NumberOf(std::string_view value) {
    std::uint64_t number = UINT64_MAX;
    if (value.size() >= sizeof number) std::memcpy(&number, value.data(), sizeof number);
    return number;
  }

 private:
  [[nodiscard]] std::size_t Place(std::uint64_t i) const { return (61 * writer_ + i) % kTable; }

  std::uint64_t writer_;
  std::vector<Record> records_;  // twice the table
};

}  // namespace millrace::bench
