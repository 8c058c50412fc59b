#include "tier/log_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <set>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/try.h"
#include "env/thread_pool.h"
#include "millrace/request_scope.h"
#include "tier/object_tail.h"

namespace millrace {
namespace {

constexpr std::size_t kListPage = 1'000;
constexpr std::uint64_t kNumbersBehind = 64;  // asked for behind the last one listed
constexpr int kReadsMax = 3;
constexpr std::uint32_t kSnapshotsBehind = 4;
constexpr std::size_t kSnapshotsTried = 3;  // before all objects are looked at
constexpr std::uint64_t kPieceBytes = 8 << 20;

Result<std::vector<ObjectDescription>> ListAll(ObjectStore& objects, const std::string& prefix) {
  std::vector<ObjectDescription> all;
  std::string continuation;
  do {
    MR_ASSIGN_OR_RETURN(ObjectPage page, objects.List(prefix, continuation, kListPage));
    std::ranges::move(page.objects, std::back_inserter(all));
    continuation = std::move(page.next);
  } while (!continuation.empty());
  return all;
}

Result<std::optional<std::string>> GetText(ObjectStore& objects, const std::string& key) {
  const auto bytes = objects.Get(key, {0, kClaimBytesMax + 1});
  if (bytes) return std::optional<std::string>(AsText(*bytes));
  if (bytes.error().code() == ErrorCode::kNotFound) return std::optional<std::string>();
  if (bytes.error().code() == ErrorCode::kOutOfRange) return std::optional<std::string>("");
  return bytes.error();
}

/// `read` again, if what came is damaged: once it may be the way that it came.
template <class Read>
auto Insist(const Read& read) -> decltype(read()) {
  for (int tried = 1;; ++tried) {
    auto result = read();
    if (result || result.error().code() != ErrorCode::kCorruption || tried == kReadsMax) return result;
  }
}

/// Runs `task` for 0 to count - 1, so many at once; the first error ends it.
Result<void> ForEach(std::size_t count, std::size_t at_once, const std::function<Result<void>(std::size_t)>& task) {
  if (at_once < 2 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) MR_TRY(task(i));
    return {};
  }
  MR_ASSIGN_OR_RETURN(const auto pool, ThreadPool::Start({.threads = std::min(at_once, count), .queue_max = at_once}));
  const RequestLimits limits = RequestScope::Current();
  Mutex mutex;
  std::optional<Error> failure;
  std::atomic<bool> failed{false};
  for (std::size_t i = 0; i < count && !failed; ++i) {
    auto submitted = pool->Submit([&, i](const std::stop_token&) {
      if (failed) return;
      const RequestScope scope(limits);
      auto done = task(i);
      if (done) return;
      MutexLock lock(mutex);
      if (!failed.exchange(true)) failure = done.error();
    });
    if (!submitted) {
      pool->Close();
      return submitted;
    }
  }
  pool->Close();
  MutexLock lock(mutex);
  if (failure) return *failure;
  return {};
}

/// Claims `begin` to `end` - 1, each of which must be there.
Result<std::vector<ClaimText>> ClaimsFrom(ObjectStore& objects, const SurveyOptions& options, const StoreKeys& keys,
                                          std::uint32_t begin, std::uint32_t end) {
  std::vector<ClaimText> claims(end - begin);
  MR_TRY(ForEach(claims.size(), options.requests_at_once, [&](std::size_t i) -> Result<void> {
    const std::uint32_t generation = begin + static_cast<std::uint32_t>(i);
    auto claim = Insist([&]() -> Result<std::optional<ClaimText>> {
      MR_ASSIGN_OR_RETURN(const auto text, GetText(objects, keys.Claim(generation)));
      if (!text) return std::optional<ClaimText>();
      MR_ASSIGN_OR_RETURN(ClaimText parsed, ParseClaimText(*text));
      return std::optional(std::move(parsed));
    });
    if (!claim) return claim.error().WithContext(keys.Claim(generation));
    if (!*claim)
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{} has claim {} and not claim {}: claims were deleted there, and with them what tells "
                               "whose objects are whose",
                               objects.Describe(), end - 1, generation),
                   "look for a lifecycle rule that deletes them");
    claims[i] = **std::move(claim);
    if (claims[i].generation != generation || claims[i].identity != keys.identity())
      return Error(ErrorCode::kCorruption, fmt::format("{} is the claim of something else", keys.Claim(generation)));
    return {};
  }));
  return claims;
}

/// Whether it is the first claim of a log that was at another place before.
Result<bool> ComesFromElsewhere(ObjectStore& objects, const StoreKeys& keys, std::uint32_t generation) {
  auto claim = Insist([&]() -> Result<ClaimText> {
    MR_ASSIGN_OR_RETURN(const auto text, GetText(objects, keys.Claim(generation)));
    return ParseClaimText(text.value_or(""));
  });
  if (!claim) return claim.error().WithContext(keys.Claim(generation));
  return claim->how == ClaimText::How::kComesFrom;
}

class Survey {
 public:
  Survey(ObjectStore& objects, const SurveyOptions& options, LogSurvey& found)
      : objects_(objects), options_(options), keys_(options.key_prefix, found.log.identity), found_(found) {}

  Result<void> Run() {
    MR_TRY(FindSnapshot());
    if (!found_.snapshot && !found_.claims.empty() && found_.claims.front().generation > 1 && !CameFromElsewhere()) {
      // All objects count, of all processes there ever were.
      MR_ASSIGN_OR_RETURN(auto earlier, ClaimsFrom(objects_, options_, keys_, 1, found_.claims.front().generation));
      found_.claims.insert(found_.claims.begin(), earlier.begin(), earlier.end());
    }
    MR_TRY(FindObjects());
    return ReadDirectories();
  }

 private:
  struct Listed {
    std::string key;
    std::uint64_t size_bytes = 0;
  };

  [[nodiscard]] bool CameFromElsewhere() const {
    return !found_.claims.empty() && found_.claims.front().how == ClaimText::How::kComesFrom;
  }
  /// Of processes that wrote at the earlier place: their claims are not here, and their objects were brought whole
  /// before the first claim here.
  Result<void> FindBroughtObjects() {
    MR_ASSIGN_OR_RETURN(const auto listed, ListAll(objects_, keys_.Objects()));
    for (const ObjectDescription& one : listed) {
      const auto name = keys_.ObjectIn(one.key);
      if (!name || name->generation >= found_.claims.front().generation) continue;
      ++found_.listed;
      open_[*name] = {one.key, one.size_bytes};
    }
    return {};
  }

  [[nodiscard]] const ClaimText* ClaimOf(std::uint32_t generation) const {
    const auto claim = std::ranges::find(found_.claims, generation, &ClaimText::generation);
    return claim == found_.claims.end() ? nullptr : &*claim;
  }
  /// Whether a process of this log's own line was called so.
  [[nodiscard]] bool IsOfTheLog(std::uint32_t generation, std::uint32_t nonce) const {
    const ClaimText* claim = ClaimOf(generation);
    return claim != nullptr && claim->nonce == nonce;
  }

  Result<SharedBytes> GetWhole(const std::string& key, std::uint64_t size) {
    Buffer whole(size);
    for (std::uint64_t at = 0; at < size;) {
      const std::uint64_t length = std::min(kPieceBytes, size - at);
      MR_ASSIGN_OR_RETURN(const SharedBytes piece, objects_.Get(key, {at, length}));
      if (piece.size() != length)
        return Error(ErrorCode::kCorruption, fmt::format("{} is shorter than the {} bytes listed", key, size));
      std::ranges::copy(piece.bytes(), whole.bytes().begin() + static_cast<std::ptrdiff_t>(at));
      at += length;
    }
    return std::move(whole).Freeze();
  }

  /// The newest that can be read. An older one costs time, and data only where objects were deleted since.
  Result<void> FindSnapshot() {
    MR_ASSIGN_OR_RETURN(const auto listed, ListAll(objects_, keys_.Snapshots()));
    std::vector<std::pair<SnapshotName, std::uint64_t>> names;
    for (const ObjectDescription& one : listed) {
      const auto name = keys_.SnapshotIn(one.key);
      if (name && IsOfTheLog(name->generation, name->nonce)) names.emplace_back(*name, one.size_bytes);
    }
    std::ranges::sort(names, std::greater<>());
    MR_ASSIGN_OR_RETURN(const auto newer, AskForNewerSnapshots(names.empty() ? SnapshotName() : names.front().first));
    names.insert(names.end(), newer.begin(), newer.end());
    std::ranges::sort(names, std::greater<>());
    if (!names.empty()) found_.newest_snapshot = names.front().first;
    for (const auto& [name, size] : names) {
      const std::string key = keys_.Snapshot(name);
      auto snapshot = Insist([&] { return ReadSnapshot(key, size); });
      if (snapshot && snapshot->head.generation == name.generation && snapshot->head.nonce == name.nonce &&
          snapshot->head.identity == StoredIdOf(keys_.identity())) {
        found_.snapshot = *std::move(snapshot);
        found_.snapshot_bytes = size;
        return {};
      }
      const Error error =
          snapshot ? Error(ErrorCode::kCorruption, "it is the snapshot of something else") : snapshot.error();
      const bool unusable = error.code() == ErrorCode::kCorruption || error.code() == ErrorCode::kUnsupported ||
                            error.code() == ErrorCode::kNotFound;  // deleted meanwhile: there is a newer one
      if (!unusable) return error;
      found_.unusable.push_back({key, error});
    }
    return {};
  }

  /// Numbers of snapshots follow each other in each generation, but for attempts that failed: one behind the newest
  /// listed that is there all the same was left out.
  Result<std::vector<std::pair<SnapshotName, std::uint64_t>>> AskForNewerSnapshots(const SnapshotName& newest) {
    std::vector<SnapshotName> names;
    for (const ClaimText& claim : found_.claims) {
      if (claim.generation < newest.generation) continue;
      const std::uint32_t first = claim.generation == newest.generation ? newest.number + 1 : 0;
      for (std::uint32_t number = first; number < first + kSnapshotsBehind; ++number)
        names.push_back({claim.generation, claim.nonce, number});
    }
    std::vector<std::pair<SnapshotName, std::uint64_t>> newer;
    Mutex mutex;
    MR_TRY(ForEach(names.size(), options_.requests_at_once, [&](std::size_t i) -> Result<void> {
      MR_ASSIGN_OR_RETURN(const auto size, AskForUnlisted(keys_.Snapshot(names[i])));
      MutexLock lock(mutex);
      if (size) newer.emplace_back(names[i], *size);
      return {};
    }));
    return newer;
  }

  /// The size of what is there although a listing lacks it. kUnavailable: the listing was short, and what else it lacks
  /// is not known.
  Result<std::optional<std::uint64_t>> AskForUnlisted(const std::string& key) {
    if (Planted(Bug::kClaimListingBelieved)) return std::optional<std::uint64_t>();
    const auto head = objects_.Head(key);
    if (!head && head.error().code() == ErrorCode::kNotFound) return std::optional<std::uint64_t>();
    if (!head) return head.error();
    if (options_.beside_owner) return std::optional(head->size_bytes);
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("{}: a listing does not name {}, which is there: nothing is built on it", objects_.Describe(), key),
        "try again; a store whose listings stay incomplete cannot be restored from");
  }

  Result<Snapshot> ReadSnapshot(const std::string& key, std::uint64_t size) {
    MR_ASSIGN_OR_RETURN(const SharedBytes bytes, GetWhole(key, size));
    return DecodeSnapshot(bytes);
  }

  /// The first attempt of a generation that the snapshot leaves open; none: it decides all of them.
  [[nodiscard]] std::optional<std::uint64_t> OpenFrom(std::uint32_t generation) const {
    if (!found_.snapshot || generation > found_.snapshot->head.generation) return 0;
    if (generation == found_.snapshot->head.generation) return found_.snapshot->head.settled;
    return {};
  }

  Result<void> FindObjects() {
    std::set<ObjectId> known, open;
    if (found_.snapshot)
      for (const ObjectRow& row : found_.snapshot->objects)
        (row.state == ObjectState::kPrepared ? open : known).insert(row.id);
    for (const ClaimText& claim : found_.claims) {
      const auto from = OpenFrom(claim.generation);
      if (!from) continue;
      MR_ASSIGN_OR_RETURN(const auto listed, ListAll(objects_, keys_.ObjectsOf(claim.generation, claim.nonce)));
      std::uint64_t end = *from;
      for (const ObjectDescription& one : listed) {
        const auto name = keys_.ObjectIn(one.key);
        if (!name) continue;
        ++found_.listed;
        end = std::max(end, name->sequence + 1);
        if (name->sequence >= *from && !known.contains(ObjectIdOf(*name))) open_[*name] = {one.key, one.size_bytes};
      }
      MR_TRY(AskForHoles(claim, *from, end, known));
    }
    if (!found_.snapshot) return CameFromElsewhere() ? FindBroughtObjects() : Result<void>();
    // What was under way in an earlier process when it died.
    for (const ObjectRow& row : found_.snapshot->objects) {
      const auto name = row.state == ObjectState::kPrepared ? keys_.ObjectIn(row.key) : std::nullopt;
      if (name && !open_.contains(*name)) open_[*name] = {row.key, row.size_bytes};
    }
    return {};
  }

  Result<void> AskForHoles(const ClaimText& claim, std::uint64_t from, std::uint64_t end,
                           const std::set<ObjectId>& known) {
    std::vector<ObjectName> holes;
    for (std::uint64_t number = from; number < std::min(end + kNumbersBehind, kAttemptsMax); ++number) {
      const ObjectName name{claim.generation, claim.nonce, number};
      if (!open_.contains(name) && !known.contains(ObjectIdOf(name))) holes.push_back(name);
    }
    Mutex mutex;
    return ForEach(holes.size(), options_.requests_at_once, [&](std::size_t i) -> Result<void> {
      const std::string key = keys_.Object(holes[i]);
      MR_ASSIGN_OR_RETURN(const auto size, AskForUnlisted(key));
      MutexLock lock(mutex);
      if (size) open_[holes[i]] = {key, *size};
      return {};
    });
  }

  Result<void> ReadDirectories() {
    std::vector<std::pair<ObjectName, Listed>> open(open_.begin(), open_.end());
    Mutex mutex;
    SurveyProgress progress{.all = open.size()};
    MR_TRY(ForEach(open.size(), options_.requests_at_once, [&](std::size_t i) -> Result<void> {
      const auto& [name, listed] = open[i];
      auto read = Insist([&] { return ReadObjectDirectory(objects_, listed.key, listed.size_bytes); });
      if (!read && read.error().code() != ErrorCode::kCorruption && read.error().code() != ErrorCode::kUnsupported &&
          read.error().code() != ErrorCode::kNotFound && read.error().code() != ErrorCode::kOutOfRange)
        return read.error();
      MutexLock lock(mutex);
      if (read && *read && IsIts(**read, name)) {
        if (!options_.beside_owner) found_.producers.Add(**read);
        (*read)->shares = {};  // of a million objects they would be too much
        found_.objects.push_back({name, listed.key, listed.size_bytes, **std::move(read)});
      } else if (!read || *read || found_.snapshot == std::nullopt) {
        if (read || read.error().code() != ErrorCode::kNotFound)  // an attempt that never came to be
          found_.unusable.push_back({listed.key, read ? NoDirectory() : read.error()});
      }
      ++progress.done;
      if (options_.on_progress) options_.on_progress(progress);
      return {};
    }));
    std::ranges::sort(found_.objects, {}, &FoundObject::name);
    if (found_.snapshot) {
      if (!options_.beside_owner) found_.producers.Add(*found_.snapshot);
      found_.snapshot->producers = {};
    }
    return {};
  }

  [[nodiscard]] bool IsIts(const ObjectDirectory& directory, const ObjectName& name) const {
    return directory.identity == StoredIdOf(keys_.identity()) && directory.generation == name.generation &&
           directory.nonce == name.nonce && directory.sequence == name.sequence;
  }
  static Error NoDirectory() { return Error(ErrorCode::kCorruption, "it does not end with its own directory"); }

  ObjectStore& objects_;
  const SurveyOptions& options_;
  const StoreKeys keys_;
  LogSurvey& found_;
  std::map<ObjectName, Listed> open_;
};

}  // namespace

Generation LogSurvey::newest() const {
  return claims.empty() ? Generation() : Generation{claims.back().generation, claims.back().nonce};
}

Result<LogText> ReadLogText(ObjectStore& objects, const std::string& key_prefix) {
  const StoreKeys keys(key_prefix, "");
  for (const std::string& key : {keys.Log(), keys.EarlierLog()}) {
    auto log = Insist([&]() -> Result<std::optional<LogText>> {
      MR_ASSIGN_OR_RETURN(const auto text, GetText(objects, key));
      if (!text) return std::optional<LogText>();
      MR_ASSIGN_OR_RETURN(LogText parsed, ParseLogText(*text));
      return std::optional(std::move(parsed));
    });
    if (!log) return log.error().WithContext(fmt::format("{}: {}", objects.Describe(), key));
    if (*log) return **std::move(log);
  }
  return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", objects.Describe()),
               "a log that lies in an object store has an object named log there");
}

Result<std::vector<ClaimText>> ReadClaims(ObjectStore& objects, const SurveyOptions& options, const StoreKeys& keys) {
  MR_ASSIGN_OR_RETURN(const auto listed, ListAll(objects, keys.Claims()));
  std::uint32_t last = 0, lowest = std::numeric_limits<std::uint32_t>::max();
  for (const ObjectDescription& one : listed)
    if (const auto generation = keys.ClaimIn(one.key)) {
      last = std::max(last, *generation);
      lowest = std::min(lowest, *generation);
    }
  // They follow each other without a hole: those behind the last one listed are asked for.
  for (;; ++last) {
    MR_ASSIGN_OR_RETURN(const auto next, GetText(objects, keys.Claim(last + 1)));
    if (!next) break;
  }
  MR_ASSIGN_OR_RETURN(const auto snapshots, ListAll(objects, keys.Snapshots()));
  std::vector<std::uint32_t> generations;
  for (const ObjectDescription& one : snapshots)
    if (const auto name = keys.SnapshotIn(one.key)) generations.push_back(name->generation);
  if (last == 0) return std::vector<ClaimText>();
  std::ranges::sort(generations, std::greater<>());
  if (generations.size() > kSnapshotsTried) generations.resize(kSnapshotsTried);
  std::uint32_t first = generations.empty() ? 1 : std::clamp(generations.back(), std::uint32_t{1}, last);
  if (first < lowest && lowest <= last) {
    MR_ASSIGN_OR_RETURN(const bool begins_there, ComesFromElsewhere(objects, keys, lowest));
    if (begins_there) first = lowest;
  }
  return ClaimsFrom(objects, options, keys, first, last + 1);
}

Result<std::optional<SnapshotName>> NewestSnapshot(ObjectStore& objects, const StoreKeys& keys) {
  MR_ASSIGN_OR_RETURN(const auto listed, ListAll(objects, keys.Snapshots()));
  std::optional<SnapshotName> newest;
  for (const ObjectDescription& one : listed)
    if (const auto name = keys.SnapshotIn(one.key); name && (!newest || *name > *newest)) newest = name;
  return newest;
}

Result<LogSurvey> SurveyLog(ObjectStore& objects, const SurveyOptions& options, const LogText& log,
                            std::vector<ClaimText> claims) {
  LogSurvey found{.log = log, .claims = std::move(claims)};
  MR_TRY(Survey(objects, options, found).Run());
  return found;
}

}  // namespace millrace
