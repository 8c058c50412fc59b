#include "meta/ownership.h"

#include "base/try.h"
#include "meta/find_row.h"
#include "meta/metadata_rows.h"
#include "meta/topic_rules.h"

namespace millrace {

Result<std::string> Ownership::Identity() const {
  MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, StoreKey{std::string(kIdentityName)}));
  return row ? row->text : std::string();
}

Result<void> Ownership::SetIdentity(std::string_view identity) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, StoreKey{std::string(kIdentityName)}));
    return SetIdentityRule(row, identity);
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

}  // namespace millrace
