#include "meta/ownership.h"

#include <limits>
#include <utility>

#include "base/try.h"
#include "meta/find_row.h"
#include "meta/home_catalog.h"
#include "meta/metadata_rows.h"
#include "meta/topic_rules.h"

namespace millrace {
namespace {

constexpr EpochKey kFirstEpoch{{TopicId(std::numeric_limits<std::int64_t>::min()), PartitionId(0)}, LeaderEpoch(0)};

/// The rows of metadata as they are by now.
Result<void> ReadAgain(MetadataStore& store, std::vector<EpochGround>& grounds) {
  for (EpochGround& ground : grounds) {
    const PartitionKey key = ground.partition.key;
    MR_ASSIGN_OR_RETURN(const auto row, FindRow(store, key));
    if (!row) return PartitionNotFound(key);
    ground.partition = *row;
    MR_ASSIGN_OR_RETURN(ground.epochs, ScanRows(store, EpochKey{key, LeaderEpoch(0)},
                                                EpochKey{{key.topic, key.partition + 1}, LeaderEpoch(0)},
                                                std::numeric_limits<std::size_t>::max()));
  }
  return {};
}

}  // namespace

Result<std::string> Ownership::Identity() const {
  MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, StoreKey{std::string(kIdentityName)}));
  return row ? row->text : std::string();
}

Result<void> Ownership::SetIdentity(std::string_view identity, std::string_view home) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, StoreKey{std::string(kIdentityName)}));
    MR_ASSIGN_OR_RETURN(const auto present, FindRow(store_, StoreKey{std::string(kHomeName)}));
    MR_ASSIGN_OR_RETURN(Transition to, SetIdentityRule(row, identity));
    if (!home.empty()) PutStoreRow(to, present, {.name = std::string(kHomeName), .text = std::string(home)});
    return to;
  });
}

Result<PartitionRow> Ownership::AcquireEpoch(const PartitionKey& partition) const {
  PartitionRow acquired;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, partition));
    if (!row) return PartitionNotFound(partition);
    acquired = *row;
    return AcquireEpochRule(acquired);
  }));
  return acquired;
}

Result<std::int64_t> Ownership::TakeProducerBlock(std::string_view by) const {
  std::int64_t block = 0;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto taken, FindRow(store_, StoreKey{std::string(kProducerBlockName)}));
    return TakeProducerBlockRule(taken, by, block);
  }));
  return block;
}

Result<std::vector<EpochRow>> Ownership::Epochs() const {
  return ScanRows(store_, kFirstEpoch, EndOfTable{}, std::numeric_limits<std::size_t>::max());
}

Result<void> Ownership::RaiseEpochs(std::vector<EpochGround>& grounds) const {
  std::vector<EpochGround> raised;
  bool first = true;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    if (!std::exchange(first, false)) MR_TRY(ReadAgain(store_, grounds));
    raised = grounds;
    Transition to;
    for (EpochGround& ground : raised) RaiseEpochRule(to, ground);
    return to;
  }));
  grounds = std::move(raised);
  return {};
}

}  // namespace millrace
