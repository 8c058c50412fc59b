// Which versions of which APIs are served. What is advertised and what is accepted stand apart, for clients draw
// conclusions from the numbers they are shown.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kafka/wire_types.h"

namespace millrace::kafka {

struct ApiRange {
  std::int16_t key;
  std::string_view name;
  VersionRange advertised;  // shown by ApiVersions; empty: the API is not shown
  VersionRange accepted;    // answered
};

/// One row for each API that has a table, by key.
std::span<const ApiRange> ApiRanges();

/// The row of an API, or nullptr if it has no table.
const ApiRange* FindApiRange(std::int16_t key);

}  // namespace millrace::kafka
