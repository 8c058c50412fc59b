#include "engine/log_collection.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/try.h"
#include "engine/closed_log.h"
#include "meta/segment_catalog.h"
#include "millrace/engine.h"
#include "tier/step_budget.h"

namespace millrace {
namespace {

constexpr std::size_t kAll = std::numeric_limits<int>::max();
constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();

/// What is given up and what is under way, as the rows have it.
Result<void> Look(MetadataStore& metadata, std::chrono::milliseconds grace, std::int64_t now_ms,
                  CollectionReport& report) {
  const SegmentCatalog catalog(metadata);
  MR_ASSIGN_OR_RETURN(auto given_up, catalog.ObjectsIn(ObjectState::kDeleting, kEver, kAll));
  MR_ASSIGN_OR_RETURN(const auto prepared, catalog.ObjectsIn(ObjectState::kPrepared, kEver, kAll));
  report.under_way = prepared.size();
  for (ObjectRow& object : given_up) {
    const std::int64_t due_ms = object.changed_ms + grace.count();
    if (due_ms <= now_ms) {
      report.due.push_back(std::move(object));
      continue;
    }
    report.waiting += 1;
    report.waiting_bytes += object.size_bytes;
    report.next_due_ms = report.next_due_ms == 0 ? due_ms : std::min(report.next_due_ms, due_ms);
  }
  return {};
}

Result<CollectionReport> LookAtLog(EngineOptions options) {
  MR_ASSIGN_OR_RETURN(const auto log, ClosedLog::Open(std::move(options), ClosedLog::Access::kLook, "a look at it"));
  CollectionReport report{.home = log->components().home};
  const auto grace = DeleteGrace(log->options(), log->components());
  MR_TRY(Look(log->metadata(), grace, log->components().clock->WallMs(), report));
  MR_TRY(log->Close());
  return report;
}

}  // namespace

/// Over an engine that nobody else has.
class LogCollection {
 public:
  explicit LogCollection(Engine& engine) : state_(Engine::State::Of(engine)) {}

  Result<CollectionReport> Run(std::optional<std::chrono::milliseconds> time_max) {
    MR_TRY(state_.CheckWritable());
    CollectionReport report{.home = state_.components_.home};
    const std::uint64_t deleted = state_.collector_.deleted(), snapshots = state_.snapshots_.count();
    const StepBudget budget(*state_.components_.clock, time_max.value_or(std::chrono::hours(24 * 365)));
    for (bool more = true; more;) {
      if (budget.over()) {
        report.finished = false;
        break;
      }
      ObjectCollector::Step step = state_.collector_.CollectStep();
      if (step.failure && !report.failure) report.failure = std::move(step.failure);
      more = step.more;
    }
    report.deleted = state_.collector_.deleted() - deleted;
    report.snapshots = state_.snapshots_.count() - snapshots;
    const auto grace = DeleteGrace(state_.options_, state_.components_);
    MR_TRY(Look(*state_.components_.metadata, grace, state_.time_.WallMs(), report));
    return report;
  }

 private:
  Engine::State& state_;
};

Result<CollectionReport> CollectLog(EngineOptions options, const CollectionOptions& collection) {
  options.create_if_missing = false;
  if (collection.dry_run) return LookAtLog(std::move(options));
  MR_ASSIGN_OR_RETURN(auto state, Engine::State::Open(std::move(options), collection.background, collection.random));
  const std::unique_ptr<Engine> engine = Engine::State::Wrap(std::move(state));
  auto report = LogCollection(*engine).Run(collection.time_max);
  auto closed = engine->Close();
  if (report && !closed) return closed.error();
  return report;
}

}  // namespace millrace
