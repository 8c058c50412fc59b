// Which cursor a `cursor` verb means, and its entries as records to print.
#pragma once

#include <memory>
#include <string>

#include "cli/parse/command.h"
#include "millrace/cursor.h"
#include "millrace/engine.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

class Arguments;

struct CursorChoice {
  TopicPartition partition;
  std::string name;
  bool exists = false;
  Offset position;  // of one that exists
};

/// From TOPIC, CURSOR and -p. kNotFound for the topic or the partition.
Result<CursorChoice> ChooseCursor(Engine& engine, const Arguments& arguments);

/// kNotFound if there is no such cursor.
Result<void> RequireCursor(const CursorChoice& choice);

/// Says that it stood at `from`, where nothing is any more.
void NoteCorrected(Session& session, const CursorChoice& choice, Offset from, Offset to);

/// Opened; a note if that makes it, or if its position was gone.
Result<std::unique_ptr<Cursor>> OpenChosen(Session& session, Engine& engine, const CursorChoice& choice,
                                           ReadConsistency consistency);

/// The same entry as a view, for the verbs that print views.
Result<RecordView> ViewOf(const Record& record);

}  // namespace millrace
