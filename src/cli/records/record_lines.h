// From a line of input to a record, by the flags of `produce`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/parse/arguments.h"
#include "cli/records/record_format.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

struct LineOptions {
  enum class Shape { kValue, kFormat, kJson };
  Shape shape = Shape::kValue;
  std::optional<RecordFormat> format;        // kFormat
  std::optional<std::string> key_separator;  // kValue: what stands before it is the key; without it the key is null
  std::optional<std::string> key;            // of every record that has none of its own
  std::optional<std::string> null_value;     // a value that reads like this is null
  std::vector<Header> headers;               // after the record's own
};

/// From -k, --key-separator, -H, -f, --json and --null. kInvalidArgument for flags that exclude each other.
Result<LineOptions> LineOptionsOf(const Arguments& arguments);

/// Fills `record`, reusing its memory. `line` is without its newline; CR stays. kInvalidArgument if the line does not
/// fit the shape.
Result<void> ParseLine(std::string_view line, const LineOptions& options, Record& record);

}  // namespace millrace
