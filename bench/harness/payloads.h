// Random payloads, made once from a seed: nothing compresses, and making them is not part of any measurement.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/record.h"

namespace millrace::bench {

/// Of the workloads: K is 1,024 bytes each, U is uniform in [500, 1,024] (762 on average).
enum class Sizes { kOneKibibyte, kUniform };

class Payloads {
 public:
  Payloads(std::uint64_t seed, Sizes sizes, std::size_t count = 4096);

  [[nodiscard]] std::size_t count() const { return records_.size(); }
  [[nodiscard]] const Record& record(std::size_t i) const { return records_[i % records_.size()]; }
  [[nodiscard]] std::string_view value(std::size_t i) const { return *record(i).value; }
  /// `length` records in a row, from a place that depends on `i`. Precondition: length <= count().
  [[nodiscard]] std::span<const Record> Batch(std::size_t i, std::size_t length) const {
    return std::span(records_).subspan(i * length % (records_.size() - length + 1), length);
  }

 private:
  std::vector<Record> records_;
};

inline Payloads::Payloads(std::uint64_t seed, Sizes sizes, std::size_t count) : records_(count) {
  std::mt19937_64 random(seed);
  for (Record& record : records_) {
    std::string value(sizes == Sizes::kOneKibibyte ? 1024 : 500 + random() % 525, '\0');
    for (char& byte : value) byte = static_cast<char>(random());
    record.value = std::move(value);
  }
}

}  // namespace millrace::bench
