#include "cli/record_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace millrace {

RecordBatches::RecordBatches(Engine& engine, std::string topic, std::int32_t partitions,
                             std::optional<PartitionId> partition, const LineOptions& lines)
    : engine_(engine),
      topic_(std::move(topic)),
      fixed_(partitions == 1 ? std::optional(PartitionId(0)) : partition),
      lines_(lines),
      gathered_(static_cast<std::size_t>(std::max(partitions, partition ? partition->value() + 1 : 1))) {}

Record& RecordBatches::Gathered::Next() {
  if (count == records.size()) records.emplace_back();
  return records[count++];
}

Result<std::size_t> RecordBatches::PartitionOf(const Record& record, std::optional<PartitionId>& keyless) {
  if (record.key) {
    MR_ASSIGN_OR_RETURN(PartitionId partition, engine_.PartitionFor(topic_, *record.key));
    return static_cast<std::size_t>(partition.value());
  }
  if (!keyless) {
    MR_ASSIGN_OR_RETURN(keyless, engine_.PartitionFor(topic_, std::nullopt));
  }
  return static_cast<std::size_t>(keyless->value());
}

Result<void> RecordBatches::Fill(std::string_view& lines, std::size_t records_max) {
  for (Gathered& gathered : gathered_) gathered.count = 0;
  std::optional<PartitionId> keyless;
  for (std::size_t taken = 0; taken < records_max && !lines.empty(); ++taken) {
    std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    ++lines_taken_;
    Gathered* all = fixed_ ? &gathered_[static_cast<std::size_t>(fixed_->value())] : nullptr;
    Record& record = all != nullptr ? all->Next() : spare_;
    if (auto parsed = ParseLine(line, lines_, record); !parsed) {
      if (all != nullptr) --all->count;
      return parsed.error().WithContext(fmt::format("line {}", lines_taken_));
    }
    if (fixed_) continue;
    MR_ASSIGN_OR_RETURN(std::size_t partition, PartitionOf(record, keyless));
    std::swap(gathered_.at(partition).Next(), spare_);
  }
  return {};
}

std::vector<RecordBatches::Batch> RecordBatches::batches() const {
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < gathered_.size(); ++i) {
    if (gathered_[i].count == 0) continue;
    batches.push_back({{topic_, PartitionId(static_cast<std::int32_t>(i))},
                       std::span(gathered_[i].records).first(gathered_[i].count)});
  }
  return batches;
}

}  // namespace millrace
