#include "meta/transition.h"

#include <map>
#include <string>

#include "base/bugs.h"
#include "base/try.h"
#include "meta/row_codec.h"

namespace millrace {
namespace {

/// Each attempt that is refused means that another writer went on; so many in a row is more than chance.
constexpr int kAttemptsMax = 100;
/// Commits without an answer: what fails twice fails for longer than a call should wait.
constexpr int kUnknownMax = 2;

bool IsCertain(ErrorCode code) {
  return code == ErrorCode::kClosed || code == ErrorCode::kInvalidArgument || code == ErrorCode::kCorruption;
}

/// Whether the rows are as `writes` leave them. Of several writes to a key the last counts.
Result<bool> AreAsWritten(MetadataStore& store, const std::vector<MetadataWrite>& writes) {
  std::map<std::string, const MetadataWrite*> last;
  for (const MetadataWrite& write : writes) last[EncodeKey(KeyOf(write.row))] = &write;
  std::vector<MetadataKey> keys;
  keys.reserve(last.size());
  for (const auto& [bytes, write] : last) keys.push_back(KeyOf(write->row));
  MR_ASSIGN_OR_RETURN(const auto rows, store.Get(keys));
  auto row = rows.begin();
  for (const auto& [bytes, write] : last) {
    const bool erased = write->kind == MetadataWrite::Kind::kErase;
    if (erased ? row->has_value() : *row != write->row) return false;
    ++row;
  }
  return true;
}

}  // namespace

Result<void> CarryOut(MetadataStore& store, const TransitionPlan& plan) {
  EarlierAttempt earlier = EarlierAttempt::kNone;
  int unknown = 0;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    MR_ASSIGN_OR_RETURN(const Transition transition, plan(earlier));
    if (transition.writes.empty()) return {};
    const auto committed = store.Commit(transition.expected, transition.writes);
    if (committed && *committed) return {};
    if (committed) continue;
    if (IsCertain(committed.error().code()) || Planted(Bug::kMetaOutcomeGuessed)) return committed.error();
    const auto written = AreAsWritten(store, transition.writes);
    if (!written) return committed.error();
    if (*written) return {};
    if (++unknown == kUnknownMax) return committed.error();
    earlier = EarlierAttempt::kUnknown;
  }
  return Error(ErrorCode::kUnavailable, "metadata: the rows kept changing under a commit");
}

}  // namespace millrace
