#include "cli/verbs/cursor_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/verbs/topics.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

std::string PlaceOf(const CursorChoice& choice) {
  return fmt::format("cursor {} of {}/{}", choice.name, choice.partition.topic, choice.partition.partition.value());
}

}  // namespace

Result<CursorChoice> ChooseCursor(Engine& engine, const Arguments& arguments) {
  CursorChoice choice;
  choice.name = arguments.Positional("CURSOR");
  MR_ASSIGN_OR_RETURN(const auto only, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(const TopicDescription topic, FindTopic(engine, arguments.Positional("TOPIC")));
  MR_ASSIGN_OR_RETURN(const auto partitions, PartitionsOf(topic, only.value_or(0)));
  choice.partition = partitions.front();
  MR_ASSIGN_OR_RETURN(const auto cursors, engine.ListCursors(topic.name));
  const auto found = std::ranges::find_if(cursors, [&](const CursorDescription& cursor) {
    return cursor.partition == choice.partition && cursor.name == choice.name;
  });
  choice.exists = found != cursors.end();
  if (choice.exists) choice.position = found->position;
  return choice;
}

Result<void> RequireCursor(const CursorChoice& choice) {
  if (choice.exists) return {};
  return Error(
      ErrorCode::kNotFound,
      fmt::format("{}/{} has no cursor {}", choice.partition.topic, choice.partition.partition.value(), choice.name),
      "`millrace cursor ls` lists what there is.");
}

void NoteCorrected(Session& session, const CursorChoice& choice, Offset from, Offset to) {
  session.Note(fmt::format("{} was at offset {}, which is not there any more: going on at {}", PlaceOf(choice),
                           from.value(), to.value()));
}

Result<std::unique_ptr<Cursor>> OpenChosen(Session& session, Engine& engine, const CursorChoice& choice,
                                           ReadConsistency consistency) {
  MR_ASSIGN_OR_RETURN(auto cursor, engine.OpenCursor(choice.partition, choice.name, consistency));
  if (!choice.exists) session.Note("made " + PlaceOf(choice));
  if (const auto from = cursor->CorrectedFrom()) NoteCorrected(session, choice, *from, cursor->Position());
  return cursor;
}

Result<RecordView> ViewOf(const Record& record) {
  BatchBuildOptions options;
  options.record_bytes_max = options.batch_bytes_max = UINT32_MAX;
  MR_ASSIGN_OR_RETURN(Buffer batch, BuildRecordBatch({&record, 1}, options));
  std::vector<RecordView> views;
  MR_TRY(DecodeRecords(std::move(batch).Freeze(), {.decoded_bytes_max = UINT32_MAX}, views));
  views.front().offset = record.offset;
  views.front().timestamp_ms = record.timestamp_ms;
  return std::move(views.front());
}

}  // namespace millrace
