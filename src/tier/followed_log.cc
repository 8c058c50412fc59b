#include "tier/followed_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/check.h"
#include "base/coding.h"
#include "base/try.h"
#include "meta/topic_rules.h"
#include "tier/object_tail.h"

namespace millrace {
namespace {

constexpr int kLoadsMax = 3;
constexpr std::size_t kListPage = 1'000;
constexpr std::uint64_t kNumbersBehind = 64;  // of attempts that may have failed in a row, before a thorough look
constexpr std::uint64_t kNumbersAround = 256;

bool IsUnusable(const Error& error) {
  return error.code() == ErrorCode::kCorruption || error.code() == ErrorCode::kUnsupported ||
         error.code() == ErrorCode::kOutOfRange;
}

}  // namespace

SurveyOptions FollowedLog::SurveyOf() const {
  return {.key_prefix = keys_.prefix(),
          .requests_at_once = requests_at_once_,
          .beside_owner = true,
          .on_progress = nullptr};
}

Result<FollowedNews> FollowedLog::Load() {
  Known before = std::exchange(known_, {});
  auto news = LoadOnce();
  if (!news) known_ = std::move(before);
  return news;
}

Result<FollowedNews> FollowedLog::LoadOnce() {
  MR_TRY(CheckWhose());
  for (int tried = 0; tried < kLoadsMax; ++tried) {
    known_ = {};
    MR_ASSIGN_OR_RETURN(auto claims, Claims());
    LogText log;
    log.identity = keys_.identity();
    MR_ASSIGN_OR_RETURN(LogSurvey found, SurveyLog(objects_, SurveyOf(), log, std::move(claims)));
    TakeNumbers(found);
    MR_ASSIGN_OR_RETURN(const bool vanished, AskForHoles(found.objects));
    // By a later claim, or a newer snapshot, objects may have gone, and others come that will be disowned.
    MR_ASSIGN_OR_RETURN(const bool claimed, IsClaimed(known_.newest.number + 1));
    MR_ASSIGN_OR_RETURN(const bool outdated, HasNewerSnapshot());
    if (!vanished && !claimed && !outdated) return Take(std::move(found));
  }
  return Error(ErrorCode::kUnavailable, fmt::format("{}: the log changes faster than it is read", objects_.Describe()),
               "try again");
}

Result<void> FollowedLog::CheckWhose() {
  MR_ASSIGN_OR_RETURN(const LogText log, ReadLogText(objects_, keys_.prefix()));
  if (log.identity == keys_.identity()) return {};
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("{} holds the log {} now, and not {} any more", objects_.Describe(), log.identity, keys_.identity()),
      "open the other one anew");
}

/// Whoever takes the log over decides by its snapshot what belongs to it.
Result<std::vector<ClaimText>> FollowedLog::Claims() {
  MR_ASSIGN_OR_RETURN(auto claims, ReadClaims(objects_, SurveyOf(), keys_));
  if (claims.empty())
    return Error(ErrorCode::kUnsupported,
                 fmt::format("nobody has claimed {}: it is a data directory's own place, or an earlier release wrote "
                             "there, whose objects do not say what is in them",
                             objects_.Describe()),
                 "read the log through its data directory");
  const ClaimText& newest = claims.back();
  if (newest.how == ClaimText::How::kMovedTo)
    return Error(ErrorCode::kFenced,
                 fmt::format("the log has moved from {} to {} (claim {}, by {})", objects_.Describe(), newest.place,
                             newest.generation, newest.host),
                 fmt::format("follow it there: --store {}, with the settings of that store's address", newest.place));
  if (newest.how != ClaimText::How::kTakesOver) return claims;
  MR_ASSIGN_OR_RETURN(const auto snapshot, NewestSnapshot(objects_, keys_));
  if (snapshot && snapshot->generation >= newest.generation) return claims;
  return Error(ErrorCode::kUnavailable,
               fmt::format("{}: {} takes the log over (claim {}), and has not come to the end of it",
                           objects_.Describe(), newest.host, newest.generation),
               "try again; if that restore has died, run it again");
}

Result<bool> FollowedLog::IsClaimed(std::uint32_t generation) {
  const auto claim = objects_.Get(keys_.Claim(generation), {0, 1});
  if (claim || claim.error().code() == ErrorCode::kOutOfRange) return true;
  if (claim.error().code() == ErrorCode::kNotFound) return false;
  return claim.error();
}

Result<bool> FollowedLog::HasNewerSnapshot() {
  MR_ASSIGN_OR_RETURN(const auto newest, NewestSnapshot(objects_, keys_));
  return newest && (!known_.snapshot || *newest > *known_.snapshot);
}

/// Which attempts of the newest generation need not be looked at again.
void FollowedLog::TakeNumbers(const LogSurvey& found) {
  known_.newest = found.newest();
  known_.snapshot = found.newest_snapshot;
  const auto is_newest = [&](std::uint32_t generation, std::uint32_t nonce) {
    return generation == known_.newest.number && nonce == known_.newest.nonce;
  };
  if (found.snapshot) {
    const SnapshotHead& head = found.snapshot->head;
    if (is_newest(head.generation, head.nonce)) known_.undecided_from = head.settled;
    for (const ObjectRow& row : found.snapshot->objects) {
      const auto name = row.state == ObjectState::kPrepared ? std::nullopt : keys_.ObjectIn(row.key);
      if (name && is_newest(name->generation, name->nonce)) known_.decided.insert(name->sequence);
    }
  }
  known_.listed_end = known_.undecided_from;
  for (const FoundObject& object : found.objects) {
    if (!is_newest(object.name.generation, object.name.nonce)) continue;
    known_.decided.insert(object.name.sequence);
    known_.listed_end = std::max(known_.listed_end, object.name.sequence + 1);
  }
  std::erase_if(known_.decided, [&](std::uint64_t number) { return number < known_.undecided_from; });
}

FollowedNews FollowedLog::Take(LogSurvey found) {
  FollowedNews news;
  if (found.snapshot) {
    known_.snapshot_ms = found.snapshot->head.written_ms;
    news = known_.catalog.TakeSnapshot(*std::exchange(found.snapshot, {}));
  }
  std::ranges::sort(found.objects, {}, &FoundObject::name);
  for (const FoundObject& object : found.objects) known_.catalog.TakeObject(object);
  FollowedNews linked = known_.catalog.Link();
  // What the snapshot has of each partition comes before what is linked behind it.
  std::map<PartitionKey, std::vector<SegmentRow>> before;
  for (FollowedPartition& partition : news.partitions) before[partition.row.key] = std::move(partition.segments);
  for (FollowedPartition& partition : linked.partitions) {
    auto& segments = before[partition.row.key];
    segments.insert(segments.end(), partition.segments.begin(), partition.segments.end());
    partition.segments = std::move(segments);
    partition.from = Offset(0);
  }
  news.afresh = news.topics_changed = true;
  news.partitions = std::move(linked.partitions);
  news.topics = std::move(linked.topics);
  std::ranges::move(linked.objects, std::back_inserter(news.objects));
  news.store = {{.name = std::string(kIdentityName), .text = keys_.identity()},
                {.name = std::string(kNextTopicName), .number = known_.catalog.next_topic()}};
  return news;
}

Result<FollowedNews> FollowedLog::Look(LookDepth depth) {
  MR_CHECK(known_.newest.number > 0, known_.newest.number);  // it was loaded
  if (depth == LookDepth::kThorough) {
    MR_TRY(CheckWhose());
    MR_ASSIGN_OR_RETURN(const bool outdated, HasNewerSnapshot());
    if (outdated) return Load();
  }
  MR_ASSIGN_OR_RETURN(const bool vanished, FindNew(depth));
  MR_ASSIGN_OR_RETURN(const bool claimed, IsClaimed(known_.newest.number + 1));
  if (claimed) return Load();
  if (vanished && depth == LookDepth::kUsual) return Look(LookDepth::kThorough);
  std::ranges::sort(known_.found, {}, &FoundObject::name);
  for (const FoundObject& object : std::exchange(known_.found, {})) known_.catalog.TakeObject(object);
  if (!known_.catalog.has_news()) return FollowedNews();
  FollowedNews news = known_.catalog.Link();
  if (!known_.catalog.has_gap() || depth == LookDepth::kThorough) return news;
  // What is missing was deleted, or is damaged: only a newer snapshot can tell.
  known_.catalog.LinkAgain();
  return Look(LookDepth::kThorough);
}

Result<bool> FollowedLog::FindNew(LookDepth depth) {
  MR_ASSIGN_OR_RETURN(const auto listed, ListNew(depth));
  if (listed.empty()) return false;
  bool vanished = false;
  for (const auto& [name, one] : listed) {
    MR_ASSIGN_OR_RETURN(const bool there, ReadNew(name, one, known_.found));
    vanished = vanished || !there;
  }
  MR_ASSIGN_OR_RETURN(const bool gone, AskForHoles(known_.found));
  return vanished || gone;
}

Result<std::map<ObjectName, FollowedLog::Listed>> FollowedLog::ListNew(LookDepth depth) {
  const ObjectName first{known_.newest.number, known_.newest.nonce, known_.undecided_from};
  std::vector<std::string> prefixes;
  if (depth == LookDepth::kThorough) {
    prefixes.push_back(keys_.ObjectsOf(first.generation, first.nonce));
  } else {
    const std::uint64_t end = std::min(known_.listed_end + kNumbersBehind, kAttemptsMax);
    for (std::uint64_t number = first.sequence; number < end; number = (number / kNumbersAround + 1) * kNumbersAround)
      prefixes.push_back(keys_.ObjectsAround({first.generation, first.nonce, number}));
  }
  std::map<ObjectName, Listed> listed;
  for (const std::string& prefix : prefixes) {
    std::string continuation;
    do {
      MR_ASSIGN_OR_RETURN(const ObjectPage page, objects_.List(prefix, continuation, kListPage));
      for (const ObjectDescription& one : page.objects) {
        const auto name = keys_.ObjectIn(one.key);
        if (name && name->sequence >= first.sequence && !known_.decided.contains(name->sequence))
          listed[*name] = {one.key, one.size_bytes};
      }
      continuation = page.next;
    } while (!continuation.empty());
  }
  return listed;
}

/// Attempts that have ended, as objects behind them say, and that no list named: most of them failed. Asked for after
/// that was read: what is not there now never will be.
Result<bool> FollowedLog::AskForHoles(std::vector<FoundObject>& found) {
  std::uint64_t settled = known_.catalog.settled(known_.newest.number, known_.newest.nonce);
  for (const FoundObject& object : found)
    if (object.name.generation == known_.newest.number && object.name.nonce == known_.newest.nonce)
      settled = std::max(settled, object.directory.settled);
  bool vanished = false;
  for (std::uint64_t number = known_.undecided_from; number < std::min(settled, kAttemptsMax); ++number) {
    if (known_.decided.contains(number)) continue;
    const ObjectName name{known_.newest.number, known_.newest.nonce, number};
    const std::string key = keys_.Object(name);
    const auto head = objects_.Head(key);
    if (!head && head.error().code() != ErrorCode::kNotFound) return head.error();
    if (!head) {
      known_.decided.insert(number);
      continue;
    }
    MR_ASSIGN_OR_RETURN(const bool there, ReadNew(name, {key, head->size_bytes}, found));
    vanished = vanished || !there;
  }
  while (known_.decided.erase(known_.undecided_from) > 0) ++known_.undecided_from;
  return vanished;
}

/// False: it is not there.
Result<bool> FollowedLog::ReadNew(const ObjectName& name, const Listed& listed, std::vector<FoundObject>& found) {
  known_.listed_end = std::max(known_.listed_end, name.sequence + 1);
  auto directory = ReadObjectDirectory(objects_, listed.key, listed.size_bytes);
  if (!directory && directory.error().code() == ErrorCode::kNotFound) return false;
  if (!directory && !IsUnusable(directory.error())) return directory.error();
  known_.decided.insert(name.sequence);
  const bool is_its = directory && *directory && (**directory).identity == StoredIdOf(keys_.identity()) &&
                      (**directory).generation == name.generation && (**directory).nonce == name.nonce &&
                      (**directory).sequence == name.sequence;
  if (is_its) {
    (*directory)->shares = {};  // producers are their owner's
    found.push_back({name, listed.key, listed.size_bytes, **std::move(directory)});
  }
  return true;  // what is damaged links to nothing: what it held is missing
}

}  // namespace millrace
