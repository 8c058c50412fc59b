// A row of the table of tests: one property, checked over seeds against a floor.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "report.h"

namespace millrace::sim {

struct Row {
  std::string_view name;  // its number in the table, and the room where a row has several parts
  std::string_view property;
  /// One seed. Stops early once the report has had enough.
  void (*run)(std::uint64_t seed, Report& report);
  std::uint64_t seeds;  // of a CI run
  Report::Floors floors;
};

std::span<const Row> AllRows();
const Row* FindRow(std::string_view name);

}  // namespace millrace::sim
