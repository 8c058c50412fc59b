#include "group/group_coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "group/group_expiry.h"
#include "meta/committed_offsets.h"
#include "meta/find_row.h"
#include "meta/group_name.h"

namespace millrace {
namespace {

constexpr std::chrono::minutes kSweepEvery{10};
constexpr std::chrono::seconds kLoadEvery{5};
/// However long its name and host are, a member costs about this much.
constexpr std::size_t kMemberBytes = 512;

std::size_t BytesOf(const JoinCall& call) {
  std::size_t bytes = kMemberBytes + call.client_id.size() + call.client_host.size() + call.who.member.size() +
                      (call.who.instance ? call.who.instance->size() : 0);
  for (const GroupProtocol& protocol : call.protocols) bytes += protocol.name.size() + protocol.metadata.size();
  return bytes;
}

StoredGroup ToStored(const std::string& name, GroupSnapshot snapshot, std::int64_t empty_since_ms) {
  StoredGroup stored{.row = {.name = name,
                             .protocol_type = std::move(snapshot.protocol_type),
                             .protocol = std::move(snapshot.protocol),
                             .generation = snapshot.generation,
                             .leader = std::move(snapshot.leader),
                             .empty_since_ms = empty_since_ms}};
  for (MemberSnapshot& member : snapshot.members) {
    stored.members.push_back({.key = {name, std::move(member.member)},
                              .place = static_cast<std::int64_t>(stored.members.size()),
                              .instance = member.instance.value_or(std::string()),
                              .client_id = std::move(member.client_id),
                              .client_host = std::move(member.client_host),
                              .session_timeout_ms = member.session_timeout.count(),
                              .rebalance_timeout_ms = member.rebalance_timeout.count(),
                              .metadata = std::move(member.metadata),
                              .assignment = std::move(member.assignment)});
  }
  return stored;
}

GroupSnapshot FromStored(const StoredGroup& stored) {
  GroupSnapshot snapshot{.protocol_type = stored.row.protocol_type,
                         .protocol = stored.row.protocol,
                         .generation = stored.row.generation,
                         .leader = stored.row.leader};
  for (const GroupMemberRow& row : stored.members) {
    snapshot.members.push_back(
        {.member = row.key.member,
         .instance = row.instance.empty() ? std::nullopt : std::optional(row.instance),
         .client_id = row.client_id,
         .client_host = row.client_host,
         .session_timeout = std::chrono::milliseconds(std::max<std::int64_t>(row.session_timeout_ms, 1)),
         .rebalance_timeout = std::chrono::milliseconds(std::max<std::int64_t>(row.rebalance_timeout_ms, 1)),
         .metadata = row.metadata,
         .assignment = row.assignment});
  }
  return snapshot;
}

std::optional<GroupTime> Earlier(std::optional<GroupTime> a, std::optional<GroupTime> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

/// All of the group, if it does not say which. Blocks.
GroupCoordinator::Positions FindPositions(MetadataStore& metadata, const std::string& group,
                                          const std::optional<std::vector<PartitionKey>>& partitions) {
  if (!partitions) return CommittedOffsets(metadata).Positions(group);
  std::vector<PositionKey> keys;
  for (const PartitionKey& partition : *partitions) keys.push_back({group, partition});
  return FindRows(metadata, keys);
}

}  // namespace

GroupCoordinator::GroupCoordinator(Parts parts, const GroupSettings& settings)
    : parts_(std::move(parts)), settings_(settings), writes_(parts_.metadata, parts_.pool, parts_.post) {}

// What is kept.

Result<void> GroupCoordinator::Load() {
  const auto stored = GroupCatalog(parts_.metadata).Groups();
  if (!stored) {
    next_load_ = parts_.now() + kLoadEvery;
    Wake();
    return stored.error();
  }
  Take(*stored);
  return {};
}

void GroupCoordinator::Take(const std::vector<StoredGroup>& stored) {
  const GroupTime now = parts_.now();
  for (const StoredGroup& each : stored) {
    const std::string& name = each.row.name;
    const auto [place, made] = groups_.try_emplace(name, Group(ConsumerGroup(Rules(), FromStored(each), now)));
    Group& group = place->second;
    group.kept = true;
    // A row that says neither is a group whose members are lost: it is empty from now on.
    group.empty_since_ms = each.members.empty() ? std::max<std::int64_t>(each.row.empty_since_ms, 1) : 0;
    if (each.members.empty() && each.row.empty_since_ms == 0) group.empty_since_ms = parts_.wall_ms();
    GroupEffects nothing;
    Settle(name, group, nothing, group.machine.NextDeadline());
  }
  loaded_ = true;
  next_sweep_ = now + kSweepEvery;
  Wake();
}

void GroupCoordinator::RetryLoad() {
  next_load_ = parts_.now() + kLoadEvery;
  writes_.Do([this](MetadataStore& metadata) -> GroupWrites::Task {
    return [this, stored = GroupCatalog(metadata).Groups()] {
      if (loaded_) return;
      if (stored) return Take(*stored);
      parts_.tell(fmt::format("groups cannot be read yet: {}", stored.error().ToString()));
    };
  });
}

void GroupCoordinator::Save(const std::string& name, Group& group, std::uint64_t number) {
  group.empty_since_ms = group.machine.members() == 0 ? std::max<std::int64_t>(parts_.wall_ms(), 1) : 0;
  group.kept = true;
  ++group.writes;
  writes_.Put(ToStored(name, group.machine.Snapshot(), group.empty_since_ms),
              [this, name, number](const Result<void>& result) { OnSaved(name, number, result); });
}

void GroupCoordinator::OnSaved(const std::string& name, std::uint64_t number, const Result<void>& result) {
  Group* group = Find(name);
  MR_CHECK(group != nullptr, name);  // it stays while it is written
  --group->writes;
  if (!result) parts_.tell(fmt::format("group {} could not be stored: {}", name, result.error().ToString()));
  OnGroup(name, *group, {}, [&](ConsumerGroup& machine, GroupEffects& effects) {
    machine.Saved(number, result.has_value(), parts_.now(), effects);
  });
}

// Time.

void GroupCoordinator::Tick() {
  const GroupTime now = parts_.now();
  wake_.reset();
  if (!loaded_ && now >= next_load_) RetryLoad();
  std::vector<std::string> due;
  for (auto first = deadlines_.begin(); first != deadlines_.end() && first->first <= now; ++first)
    due.push_back(first->second);
  for (const std::string& name : due) {
    Group* group = Find(name);
    if (group == nullptr) continue;
    ForgetDue(name, *group);
    GroupEffects effects;
    group->machine.Tick(now, effects);
    const auto next = group->machine.NextDeadline();
    Settle(name, *group, effects, next);
  }
  if (loaded_ && now >= next_sweep_) Sweep();
  Wake();
}

void GroupCoordinator::NoteDue(const std::string& name, Group& group, std::optional<GroupTime> due) {
  // Later than it was is left for when that comes: a heartbeat costs no look at the others.
  if (!due || (group.due && *group.due <= *due)) return;
  ForgetDue(name, group);
  group.due = due;
  deadlines_.emplace(*due, name);
  Wake();
}

void GroupCoordinator::ForgetDue(const std::string& name, Group& group) {
  if (group.due) deadlines_.erase({*group.due, name});
  group.due.reset();
}

void GroupCoordinator::Wake() {
  GroupTime next = loaded_ ? next_sweep_ : next_load_;
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  if (wake_ && *wake_ <= next) return;
  wake_ = next;
  parts_.wake_at(next);
}

// Groups.

GroupCoordinator::Group* GroupCoordinator::Find(std::string_view name) {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : &found->second;
}

GroupCoordinator::Group& GroupCoordinator::FindOrMake(const std::string& name) {
  if (Group* found = Find(name)) return *found;
  return groups_.try_emplace(name, Group(ConsumerGroup(Rules()))).first->second;
}

GroupError GroupCoordinator::CheckName(std::string_view group) const {
  if (!loaded_) return GroupError::kCoordinatorLoading;
  return CheckGroupName(group) ? GroupError::kNone : GroupError::kInvalidGroupId;
}

template <class Call>
void GroupCoordinator::OnGroup(const std::string& name, Group& group, std::optional<GroupTime> soonest, Call call) {
  ConsumerGroup& machine = group.machine;
  const auto before = std::pair(machine.state(), machine.generation());
  GroupEffects effects;
  call(machine, effects);
  // Only with a new phase do members become due whom this call did not speak for.
  const bool moved = before != std::pair(machine.state(), machine.generation());
  const auto due = moved ? machine.NextDeadline() : Earlier(soonest, machine.PhaseDeadline());
  Settle(name, group, effects, due);
}

void GroupCoordinator::Settle(const std::string& name, Group& group, GroupEffects& effects,
                              std::optional<GroupTime> due) {
  const std::size_t bytes = group.machine.bytes() + kMemberBytes * (group.machine.members() + group.machine.pending());
  bytes_ += bytes - group.bytes;
  group.bytes = bytes;
  if (effects.save != 0) Save(name, group, effects.save);
  NoteDue(name, group, due);
  DropIfBlank(name);
  Answer(effects);
}

void GroupCoordinator::Answer(GroupEffects& effects) {
  for (auto& [ticket, answer] : effects.joins) {
    if (auto parked = joins_.extract(ticket)) parked.mapped()(std::move(answer));
  }
  for (auto& [ticket, answer] : effects.syncs) {
    if (auto parked = syncs_.extract(ticket)) parked.mapped()(std::move(answer));
  }
}

/// What nobody will ask for again takes no room.
void GroupCoordinator::DropIfBlank(const std::string& name) {
  Group* group = Find(name);
  if (group == nullptr || !group->machine.blank() || group->kept || group->writes != 0) return;
  if (group->machine.state() == GroupState::kDead) return;
  ForgetDue(name, *group);
  bytes_ -= group->bytes;
  groups_.erase(std::string(name));
}

// Members.

GroupError GroupCoordinator::CheckJoin(const std::string& group, const JoinCall& call) const {
  if (const GroupError error = CheckName(group); error != GroupError::kNone) return error;
  if (call.session_timeout < settings_.session_min || call.session_timeout > settings_.session_max)
    return GroupError::kInvalidSessionTimeout;
  const std::size_t bytes = BytesOf(call);
  if (bytes > settings_.member_bytes_max) return GroupError::kGroupFull;
  if (bytes_ + bytes > settings_.bytes_max) return GroupError::kCoordinatorNotAvailable;
  if (groups_.contains(group)) return GroupError::kNone;
  if (!call.who.member.empty()) return GroupError::kUnknownMember;
  return groups_.size() < settings_.groups_max ? GroupError::kNone : GroupError::kCoordinatorNotAvailable;
}

/// The client's name, so that people know it, and 128 random bits.
std::string GroupCoordinator::NewMemberId(const JoinCall& call) {
  constexpr std::size_t kNameMax = 200;
  const std::string& name = call.who.instance ? *call.who.instance : call.client_id;
  const std::uint64_t high = parts_.random.Next(), low = parts_.random.Next();
  return fmt::format("{}-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", name.substr(0, kNameMax), high >> 32,
                     (high >> 16) & 0xffff, high & 0xffff, low >> 48, low & 0xffff'ffff'ffff);
}

GroupTicket GroupCoordinator::Join(const std::string& group, const JoinCall& call,
                                   std::move_only_function<void(JoinAnswer)> done) {
  if (const GroupError error = CheckJoin(group, call); error != GroupError::kNone) {
    done({.error = error, .member = call.who.member});
    return 0;
  }
  const GroupTicket ticket = ++last_ticket_;
  joins_.emplace(ticket, std::move(done));
  const GroupTime now = parts_.now();
  OnGroup(group, FindOrMake(group), now + call.session_timeout, [&](ConsumerGroup& machine, GroupEffects& effects) {
    machine.Join(call, NewMemberId(call), ticket, now, effects);
  });
  return joins_.contains(ticket) ? ticket : 0;
}

GroupError GroupCoordinator::CheckSync(const SyncCall& call) const {
  std::size_t bytes = 0;
  for (const auto& [member, assignment] : call.assignments) {
    if (assignment.size() > settings_.member_bytes_max) return GroupError::kUnknownServerError;
    bytes += assignment.size();
  }
  return bytes_ + bytes > settings_.bytes_max ? GroupError::kCoordinatorNotAvailable : GroupError::kNone;
}

GroupTicket GroupCoordinator::Sync(const std::string& group, const SyncCall& call,
                                   std::move_only_function<void(SyncAnswer)> done) {
  GroupError error = CheckName(group);
  Group* found = error == GroupError::kNone ? Find(group) : nullptr;
  if (error == GroupError::kNone) error = found == nullptr ? GroupError::kUnknownMember : CheckSync(call);
  if (error != GroupError::kNone) {
    done({.error = error});
    return 0;
  }
  const GroupTicket ticket = ++last_ticket_;
  syncs_.emplace(ticket, std::move(done));
  OnGroup(group, *found, {},
          [&](ConsumerGroup& machine, GroupEffects& effects) { machine.Sync(call, ticket, parts_.now(), effects); });
  return syncs_.contains(ticket) ? ticket : 0;
}

void GroupCoordinator::Cancel(GroupTicket ticket) {
  // What they hold may call here as it goes.
  const auto join = joins_.extract(ticket);
  const auto sync = syncs_.extract(ticket);
}

GroupError GroupCoordinator::Heartbeat(const std::string& group, const MemberIdentity& who, std::int32_t generation) {
  if (const GroupError error = CheckName(group); error != GroupError::kNone) return error;
  Group* found = Find(group);
  return found == nullptr ? GroupError::kUnknownMember : found->machine.Heartbeat(who, generation, parts_.now());
}

std::vector<GroupError> GroupCoordinator::Leave(const std::string& group, const std::vector<MemberIdentity>& who) {
  std::vector<GroupError> answers;
  const GroupError error = CheckName(group);
  for (const MemberIdentity& each : who) {
    // Looked for anew each time: with its last member a group may go.
    Group* found = error == GroupError::kNone ? Find(group) : nullptr;
    GroupError& answer = answers.emplace_back(error == GroupError::kNone ? GroupError::kUnknownMember : error);
    if (found == nullptr) continue;
    OnGroup(group, *found, {}, [&](ConsumerGroup& machine, GroupEffects& effects) {
      answer = machine.Leave(each, parts_.now(), effects);
    });
  }
  return answers;
}

// Positions.

void GroupCoordinator::Commit(const std::string& group, const MemberIdentity& who, std::int32_t generation,
                              std::vector<PositionRow> positions, std::move_only_function<void(GroupError)> done) {
  GroupError error = CheckName(group);
  if (error == GroupError::kNone) {
    Group* found = Find(group);
    error = found != nullptr ? found->machine.CheckCommit(who, generation, parts_.now())
            : generation < 0 ? GroupError::kNone
                             : GroupError::kIllegalGeneration;
  }
  if (error == GroupError::kNone && writes_.waiting() >= settings_.commits_max)
    error = GroupError::kCoordinatorNotAvailable;
  if (error != GroupError::kNone || positions.empty()) return done(error);
  if (Planted(Bug::kGroupCommitBeforeDurable)) std::exchange(done, [](GroupError) {})(GroupError::kNone);
  const std::int64_t now_ms = std::max<std::int64_t>(parts_.wall_ms(), 1);
  for (PositionRow& position : positions) position.committed_ms = now_ms;
  writes_.Put(std::move(positions), [done = std::move(done)](const Result<void>& result) mutable {
    // A topic that went meanwhile is named when the client tries again.
    done(result ? GroupError::kNone : GroupError::kCoordinatorNotAvailable);
  });
}

void GroupCoordinator::Fetch(const std::string& group, std::optional<std::vector<PartitionKey>> partitions,
                             std::move_only_function<void(Positions)> done) {
  if (Planted(Bug::kGroupFetchPassesCommits)) return done(FindPositions(parts_.metadata, group, partitions));
  writes_.Do([group, partitions = std::move(partitions),
              done = std::move(done)](MetadataStore& metadata) mutable -> GroupWrites::Task {
    return [found = FindPositions(metadata, group, partitions), done = std::move(done)]() mutable {
      done(std::move(found));
    };
  });
}

// Groups, seen from outside.

void GroupCoordinator::List(std::move_only_function<void(Result<std::vector<GroupListing>>)> done) {
  writes_.Do([this, done = std::move(done)](MetadataStore& metadata) mutable -> GroupWrites::Task {
    return [this, names = CommittedOffsets(metadata).Groups(), done = std::move(done)]() mutable {
      if (!names) return done(names.error());
      if (!loaded_) return done(Error(ErrorCode::kUnavailable, "the groups are not read yet"));
      std::vector<GroupListing> listing;
      for (const auto& [name, group] : groups_) {
        if (group.machine.state() != GroupState::kDead)
          listing.push_back({name, group.machine.protocol_type(), group.machine.state()});
      }
      // Positions of consumers that assign by hand, or of the library.
      for (std::string& name : *names)
        if (!groups_.contains(name)) listing.push_back({.name = std::move(name)});
      std::ranges::sort(listing, {}, &GroupListing::name);
      done(std::move(listing));
    };
  });
}

void GroupCoordinator::Describe(const std::string& group, std::move_only_function<void(GroupDescription)> done) {
  if (const GroupError error = CheckName(group); error != GroupError::kNone) return done({.error = error});
  if (Group* found = Find(group); found != nullptr && found->machine.state() != GroupState::kDead) {
    const ConsumerGroup& machine = found->machine;
    return done({.state = machine.state(),
                 .protocol_type = machine.protocol_type(),
                 .protocol = machine.state() == GroupState::kStable ? machine.protocol() : std::string(),
                 .members = machine.Members()});
  }
  Fetch(group, std::nullopt, [done = std::move(done)](const Positions& positions) mutable {
    if (!positions) return done({.error = GroupError::kCoordinatorNotAvailable});
    done({.state = positions->empty() ? GroupState::kDead : GroupState::kEmpty});
  });
}

void GroupCoordinator::Delete(const std::string& group, std::move_only_function<void(GroupError)> done) {
  if (const GroupError error = CheckName(group); error != GroupError::kNone) return done(error);
  Group* found = Find(group);
  if (found != nullptr && found->machine.state() == GroupState::kDead)
    return done(GroupError::kCoordinatorNotAvailable);
  if (found != nullptr && found->machine.state() != GroupState::kEmpty) return done(GroupError::kNonEmptyGroup);
  // From here on nobody joins it and nothing is committed, whether it was known or is only a name of positions.
  Group& dying = FindOrMake(group);
  const bool known = !dying.machine.blank();
  dying.machine.Die();
  writes_.Do([this, group, known, done = std::move(done)](MetadataStore& metadata) mutable -> GroupWrites::Task {
    return [this, group, known, deleted = CommittedOffsets(metadata).DeleteGroup(group),
            done = std::move(done)]() mutable {
      RemoveDead(group, deleted.has_value());
      if (!deleted) {
        parts_.tell(fmt::format("group {} could not be deleted: {}", group, deleted.error().ToString()));
        return done(GroupError::kCoordinatorNotAvailable);
      }
      done(known || *deleted ? GroupError::kNone : GroupError::kGroupIdNotFound);
    };
  });
}

void GroupCoordinator::RemoveDead(const std::string& name, bool gone) {
  Group* group = Find(name);
  MR_CHECK(group != nullptr && group->machine.state() == GroupState::kDead, name);
  group->machine.Revive();
  if (!gone) return DropIfBlank(name);
  ForgetDue(name, *group);
  bytes_ -= group->bytes;
  groups_.erase(std::string(name));
}

void GroupCoordinator::Forget(const std::string& group, std::vector<ForgetTopic> topics,
                              std::move_only_function<void(ForgetAnswer)> done) {
  ForgetAnswer answer{.error = CheckName(group)};
  Group* found = answer.error == GroupError::kNone ? Find(group) : nullptr;
  const bool has_members = found != nullptr && found->machine.members() > 0;
  if (found != nullptr && found->machine.state() == GroupState::kDead)
    answer.error = GroupError::kCoordinatorNotAvailable;
  else if (has_members && found->machine.protocol_type() != "consumer")
    answer.error = GroupError::kNonEmptyGroup;
  if (answer.error != GroupError::kNone) return done(std::move(answer));
  std::vector<PositionKey> keys;
  for (const ForgetTopic& topic : topics) {
    const bool subscribed = has_members && found->machine.IsSubscribed(topic.name);
    answer.topics.push_back(subscribed ? Forgotten::kSubscribed : Forgotten::kYes);
    if (subscribed) continue;
    for (const PartitionKey& partition : topic.partitions) keys.push_back({group, partition});
  }
  writes_.Do([group, keys = std::move(keys), known = found != nullptr, answer = std::move(answer),
              done = std::move(done)](MetadataStore& metadata) mutable -> GroupWrites::Task {
    answer.error = ForgetPositions(metadata, group, keys, known);
    return [answer = std::move(answer), done = std::move(done)]() mutable { done(std::move(answer)); };
  });
}

// Expiry.

void GroupCoordinator::Sweep() {
  next_sweep_ = parts_.now() + kSweepEvery;
  if (!parts_.may_expire()) return;
  GroupExpiry expiry{.now_ms = parts_.wall_ms(), .retention_ms = settings_.retention.count()};
  for (const auto& [name, group] : groups_) {
    const bool rests = group.machine.state() == GroupState::kEmpty && group.machine.pending() == 0;
    expiry.empty_since_ms.emplace(name, rests ? group.empty_since_ms : GroupExpiry::kInUse);
  }
  writes_.Do([this, expiry = std::move(expiry)](MetadataStore& metadata) mutable -> GroupWrites::Task {
    return [this, due = expiry.FindDue(metadata), expiry = std::move(expiry)] {
      if (!due) return parts_.tell(fmt::format("groups cannot be looked over: {}", due.error().ToString()));
      for (const std::string& name : *due) Expire(name, expiry);
    };
  });
}

void GroupCoordinator::Expire(const std::string& name, const GroupExpiry& expiry) {
  Group* found = Find(name);
  if (found != nullptr && (found->machine.state() != GroupState::kEmpty || found->machine.pending() != 0)) return;
  Group& dying = FindOrMake(name);
  const std::int64_t since_ms = dying.empty_since_ms;
  dying.machine.Die();
  writes_.Do([this, name, since_ms, now_ms = expiry.now_ms,
              retention_ms = expiry.retention_ms](MetadataStore& metadata) -> GroupWrites::Task {
    return [this, name, gone = ExpireGroup(metadata, name, {since_ms, now_ms, retention_ms})] {
      if (!gone) parts_.tell(fmt::format("group {} could not expire: {}", name, gone.error().ToString()));
      RemoveDead(name, gone && *gone);
    };
  });
}

}  // namespace millrace
