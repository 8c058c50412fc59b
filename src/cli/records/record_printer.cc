#include "cli/records/record_printer.h"

#include "base/try.h"
#include "cli/records/record_json.h"

namespace millrace {

Result<RecordPrinter> RecordPrinter::Of(const Arguments& arguments) {
  RecordPrinter printer;
  printer.json_ = arguments.Has("--json");
  if (auto pattern = arguments.Text("--format")) {
    if (printer.json_) {
      return Error(ErrorCode::kInvalidArgument, "-f and --json each say how to print a record", "Keep one of them.");
    }
    MR_ASSIGN_OR_RETURN(printer.format_, RecordFormat::Parse(*pattern));
  }
  return printer;
}

void RecordPrinter::Append(std::string& out, const TopicPartition& partition, const RecordView& record) const {
  if (json_) {
    AppendRecordJson(out, partition, record);
  } else if (format_) {
    format_->Append(out, partition, record);
  } else {
    if (record.value) out += *record.value;
    out += '\n';
  }
}

}  // namespace millrace
