// Leader epochs as an engine opens. One stays as long as the engine is open: a new one begins only where an end of the
// log may be lost that readers or producers knew, so after every opening that found no clean close, and before any
// append.
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "engine/engine_state.h"
#include "meta/ownership.h"

namespace millrace {
namespace {

/// Its rows among those of all partitions, which are in order.
std::vector<EpochRow> RowsOf(const PartitionKey& partition, std::span<const EpochRow> rows) {
  const auto own = std::ranges::equal_range(rows, partition, {}, &EpochRow::partition);
  return {own.begin(), own.end()};
}

}  // namespace

Result<void> Engine::State::StartEpochs() {
  MR_ASSIGN_OR_RETURN(const auto rows, Ownership(*components_.metadata).Epochs());
  std::vector<Partition*> partitions;
  std::vector<EpochGround> grounds;
  for (Topic* topic : registry_.Topics())
    for (Partition* partition : topic->partitions()) {
      if (!partition->CheckAlive()) continue;  // broken: where it ends is not known, and it takes no appends
      partitions.push_back(partition);
      grounds.push_back({.partition = partition->row(),
                         .epochs = RowsOf(partition->key(), rows),
                         .log_end = partition->log().offsets().log_end,
                         .seen = partition->log().recovered_epoch()});
    }
  const bool clean = wal_.recovery().clean_close;
  if (!clean && !options_.read_only && !grounds.empty()) MR_TRY(RaiseEpochs(grounds));
  for (std::size_t i = 0; i < partitions.size(); ++i)
    partitions[i]->StartEpochs(grounds[i].partition, grounds[i].epochs);
  return {};
}

/// A full disk does not keep a log from being opened and read: then the epochs stay, and the next opening raises them,
/// since this one leaves no word of a clean close.
Result<void> Engine::State::RaiseEpochs(std::vector<EpochGround>& grounds) {
  auto raised = Ownership(*components_.metadata).RaiseEpochs(grounds);
  if (raised || raised.error().code() != ErrorCode::kOutOfSpace) return raised;
  epochs_owed_ = true;
  events_.Tell({.kind = EventKind::kUpkeepFailing,
                .message = "the leader epochs of partitions could not rise after an opening without a clean close",
                .error = raised.error()});
  return {};
}

}  // namespace millrace
