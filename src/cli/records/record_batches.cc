#include "cli/records/record_batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "engine/partitioner.h"
#include "millrace/bytes.h"

namespace millrace {

namespace {

// Framing of a record and of a header in a batch, at the most: lengths, deltas, attributes.
constexpr std::uint64_t kRecordFraming = 20, kTimeFraming = 10, kHeaderFraming = 10, kBatchFraming = 64;

std::uint64_t PayloadBytes(const Record& record) {
  std::uint64_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const Header& header : record.headers) bytes += header.key.size() + (header.value ? header.value->size() : 0);
  return bytes;
}

std::uint64_t EncodedBytes(const Record& record) {
  return PayloadBytes(record) + kRecordFraming + (record.timestamp_ms == 0 ? 0 : kTimeFraming) +
         kHeaderFraming * record.headers.size();
}

}  // namespace

RecordBatches::RecordBatches(Options options, const LineOptions& lines)
    : options_(std::move(options)),
      fixed_(options_.partitions == 1 ? std::optional(PartitionId(0)) : options_.partition),
      lines_(lines),
      gathered_(static_cast<std::size_t>(
          std::max(options_.partitions, options_.partition ? options_.partition->value() + 1 : 1))),
      keyless_(options_.first_keyless % options_.partitions) {}

std::size_t RecordBatches::PartitionOf(const Record& record) {
  if (fixed_) return static_cast<std::size_t>(fixed_->value());
  if (record.key) return static_cast<std::size_t>(PartitionOfKey(AsBytes(*record.key), options_.partitions).value());
  keyless_used_ = true;
  return static_cast<std::size_t>(keyless_);
}

void RecordBatches::Forget() {
  for (Gathered& gathered : gathered_) gathered.count = gathered.bytes = 0;
  if (keyless_used_) keyless_ = (keyless_ + 1) % options_.partitions;
  keyless_used_ = false;
}

Result<RecordBatches::Taken> RecordBatches::Shorten(Record& record, LineCut cut) {
  const std::uint64_t payload = PayloadBytes(record);
  if (payload <= options_.bounds.record_bytes_max && cut == LineCut::kNo) return Taken::kYes;
  if (options_.on_long_line == OnLongLine::kFail) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the record is {} bytes long{}, and one may have {}", payload,
                    cut == LineCut::kYes ? " or more" : "", options_.bounds.record_bytes_max),
        fmt::format("Leave such lines out with --on-long-line skip, or cut them with --on-long-line truncate{}{}.",
                    options_.raise_limit.empty() ? "" : "; ", options_.raise_limit));
  }
  if (long_lines_.count++ == 0) long_lines_.first = lines_taken_;
  if (options_.on_long_line == OnLongLine::kSkip) return Taken::kLeftOut;
  if (payload <= options_.bounds.record_bytes_max) return Taken::kYes;
  const std::uint64_t over = payload - options_.bounds.record_bytes_max;
  if (!record.value || record.value->size() < over) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("key and headers alone are longer than the {} bytes a record may have",
                             options_.bounds.record_bytes_max));
  }
  record.value->resize(record.value->size() - over);
  return Taken::kYes;
}

Result<RecordBatches::Taken> RecordBatches::Take(std::string_view line, LineCut cut) {
  if (auto parsed = ParseLine(line, lines_, spare_); !parsed) return parsed.error();
  MR_ASSIGN_OR_RETURN(const Taken whole, Shorten(spare_, cut));
  if (whole != Taken::kYes) return whole;
  const std::size_t partition = PartitionOf(spare_);
  Gathered& gathered = gathered_.at(partition);
  const std::uint64_t bytes = EncodedBytes(spare_);
  if (gathered.count > 0 && gathered.bytes + bytes + kBatchFraming > options_.bounds.batch_bytes_max)
    return Taken::kFull;
  if (gathered.count == gathered.records.size()) gathered.records.emplace_back();
  std::swap(gathered.records[gathered.count++], spare_);
  gathered.bytes += bytes;
  return Taken::kYes;
}

Result<void> RecordBatches::Fill(std::string_view& lines, std::size_t records_max) {
  Forget();
  for (std::size_t taken = 0; taken < records_max && !lines.empty(); ++taken) {
    std::size_t end = std::min(lines.find('\n'), lines.size());
    ++lines_taken_;
    auto result = Take(lines.substr(0, end), LineCut::kNo);
    if (!result) return result.error().WithContext(fmt::format("line {}", lines_taken_));
    if (*result == Taken::kFull) {  // it begins the next batch
      --lines_taken_;
      return {};
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return {};
}

Result<void> RecordBatches::FillCut(std::string_view line) {
  Forget();
  ++lines_taken_;
  // Half of a JSON line or of a pattern is none: only what is bytes from end to end can be cut.
  if (options_.on_long_line == OnLongLine::kSkip) {
    if (long_lines_.count++ == 0) long_lines_.first = lines_taken_;
    return {};
  }
  if (options_.on_long_line == OnLongLine::kTruncate && lines_.shape == LineOptions::Shape::kValue) {
    auto result = Take(line, LineCut::kYes);
    if (result) return {};
    return result.error().WithContext(fmt::format("line {}", lines_taken_));
  }
  const bool fail = options_.on_long_line == OnLongLine::kFail;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("line {}: it is longer than {} bytes{}", lines_taken_, line.size(),
                           fail ? "" : ", and cannot be cut where --json or -f says how to read it"),
               fail ? "Leave such lines out with --on-long-line skip, or cut them with --on-long-line truncate."
                    : "Leave such lines out with --on-long-line skip.");
}

std::vector<RecordBatches::Batch> RecordBatches::batches() const {
  std::vector<Batch> batches;
  for (std::size_t i = 0; i < gathered_.size(); ++i) {
    if (gathered_[i].count == 0) continue;
    batches.push_back({{options_.topic, PartitionId(static_cast<std::int32_t>(i))},
                       std::span(gathered_[i].records).first(gathered_[i].count),
                       gathered_[i].bytes});
  }
  return batches;
}

}  // namespace millrace
