#include "engine/log_release.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "meta/home_catalog.h"
#include "millrace/engine.h"

namespace millrace {

/// Over an engine that nobody else has.
class LogRelease {
 public:
  LogRelease(Engine& engine, const ReleaseOptions& options)
      : engine_(engine), state_(Engine::State::Of(engine)), options_(options) {}

  Result<ReleaseReport> Run() {
    const HomeCatalog home(*state_.components_.metadata);
    MR_TRY(CheckLeavable());
    MR_TRY(Describe());
    MR_ASSIGN_OR_RETURN(const auto parting, home.Parted());
    if (parting && parting->why != Why())
      return Error(ErrorCode::kFenced, parting->why, "let that come to its end first");
    if (parting && parting->state == Parting::State::kDone) {
      MR_ASSIGN_OR_RETURN(const Generation held, home.Held());
      report_.generation = held.number;
      report_.already = true;
      return std::move(report_);
    }
    if (!parting) MR_TRY(state_.CheckWritable());
    if (options_.dry_run) return std::move(report_);
    if (!parting) {
      MR_TRY(engine_.Upload());
      MR_TRY(CheckAllUploaded());
      MR_TRY(home.SetParting({.state = Parting::State::kBegun, .why = Why()}));
    }
    MR_TRY(state_.claim_.Release());
    MR_TRY(state_.snapshots_.Put());
    MR_TRY(home.SetParting({.state = Parting::State::kDone, .why = Why()}));
    report_.generation = state_.claim_.generation().number;
    return std::move(report_);
  }

 private:
  [[nodiscard]] std::string Why() const {
    return fmt::format("this log was released: it goes on where it is restored from {}", report_.home);
  }

  Result<void> CheckLeavable() {
    report_.identity = state_.identity_;
    report_.home = state_.components_.home.empty() ? state_.objects_->Describe() : state_.components_.home;
    if (state_.claim_.claims()) return {};
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the objects of this log lie in its directory ({}): nobody else could go on with it", report_.home),
        "`millrace store move --to URL` first");
  }

  Result<void> Describe() {
    report_.pending_bytes = engine_.Stats().upload_pending_bytes;
    MR_ASSIGN_OR_RETURN(const auto topics, engine_.DescribeTopics());
    for (const TopicDescription& topic : topics) {
      MR_ASSIGN_OR_RETURN(const auto cursors, engine_.ListCursors(topic.name));
      report_.topics += 1;
      report_.partitions += topic.partitions.size();
      report_.cursors += cursors.size();
    }
    return {};
  }

  Result<void> CheckAllUploaded() {
    std::optional<Error> left;
    state_.registry_.ForEach([&](TieredPartition& partition) {
      const PartitionLog& log = partition.log();
      const std::string name = fmt::format("{}/{}", log.name().topic, log.name().partition.value());
      if (const auto broken = log.broken()) left = broken->WithContext(name);
      const PartitionOffsets at = log.offsets();
      if (!left && at.tiered_end < at.log_end)
        left = Error(ErrorCode::kUnavailable,
                     fmt::format("{} has offsets {} to {} that are not in the object store", name,
                                 at.tiered_end.value(), at.log_end.value()),
                     "try again");
    });
    return left ? Result<void>(*left) : Result<void>();
  }

  Engine& engine_;
  Engine::State& state_;
  const ReleaseOptions& options_;
  ReleaseReport report_;
};

Result<ReleaseReport> ReleaseLog(EngineOptions options, const ReleaseOptions& release) {
  options.create_if_missing = false;
  MR_ASSIGN_OR_RETURN(auto state, Engine::State::Open(std::move(options), release.background, release.random));
  const std::unique_ptr<Engine> engine = Engine::State::Wrap(std::move(state));
  auto report = LogRelease(*engine, release).Run();
  auto closed = engine->Close();
  if (report && !closed) return closed.error();
  return report;
}

}  // namespace millrace
