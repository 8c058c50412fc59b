// Cursors: named places in partitions.
#include <algorithm>

#include "base/try.h"
#include "engine/front_door.h"

namespace millrace {

Result<std::unique_ptr<Cursor>> Engine::OpenCursor(const TopicPartition& partition, std::string_view name,
                                                   ReadConsistency consistency) noexcept {
  return Changing(*state_, [&](State& state) -> Result<std::unique_ptr<Cursor>> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    MR_TRY(found->CheckAlive());  // of a broken one the bounds of a position are unknown
    auto cursor = state.cursors_.Open(*found, name, consistency);
    state.events_.TellQueued();
    return cursor;
  });
}

Result<std::vector<CursorDescription>> Engine::ListCursors(std::string_view topic) noexcept {
  return Inside(*state_, [&](State& state) -> Result<std::vector<CursorDescription>> {
    MR_ASSIGN_OR_RETURN(Topic * found, state.FindTopic(topic));
    std::vector<CursorDescription> cursors;
    for (Partition* partition : found->partitions()) {
      MR_ASSIGN_OR_RETURN(auto some, state.cursors_.List(*partition));
      std::ranges::move(some, std::back_inserter(cursors));
    }
    return cursors;
  });
}

Result<void> Engine::DeleteCursor(const TopicPartition& partition, std::string_view name) noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    MR_TRY(state.cursors_.Delete(*found, name));
    state.housekeeper_.Poke();  // what only this one kept may go
    return {};
  });
}

}  // namespace millrace
