#include "engine/log_move.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/try.h"
#include "engine/closed_log.h"
#include "meta/every_row.h"
#include "meta/home_catalog.h"
#include "store/open_object_store.h"
#include "store/retrying_object_store.h"
#include "tier/log_snapshots.h"
#include "tier/log_survey.h"
#include "tier/object_transfer.h"
#include "tier/snapshot_format.h"
#include "tier/store_claim.h"

namespace millrace {
namespace {

constexpr std::size_t kListPage = 1'000;

std::string HostName() {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  return host;
}

/// Where the segments of each object lie in it.
class SegmentPlaces {
 public:
  void Add(const SegmentRow& segment) {
    if (!segment.is_gap()) places_.push_back({segment.object, {segment.byte_begin, segment.byte_size}});
  }
  void Sort() { std::ranges::sort(places_, {}, &Place::object); }
  [[nodiscard]] std::vector<ByteRange> In(const ObjectId& object) const {
    std::vector<ByteRange> ranges;
    for (const Place& place : std::ranges::equal_range(places_, object, {}, &Place::object))
      ranges.push_back(place.range);
    return ranges;
  }

 private:
  struct Place {
    ObjectId object;
    ByteRange range;
  };
  std::vector<Place> places_;
};

class Move {
 public:
  Move(ClosedLog& log, const MoveOptions& options, std::shared_ptr<ObjectStore> to, Random& random)
      : log_(log),
        options_(options),
        to_(std::move(to)),
        random_(random),
        home_(log.metadata()),
        keys_(log.layout().key_prefix, log.identity()),
        to_is_shared_(options.to_objects || IsShared(options.to, log.layout())),
        claim_({.claims = log.components().objects_are_shared,
                .single_writer = IsSingleWriter(log.components().home),
                .host = HostName(),
                .marker = MarkOf(log),
                .went_further = {},
                .on_fenced = {}},
               keys_, *log.objects(), log.metadata(), *log.components().clock, random) {}

  Result<MoveReport> Run() {
    report_.identity = log_.identity();
    report_.from = log_.objects()->Describe();
    report_.to = to_->Describe();
    MR_ASSIGN_OR_RETURN(const std::string home, home_.Home());
    if (home == options_.to) {
      report_.already = true;
      return std::move(report_);
    }
    MR_TRY(CheckOurs());
    MR_TRY(CheckVacant());
    if (!options_.dry_run)
      MR_TRY(PutLogText(*to_, keys_, LogTextToPut(), !to_is_shared_ || IsSingleWriter(options_.to)));
    MR_TRY(CopyObjects());
    if (options_.dry_run) return std::move(report_);
    MR_ASSIGN_OR_RETURN(const Generation next, BeginParting());
    if (to_is_shared_) MR_TRY(ClaimThere(next));
    MR_TRY(LeaveHere(next));
    MR_TRY(home_.Settle(options_.to, next));
    report_.generation = next.number;
    return std::move(report_);
  }

 private:
  static std::string MarkOf(const ClosedLog& log) {
    const auto mark = log.components().file_system->FileMark(log.layout().marker);
    return mark ? *mark : std::string();
  }
  [[nodiscard]] std::string Why() const {
    return fmt::format("a move of this log to {} has not come to its end: run `millrace store move --to {}` again",
                       to_->Describe(), options_.to);
  }

  /// A copy of a directory moves nothing, nor does one whose log went on elsewhere.
  Result<void> CheckOurs() {
    if (report_.from == report_.to)
      return Error(ErrorCode::kInvalidArgument, fmt::format("the log lives at {} already", report_.from),
                   "`millrace store adopt URL` if its address has changed");
    MR_ASSIGN_OR_RETURN(const auto parting, home_.Parted());
    resumed_ = parting && parting->why == Why();
    if (resumed_) return {};
    if (parting) return Error(ErrorCode::kFenced, parting->why, "let that come to its end first");
    MR_TRY(claim_.LoadFence());
    if (const auto fenced = claim_.fenced()) return *fenced;
    MR_ASSIGN_OR_RETURN(const Generation held, home_.Held());
    if (!claim_.claims() || held.number == 0) return {};
    MR_ASSIGN_OR_RETURN(bool last, HoldsClaim(*log_.objects(), keys_, held));
    MR_ASSIGN_OR_RETURN(const auto pending, home_.Pending());
    if (!last && pending) {  // of a process that died while it claimed
      MR_ASSIGN_OR_RETURN(last, HoldsClaim(*log_.objects(), keys_, *pending));
    }
    if (last) return {};
    return Error(ErrorCode::kFenced,
                 fmt::format("the log at {} went on elsewhere, or is another one: its last claim is not that of this "
                             "directory",
                             report_.from),
                 "move it from the directory that goes on with it");
  }

  /// Of another log there must be nothing, of this one nothing but what an earlier try left.
  Result<void> CheckVacant() {
    const auto log = ReadLogText(*to_, log_.layout().key_prefix);
    if (!log && log.error().code() == ErrorCode::kNotFound) return {};
    if (!log) return log.error();
    if (log->identity != log_.identity())
      return Error(ErrorCode::kAlreadyExists,
                   fmt::format("there is another log at {}: {}", to_->Describe(), log->identity),
                   "name another prefix");
    MR_ASSIGN_OR_RETURN(const auto pending, home_.Pending());
    MR_ASSIGN_OR_RETURN(const ObjectPage claims, to_->List(keys_.Claims(), "", kListPage));
    for (const ObjectDescription& listed : claims.objects) {
      const auto number = keys_.ClaimIn(listed.key);
      if (number && (!pending || *number != pending->number))
        return Error(ErrorCode::kAlreadyExists,
                     fmt::format("this log has been at {} before (claim {})", to_->Describe(), *number),
                     "name another prefix: claims are never deleted");
    }
    return {};
  }

  [[nodiscard]] LogText LogTextToPut() const {
    return {.identity = log_.identity(), .made_ms = log_.components().clock->WallMs(), .host = HostName()};
  }

  Result<std::map<std::string, std::uint64_t>> ListThere() {
    std::map<std::string, std::uint64_t> there;
    std::string continuation;
    do {
      MR_ASSIGN_OR_RETURN(ObjectPage page, to_->List(keys_.prefix(), continuation, kListPage));
      for (ObjectDescription& listed : page.objects) there.emplace(std::move(listed.key), listed.size_bytes);
      continuation = std::move(page.next);
    } while (!continuation.empty());
    return there;
  }

  Result<void> CopyObjects() {
    SegmentPlaces places;
    std::vector<ObjectRow> objects;
    constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
    MR_TRY(EveryRow(log_.metadata(), SegmentEndKey{{TopicId(kLowest), PartitionId(0)}, Offset(kLowest)},
                    [&](const SegmentRow& segment) { places.Add(segment); }));
    places.Sort();
    MR_TRY(EveryRow(log_.metadata(), ObjectKey{}, [&](const ObjectRow& object) {
      if (object.state == ObjectState::kCommitted) objects.push_back(object);
    }));
    MR_ASSIGN_OR_RETURN(const auto there, ListThere());
    MoveProgress progress{.all = objects.size()};
    for (const ObjectRow& object : objects) {
      report_.objects += 1;
      report_.bytes += object.size_bytes;
      const auto present = there.find(object.key);
      if (present == there.end() || present->second != object.size_bytes) MR_TRY(CopyObject(object, places));
      progress.done += 1;
      progress.bytes = report_.copied_bytes;
      if (options_.on_progress && !options_.dry_run) options_.on_progress(progress);
    }
    return {};
  }

  Result<void> CopyObject(const ObjectRow& object, const SegmentPlaces& places) {
    if (!options_.dry_run) {
      MR_ASSIGN_OR_RETURN(const ObjectTransfer transfer,
                          TransferObject(*log_.objects(), *to_, object, places.In(object.id)));
      if (!transfer.damage.empty()) report_.damaged.push_back(object.key);
      if (transfer.missing) {
        report_.missing.push_back(object.key);
        return {};
      }
    }
    report_.copied += 1;
    report_.copied_bytes += object.size_bytes;
    return {};
  }

  /// Nobody appends from here on. The claim is known to metadata before anybody else sees it: a try that comes after
  /// this one goes on under the same.
  Result<Generation> BeginParting() {
    MR_ASSIGN_OR_RETURN(const auto pending, home_.Pending());
    if (resumed_ && pending) return *pending;
    MR_ASSIGN_OR_RETURN(Generation held, home_.Held());
    if (pending && claim_.claims()) {  // of a process that died while it claimed: it has it, or never will
      MR_ASSIGN_OR_RETURN(const bool came, HoldsClaim(*log_.objects(), keys_, *pending));
      if (came) {
        MR_TRY(home_.Hold(*pending));
        held = *pending;
      }
    }
    const Generation next{.number = held.number + 1, .nonce = static_cast<std::uint32_t>(random_.Next())};
    MR_TRY(home_.SetParting({.state = Parting::State::kBegun, .why = Why()}, next));
    return next;
  }

  /// The snapshot first: whoever sees the claim has all of the log.
  Result<void> ClaimThere(const Generation& next) {
    if (claim_.claims()) MR_TRY(CheckStillOurs());
    MR_ASSIGN_OR_RETURN(const auto change, log_.metadata().Commit({}, {}));
    const std::int64_t now_ms = log_.components().clock->WallMs();
    SnapshotBuilder builder({.identity = StoredIdOf(log_.identity()),
                             .generation = next.number,
                             .nonce = next.nonce,
                             .change = change ? change->value() : 0,
                             .settled = 0,
                             .written_ms = now_ms});
    MR_TRY(AddSnapshotRows(log_.metadata(), builder));
    const std::string snapshot = keys_.Snapshot({.generation = next.number, .nonce = next.nonce});
    MR_TRY(to_->Put(snapshot, builder.Finish(), PutMode::kOverwrite));
    MR_ASSIGN_OR_RETURN(const bool ours, PutClaimText(*to_, keys_,
                                                      {.identity = log_.identity(),
                                                       .generation = next.number,
                                                       .nonce = next.nonce,
                                                       .how = ClaimText::How::kComesFrom,
                                                       .place = report_.from,
                                                       .host = HostName(),
                                                       .at_ms = now_ms}));
    if (ours) return {};
    return Error(ErrorCode::kAlreadyExists,
                 fmt::format("this log has been at {} before (claim {})", to_->Describe(), next.number),
                 "name another prefix: claims are never deleted");
  }

  /// Before anything at the new place says that the log is there.
  Result<void> CheckStillOurs() {
    MR_ASSIGN_OR_RETURN(const Generation held, home_.Held());
    if (held.number == 0) return {};
    MR_ASSIGN_OR_RETURN(const auto pending, home_.Pending());
    MR_ASSIGN_OR_RETURN(const bool last, HoldsClaim(*log_.objects(), keys_, held));
    if (last) return {};
    // The next one may be our own, of a try that came so far; if it is not, this says so.
    return pending ? claim_.Leave(*pending, report_.to) : Result<void>();
  }

  Result<void> LeaveHere(const Generation& next) {
    if (!claim_.claims()) return {};
    return claim_.Leave(next, report_.to);
  }

  ClosedLog& log_;
  const MoveOptions& options_;
  const std::shared_ptr<ObjectStore> to_;
  Random& random_;
  const HomeCatalog home_;
  const StoreKeys keys_;
  const bool to_is_shared_;
  StoreClaim claim_;
  bool resumed_ = false;  // a move to this place has begun before
  MoveReport report_;
};

Result<std::shared_ptr<ObjectStore>> OpenThere(const MoveOptions& move, const ClosedLog& log, Random& random) {
  const Components& machine = log.components();
  if (move.to == "memory:") return Error(ErrorCode::kInvalidArgument, "a log in memory: is gone with its process");
  std::shared_ptr<ObjectStore> store = move.to_objects;
  if (!store) {
    MR_ASSIGN_OR_RETURN(
        store, OpenObjectStore(move.to, log.layout().root, *machine.file_system, *machine.clock, *machine.random));
  }
  return std::make_shared<RetryingObjectStore>(std::move(store), RetryOptions{}, *machine.clock, random);
}

}  // namespace

Result<MoveReport> MoveLog(EngineOptions options, const MoveOptions& move) {
  if (!move.to_objects) MR_TRY(ObjectStoreKindOf(move.to));
  if (options.object_store == move.to) options.object_store.clear();  // it is not the home yet
  const auto access = move.dry_run ? ClosedLog::Access::kLook : ClosedLog::Access::kChange;
  MR_ASSIGN_OR_RETURN(const auto log, ClosedLog::Open(std::move(options), access, "a move"));
  Random& random = move.random ? *move.random : *log->components().random;
  MR_ASSIGN_OR_RETURN(auto to, OpenThere(move, *log, random));
  auto report = Move(*log, move, std::move(to), random).Run();
  auto closed = log->Close();
  if (report && !closed) return closed.error();
  return report;
}

}  // namespace millrace
