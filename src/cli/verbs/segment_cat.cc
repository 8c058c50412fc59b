#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/records/record_printer.h"
#include "cli/verbs/commands.h"
#include "inspect/file_bytes.h"
#include "inspect/segment_audit.h"
#include "inspect/segment_inspection.h"
#include "record/record_batch_view.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

/// A segment in memory.
class SegmentBytes : public BlockSource {
 public:
  explicit SegmentBytes(SharedBytes bytes) : bytes_(std::move(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override {
    if (range.offset > bytes_.size() || range.length > bytes_.size() - range.offset) {
      return Error(ErrorCode::kCorruption, "the segment ends too early");
    }
    return bytes_.Slice(range.offset, range.length);
  }

 private:
  const SharedBytes bytes_;
};

Result<void> PrintSegment(Session& session, const RecordPrinter& printer, BlockSource& source, std::uint64_t size_bytes,
                          TopicPartition partition) {
  MR_ASSIGN_OR_RETURN(auto index, SegmentIndex::Load(source, size_bytes));
  if (partition.topic.empty()) {
    partition = {fmt::format("{}", index->partition().topic.value()), index->partition().partition};
  }
  std::vector<RecordView> records;
  for (const SegmentBlock& block : index->blocks()) {
    if (session.out.stopped()) return {};
    MR_ASSIGN_OR_RETURN(SharedBytes stored, source.Fetch({block.byte_begin, block.stored_bytes}));
    MR_ASSIGN_OR_RETURN(SharedBytes raw, OpenBlock(block, stored));
    MR_ASSIGN_OR_RETURN(std::vector<SharedBytes> batches, SplitBatches(raw, Offset(0)));
    records.clear();
    for (const SharedBytes& batch : batches) MR_TRY(DecodeRecords(batch, {}, records));
    for (const RecordView& record : records) {
      printer.Append(session.out.buffer(), partition, record);
      session.out.Written();
    }
  }
  return {};
}

Result<void> CatFile(Session& session, const RecordPrinter& printer, const std::string& path) {
  MR_ASSIGN_OR_RETURN(SharedBytes bytes, ReadWholeFile(path));
  for (const SegmentExtent& extent : FindSegments(bytes)) {
    SegmentBytes source(bytes.Slice(extent.begin, extent.end - extent.begin));
    auto printed = PrintSegment(session, printer, source, extent.end - extent.begin, {});
    if (!printed) {
      return printed.error().WithContext(fmt::format("{}, segment at bytes [{}, {})", path, extent.begin, extent.end));
    }
  }
  return {};
}

Result<void> CatObject(Session& session, const RecordPrinter& printer, const std::string& key) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, OpenEngine(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine->DescribeTopics());
  bool found = false;
  for (const TopicDescription& topic : topics) {
    MR_ASSIGN_OR_RETURN(std::vector<SegmentDescription> segments, SegmentsOf(*engine, topic));
    for (const SegmentDescription& segment : segments) {
      if (segment.object != key) continue;
      found = true;
      StoredSegment source(*engine, segment);
      auto printed = PrintSegment(session, printer, source, segment.byte_size, segment.partition);
      if (!printed) return printed.error().WithContext(fmt::format("object {}", key));
    }
  }
  if (!found) {
    return Error(ErrorCode::kNotFound, fmt::format("{} is neither a file nor an object with a segment in it", key),
                 "`millrace segment ls TOPIC` lists the objects.");
  }
  return CloseEngine(*engine);
}

Result<ExitCode> Run(Session& session) {
  std::string object = session.arguments.Positional("OBJECT");
  MR_ASSIGN_OR_RETURN(RecordPrinter printer, RecordPrinter::Of(session.arguments));
  std::error_code ignored;
  bool is_file = std::filesystem::is_regular_file(object, ignored);
  auto printed = is_file ? CatFile(session, printer, object) : CatObject(session, printer, object);
  MR_TRY(std::move(printed));
  return ExitCode::kOk;
}

}  // namespace

Command SegmentCatCommand() {
  return {
      .words = "segment cat",
      .summary = "Print the records of an object",
      .log_flags = LogFlags::kEngine,
      .positionals = {{"OBJECT", "a file, or the name of an object as segment ls prints it"}},
      .flags =
          {
              {"-f,--format", "PATTERN", "as in consume"},
              {"--json", "", "a line of JSON for each record; errors are JSON too"},
          },
      .details = "A file needs no log around it; its topic is then shown by number.",
      .run = Run,
  };
}

}  // namespace millrace
