#include "engine/store_report.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "base/try.h"
#include "engine/closed_log.h"
#include "engine/store_at_url.h"
#include "meta/every_row.h"
#include "meta/home_catalog.h"
#include "tier/log_linking.h"
#include "tier/log_survey.h"

namespace millrace {
namespace {

constexpr std::size_t kListPage = 1'000;

Result<void> ListAll(ObjectStore& objects, const std::string& prefix, StoreAudit& audit) {
  std::string continuation;
  do {
    MR_ASSIGN_OR_RETURN(ObjectPage page, objects.List(prefix, continuation, kListPage));
    for (const ObjectDescription& listed : page.objects) audit.AddListed(listed);
    continuation = std::move(page.next);
  } while (!continuation.empty());
  return {};
}

/// A listing may leave something out: what it does not name is asked for before it is told to be missing.
Result<void> AskForUnlisted(ObjectStore& objects, StoreReport& report) {
  auto& found = report.account.found;
  for (auto finding = found.begin(); finding != found.end();) {
    const bool asks =
        (finding->kind == StoreFinding::Kind::kMissing || finding->kind == StoreFinding::Kind::kMissingClaim) &&
        !finding->key.contains(' ');
    const Result<ObjectDescription> head =
        asks ? objects.Head(finding->key) : Result<ObjectDescription>(Error(ErrorCode::kNotFound, "it has no key"));
    if (!head && head.error().code() != ErrorCode::kNotFound) return head.error();
    if (!head) {
      ++finding;
      continue;
    }
    ++report.unlisted;
    const bool whole =
        finding->kind == StoreFinding::Kind::kMissingClaim || head->size_bytes == finding->expected_bytes;
    if (whole) {
      finding = found.erase(finding);
      continue;
    }
    finding->kind = StoreFinding::Kind::kWrongSize;
    finding->size_bytes = head->size_bytes;
    ++finding;
  }
  return {};
}

template <class Rows>
void AddRows(const Rows& rows, StoreAudit& audit) {
  for (const auto& row : rows) audit.Add(row);
}

}  // namespace

Result<StoreReport> ReportLog(const EngineOptions& options) {
  MR_ASSIGN_OR_RETURN(const auto log, ClosedLog::Open(options, ClosedLog::Access::kLook, "a look at its store"));
  MetadataStore& metadata = log->metadata();
  MR_ASSIGN_OR_RETURN(const Generation held, HomeCatalog(metadata).Held());
  MR_ASSIGN_OR_RETURN(const std::uint32_t taken_over, HomeCatalog(metadata).TakenOver());
  const StoreKeys keys(log->layout().key_prefix, log->identity());
  StoreAudit audit(keys,
                   {.taken_over = taken_over, .held = held.number, .claims = log->components().objects_are_shared});
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  const auto add = [&](const auto& row) { audit.Add(row); };
  MR_TRY(EveryRow(metadata, TopicKey{TopicId(kLowest)}, add));
  MR_TRY(EveryRow(metadata, ObjectKey{}, add));
  MR_TRY(EveryRow(metadata, SegmentEndKey{{TopicId(kLowest), PartitionId(0)}, Offset(kLowest)}, add));
  MR_TRY(ListAll(*log->objects(), keys.prefix(), audit));
  StoreReport report{.identity = log->identity(), .home = log->components().home, .generation = held.number};
  if (report.home.empty()) report.home = log->objects()->Describe();
  report.account = audit.Finish();
  MR_TRY(AskForUnlisted(*log->objects(), report));
  MR_TRY(log->Close());
  return report;
}

Result<StoreReport> ReportStore(const std::string& url, const std::string& name_space) {
  MR_ASSIGN_OR_RETURN(const StoreAtUrl place, OpenStoreAtUrl(url, name_space));
  ObjectStore& objects = *place.objects;
  const std::string& prefix = place.key_prefix;
  const SurveyOptions survey{.key_prefix = prefix, .requests_at_once = 16, .on_progress = {}};
  MR_ASSIGN_OR_RETURN(const LogText log, ReadLogText(objects, prefix));
  const StoreKeys keys(prefix, log.identity);
  MR_ASSIGN_OR_RETURN(auto claims, ReadClaims(objects, survey, keys));
  if (claims.empty())
    return Error(ErrorCode::kUnsupported,
                 "nobody has claimed " + objects.Describe() + ": what lies there does not say what is in it",
                 "look at it from the log's directory (--data-dir)");
  MR_ASSIGN_OR_RETURN(const LogSurvey found, SurveyLog(objects, survey, log, std::move(claims)));
  const LinkedLog linked = LinkLog(found, place.machine.clock->WallMs());
  StoreReport report{.identity = log.identity,
                     .home = url,
                     .generation = found.newest().number,
                     .from_store_alone = true,
                     .account = {},
                     .snapshot_ms = found.snapshot ? found.snapshot->head.written_ms : 0};
  if (found.snapshot)
    for (const ObjectRow& row : found.snapshot->objects)
      report.snapshot_objects += row.state == ObjectState::kCommitted ? 1 : 0;
  report.unusable = found.unusable;
  report.behind_objects = found.objects.size();
  for (const FoundObject& object : found.objects) report.behind_bytes += object.size_bytes;
  StoreAudit audit(keys, {.taken_over = 0, .held = report.generation, .claims = true});
  AddRows(linked.topics, audit);
  AddRows(linked.objects, audit);
  AddRows(linked.segments, audit);
  MR_TRY(ListAll(objects, prefix, audit));
  report.account = audit.Finish();
  MR_TRY(AskForUnlisted(objects, report));
  return report;
}

}  // namespace millrace
