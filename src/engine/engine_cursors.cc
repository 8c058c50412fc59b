// Cursors: named places in partitions.
#include <algorithm>

#include "base/try.h"
#include "engine/engine_implementation.h"

namespace millrace {

Result<std::unique_ptr<Cursor>> Engine::Implementation::OpenCursor(const TopicPartition& partition,
                                                                   std::string_view name, ReadConsistency consistency) {
  MR_TRY(CheckOpen());
  MR_ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  MR_TRY(found->CheckAlive());  // of a broken one nobody knows the bounds a position is held to
  auto cursor = cursors_.Open(*found, name, consistency);
  events_.TellQueued();
  return cursor;
}

Result<std::vector<CursorDescription>> Engine::Implementation::ListCursors(std::string_view topic) {
  MR_TRY(CheckOpen());
  MR_ASSIGN_OR_RETURN(Topic * found, FindTopic(topic));
  std::vector<CursorDescription> cursors;
  for (Partition* partition : found->partitions()) {
    MR_ASSIGN_OR_RETURN(auto some, cursors_.List(*partition));
    std::ranges::move(some, std::back_inserter(cursors));
  }
  return cursors;
}

Result<void> Engine::Implementation::DeleteCursor(const TopicPartition& partition, std::string_view name) {
  MR_TRY(CheckOpen());
  MR_ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  MR_TRY(cursors_.Delete(*found, name));
  housekeeper_.Poke();  // what only this one kept may go
  return {};
}

}  // namespace millrace
