// How `consume`, `tail` and `segment cat` print a record.
#pragma once

#include <optional>
#include <string>

#include "cli/parse/arguments.h"
#include "cli/records/record_format.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// Value and newline, or by -f, or as JSON.
class RecordPrinter {
 public:
  /// From -f and --json. kInvalidArgument for both.
  static Result<RecordPrinter> Of(const Arguments& arguments);

  void Append(std::string& out, const TopicPartition& partition, const RecordView& record) const;

 private:
  bool json_ = false;
  std::optional<RecordFormat> format_;
};

}  // namespace millrace
