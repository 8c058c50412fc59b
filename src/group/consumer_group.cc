#include "group/consumer_group.h"

#include <algorithm>
#include <limits>

#include "base/bugs.h"
#include "base/check.h"
#include "group/subscription.h"

namespace millrace {
namespace {

std::int32_t NextGeneration(std::int32_t generation) {
  return generation == std::numeric_limits<std::int32_t>::max() ? 1 : generation + 1;
}

}  // namespace

std::string_view GroupStateName(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparing:
      return "PreparingRebalance";
    case GroupState::kCompleting:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
    case GroupState::kDead:
      break;
  }
  return "Dead";
}

ConsumerGroup::ConsumerGroup(const GroupRules& rules, const GroupSnapshot& snapshot, GroupTime now)
    : rules_(rules),
      state_(snapshot.members.empty() ? GroupState::kEmpty : GroupState::kStable),
      generation_(snapshot.generation),
      protocol_type_(snapshot.protocol_type),
      protocol_(snapshot.protocol),
      leader_(snapshot.leader) {
  for (const MemberSnapshot& kept : snapshot.members) {
    Member member{.id = kept.member,
                  .instance = kept.instance,
                  .client_id = kept.client_id,
                  .client_host = kept.client_host,
                  .session_timeout = kept.session_timeout,
                  .rebalance_timeout = kept.rebalance_timeout,
                  .protocols = {{snapshot.protocol, kept.metadata}},
                  .assignment = kept.assignment,
                  .order = ++last_order_,
                  .synced = true,
                  .restored = true};
    member.deadline = now + member.session_timeout;
    bytes_ += BytesOf(member);
    if (member.instance) instances_[*member.instance] = member.id;
    ++votes_[snapshot.protocol];
    members_.emplace(member.id, std::move(member));
  }
  if (!members_.contains(leader_)) leader_ = members_.empty() ? std::string() : InOrder().front()->id;
}

// Rebalancing.

/// Begins one, or looks whether the one at hand is complete.
void ConsumerGroup::Rebalance(GroupTime now, GroupEffects& effects) {
  if (state_ != GroupState::kPreparing) {
    if (state_ == GroupState::kCompleting) AnswerSyncs(GroupError::kRebalanceInProgress, now, effects);
    assigned_by_ = 0;
    syncing_ = false;
    delaying_ = state_ == GroupState::kEmpty && rules_.initial_delay.count() > 0;
    came_new_ = false;
    state_ = GroupState::kPreparing;
    const std::chrono::milliseconds timeout = RebalanceTimeout();
    join_deadline_ = now + (delaying_ ? rules_.initial_delay : timeout);
    delay_left_ = std::max(timeout - rules_.initial_delay, std::chrono::milliseconds(0));
  }
  TryComplete(now, effects);
}

void ConsumerGroup::TryComplete(GroupTime now, GroupEffects& effects) {
  if (state_ != GroupState::kPreparing || delaying_) return;
  if (waiting_joins_ == members_.size() && pending_.empty()) CompleteJoin(now, effects);
}

void ConsumerGroup::JoinTimeIsUp(GroupTime now, GroupEffects& effects) {
  if (delaying_ && came_new_ && delay_left_.count() > 0) {
    const std::chrono::milliseconds more = std::min(rules_.initial_delay, delay_left_);
    delay_left_ -= more;
    join_deadline_ = now + more;
    came_new_ = false;
    return;
  }
  CompleteJoin(now, effects);
}

void ConsumerGroup::CompleteJoin(GroupTime now, GroupEffects& effects) {
  delaying_ = false;
  std::vector<std::string> missing;
  for (const auto& [id, member] : members_)
    if (member.join == 0 && !member.instance) missing.push_back(id);
  for (const std::string& id : missing) Remove(id, GroupError::kUnknownMember, effects);
  if (members_.empty()) return BecomeEmpty(effects);
  if (!ElectLeader()) {  // static members alone, and none of them came back yet
    join_deadline_ = now + RebalanceTimeout();
    return;
  }
  generation_ = NextGeneration(generation_);
  protocol_ = SelectProtocol();
  state_ = GroupState::kCompleting;
  assigned_by_ = 0;
  syncing_ = true;
  sync_deadline_ = now + RebalanceTimeout();
  for (auto& [id, member] : members_) {
    if (!Planted(Bug::kGroupOldAssignmentGiven)) {
      bytes_ -= member.assignment.size();
      member.assignment.clear();
    }
    member.is_new = false;
    member.synced = member.join == 0;  // a static one that is away: its session ends it
    if (member.join != 0) Extend(member, now);
  }
  for (const Member* member : InOrder()) {
    Member& joined = At(member->id);
    if (joined.join == 0) continue;
    effects.joins.emplace_back(std::exchange(joined.join, 0), AnswerFor(joined));
  }
  waiting_joins_ = 0;
}

void ConsumerGroup::BecomeEmpty(GroupEffects& effects) {
  generation_ = NextGeneration(generation_);
  protocol_.clear();
  state_ = GroupState::kEmpty;
  syncing_ = false;
  Save(effects);
}

bool ConsumerGroup::ElectLeader() {
  const auto leads = members_.find(leader_);
  if (leads != members_.end() && leads->second.join != 0) return true;
  for (const Member* member : InOrder()) {
    if (member->join == 0) continue;
    leader_ = member->id;
    return true;
  }
  return false;
}

void ConsumerGroup::Remove(const std::string& id, GroupError answer, GroupEffects& effects) {
  Member& member = At(id);
  if (member.join != 0) {
    --waiting_joins_;
    effects.joins.emplace_back(member.join, JoinAnswer{.error = answer, .member = id});
  }
  if (member.sync != 0) effects.syncs.emplace_back(member.sync, SyncAnswer{.error = answer});
  bytes_ -= BytesOf(member);
  for (const GroupProtocol& protocol : member.protocols) {
    if (--votes_[protocol.name] == 0) votes_.erase(protocol.name);
  }
  if (member.instance) {
    const auto place = instances_.find(*member.instance);
    if (place != instances_.end() && place->second == id) instances_.erase(place);
  }
  const bool led = leader_ == id;
  members_.erase(std::string(id));
  if (led) leader_ = members_.empty() ? std::string() : InOrder().front()->id;
}

void ConsumerGroup::RemoveAndGoOn(const std::string& id, GroupTime now, GroupEffects& effects) {
  Remove(id, GroupError::kUnknownMember, effects);
  Rebalance(now, effects);
}

// Assigning.

void ConsumerGroup::Sync(const SyncCall& call, GroupTicket ticket, GroupTime now, GroupEffects& effects) {
  const auto refuse = [&](GroupError error) { effects.syncs.emplace_back(ticket, SyncAnswer{.error = error}); };
  if (const GroupError error = CheckMember(call.who, call.generation); error != GroupError::kNone) return refuse(error);
  const bool other_type = call.protocol_type && *call.protocol_type != protocol_type_;
  if (other_type || (call.protocol && *call.protocol != protocol_)) return refuse(GroupError::kInconsistentProtocol);
  if (state_ == GroupState::kPreparing) return refuse(GroupError::kRebalanceInProgress);
  Member& member = At(call.who.member);
  member.synced = true;
  Extend(member, now);
  const bool may_assign = member.id == leader_;
  const bool given_before = Planted(Bug::kGroupOldAssignmentGiven) && !may_assign && !member.assignment.empty();
  if (state_ == GroupState::kStable || given_before) {
    effects.syncs.emplace_back(ticket, SyncAnswerFor(member));
    return;
  }
  // The member asked again: nobody waits for its first question any more.
  if (const GroupTicket before = std::exchange(member.sync, ticket); before != 0)
    effects.syncs.emplace_back(before, SyncAnswer{.error = GroupError::kRebalanceInProgress});
  if (may_assign) Assign(call, effects);
}

void ConsumerGroup::Assign(const SyncCall& call, GroupEffects& effects) {
  if (assigned_by_ != 0) return;  // on its way to the disk already
  for (const auto& [id, assignment] : call.assignments) {
    const auto found = members_.find(id);
    if (found == members_.end()) continue;
    bytes_ += assignment.size() - found->second.assignment.size();
    found->second.assignment = assignment;
  }
  Save(effects);
  assigned_by_ = effects.save;
}

/// To all syncs that wait: the assignment, or an error, after which there is none.
void ConsumerGroup::AnswerSyncs(GroupError error, GroupTime now, GroupEffects& effects) {
  for (const Member* each : InOrder()) {
    Member& member = At(each->id);
    if (error != GroupError::kNone) {
      bytes_ -= member.assignment.size();
      member.assignment.clear();
    }
    if (member.sync == 0) continue;
    Extend(member, now);  // nothing was expected of it while it waited
    SyncAnswer answer = error == GroupError::kNone ? SyncAnswerFor(member) : SyncAnswer{.error = error};
    effects.syncs.emplace_back(std::exchange(member.sync, 0), std::move(answer));
  }
}

void ConsumerGroup::Saved(std::uint64_t number, bool durable, GroupTime now, GroupEffects& effects) {
  for (HeldJoin& held : held_) {
    if (held.save > number) continue;
    if (!durable) held.answer = {.error = GroupError::kCoordinatorNotAvailable, .member = held.answer.member};
    effects.joins.emplace_back(held.ticket, std::move(held.answer));
  }
  std::erase_if(held_, [&](const HeldJoin& held) { return held.save <= number; });
  if (state_ != GroupState::kCompleting || assigned_by_ == 0 || assigned_by_ > number) return;
  assigned_by_ = 0;
  if (durable) {
    state_ = GroupState::kStable;
    return AnswerSyncs(GroupError::kNone, now, effects);
  }
  AnswerSyncs(GroupError::kCoordinatorNotAvailable, now, effects);
  Rebalance(now, effects);
}

// Members.

GroupError ConsumerGroup::Identify(const MemberIdentity& who) const {
  if (state_ == GroupState::kDead) return GroupError::kCoordinatorNotAvailable;
  if (who.instance) {
    const auto holder = instances_.find(*who.instance);
    if (holder == instances_.end()) return GroupError::kUnknownMember;
    // One that was restored may be the predecessor of who speaks, whose id was not durable yet: it is to join anew.
    if (holder->second != who.member)
      return members_.at(holder->second).restored ? GroupError::kUnknownMember : GroupError::kFencedInstance;
  }
  return members_.contains(who.member) ? GroupError::kNone : GroupError::kUnknownMember;
}

GroupError ConsumerGroup::CheckMember(const MemberIdentity& who, std::int32_t generation) const {
  if (const GroupError error = Identify(who); error != GroupError::kNone) return error;
  return generation == generation_ ? GroupError::kNone : GroupError::kIllegalGeneration;
}

GroupError ConsumerGroup::Heartbeat(const MemberIdentity& who, std::int32_t generation, GroupTime now) {
  if (const GroupError error = CheckMember(who, generation); error != GroupError::kNone) return error;
  Extend(At(who.member), now);
  return state_ == GroupState::kPreparing ? GroupError::kRebalanceInProgress : GroupError::kNone;
}

GroupError ConsumerGroup::Leave(const MemberIdentity& who, GroupTime now, GroupEffects& effects) {
  if (state_ == GroupState::kDead) return GroupError::kCoordinatorNotAvailable;
  if (who.instance) {
    const auto holder = instances_.find(*who.instance);
    if (holder == instances_.end()) return GroupError::kUnknownMember;
    if (!who.member.empty() && holder->second != who.member) return GroupError::kFencedInstance;
    RemoveAndGoOn(std::string(holder->second), now, effects);
    return GroupError::kNone;
  }
  if (pending_.erase(who.member) != 0) {
    TryComplete(now, effects);
    return GroupError::kNone;
  }
  if (!members_.contains(who.member)) return GroupError::kUnknownMember;
  RemoveAndGoOn(who.member, now, effects);
  return GroupError::kNone;
}

GroupError ConsumerGroup::CheckCommit(const MemberIdentity& who, std::int32_t generation, GroupTime now) {
  if (state_ == GroupState::kDead) return GroupError::kCoordinatorNotAvailable;
  // Of a consumer that assigns by hand: good where nobody else is.
  if (generation < 0 && state_ == GroupState::kEmpty) return GroupError::kNone;
  const bool any = Planted(Bug::kGroupOldGenerationCommits);
  if (const GroupError error = any ? Identify(who) : CheckMember(who, generation); error != GroupError::kNone)
    return error;
  Extend(At(who.member), now);
  return state_ == GroupState::kCompleting ? GroupError::kRebalanceInProgress : GroupError::kNone;
}

// Time.

std::optional<GroupTime> ConsumerGroup::PhaseDeadline() const {
  if (state_ == GroupState::kPreparing) return join_deadline_;
  return syncing_ ? std::optional(sync_deadline_) : std::nullopt;
}

std::optional<GroupTime> ConsumerGroup::NextDeadline() const {
  std::optional<GroupTime> next = PhaseDeadline();
  const auto at = [&](GroupTime time) { next = next ? std::min(*next, time) : time; };
  for (const auto& [id, until] : pending_) at(until);
  for (const auto& [id, member] : members_)
    if (MayExpire(member)) at(member.deadline);
  return next;
}

void ConsumerGroup::Tick(GroupTime now, GroupEffects& effects) {
  if (std::erase_if(pending_, [&](const auto& pending) { return pending.second <= now; }) > 0)
    TryComplete(now, effects);
  std::vector<std::string> over;
  for (const auto& [id, member] : members_)
    if (MayExpire(member) && member.deadline <= now) over.push_back(id);
  for (const std::string& id : over) {
    // One that went may have completed a rebalance, which gave the others a new session.
    const auto member = members_.find(id);
    if (member != members_.end() && MayExpire(member->second) && member->second.deadline <= now)
      RemoveAndGoOn(id, now, effects);
  }
  if (state_ == GroupState::kPreparing && join_deadline_ <= now) JoinTimeIsUp(now, effects);
  if (syncing_ && sync_deadline_ <= now) SyncTimeIsUp(now, effects);
}

void ConsumerGroup::SyncTimeIsUp(GroupTime now, GroupEffects& effects) {
  syncing_ = false;
  std::vector<std::string> missing;
  for (const auto& [id, member] : members_)
    if (!member.synced) missing.push_back(id);
  for (const std::string& id : missing) Remove(id, GroupError::kUnknownMember, effects);
  if (!missing.empty()) Rebalance(now, effects);
}

/// What waits for an answer of ours is not expected to call; but a new member is not kept for ever.
bool ConsumerGroup::MayExpire(const Member& member) {
  const bool waits = member.join != 0 || member.sync != 0;
  return member.is_new || !waits || Planted(Bug::kGroupWaitingMemberExpires);
}

void ConsumerGroup::Die() {
  MR_CHECK(state_ == GroupState::kEmpty, GroupStateName(state_));
  pending_.clear();
  state_ = GroupState::kDead;
}

void ConsumerGroup::Revive() {
  MR_CHECK(state_ == GroupState::kDead, GroupStateName(state_));
  state_ = GroupState::kEmpty;
}

// Looking.

/// Of the protocols that all members know, the one that most of them like best; the first by name among equals.
std::string ConsumerGroup::SelectProtocol() const {
  std::map<std::string_view, std::size_t> liked;
  for (const auto& [id, member] : members_) {
    const auto best = std::ranges::find_if(
        member.protocols, [&](const GroupProtocol& protocol) { return votes_.at(protocol.name) == members_.size(); });
    if (best != member.protocols.end()) ++liked[best->name];
  }
  const auto chosen = std::ranges::max_element(liked, {}, [](const auto& each) { return each.second; });
  return chosen == liked.end() ? std::string() : std::string(chosen->first);
}

const std::string& ConsumerGroup::MetadataOf(const Member& member) const {
  static const std::string kNothing;
  const auto found = std::ranges::find(member.protocols, protocol_, &GroupProtocol::name);
  return found == member.protocols.end() ? kNothing : found->metadata;
}

JoinAnswer ConsumerGroup::AnswerFor(const Member& member) const {
  JoinAnswer answer{.generation = generation_,
                    .protocol_type = protocol_type_,
                    .protocol = protocol_,
                    .leader = leader_,
                    .member = member.id};
  if (member.id == leader_) answer.members = JoinedMembers();
  return answer;
}

std::vector<JoinedMember> ConsumerGroup::JoinedMembers() const {
  std::vector<JoinedMember> joined;
  for (const Member* member : InOrder()) joined.push_back({member->id, member->instance, MetadataOf(*member)});
  return joined;
}

SyncAnswer ConsumerGroup::SyncAnswerFor(const Member& member) const {
  return {.protocol_type = protocol_type_, .protocol = protocol_, .assignment = member.assignment};
}

std::vector<const ConsumerGroup::Member*> ConsumerGroup::InOrder() const {
  std::vector<const Member*> members;
  for (const auto& [id, member] : members_) members.push_back(&member);
  std::ranges::sort(members, {}, &Member::order);
  return members;
}

std::chrono::milliseconds ConsumerGroup::RebalanceTimeout() const {
  std::chrono::milliseconds longest{};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

std::size_t ConsumerGroup::BytesOf(const Member& member) {
  std::size_t bytes = member.id.size() + member.client_id.size() + member.client_host.size() +
                      member.assignment.size() + (member.instance ? member.instance->size() : 0);
  for (const GroupProtocol& protocol : member.protocols) bytes += protocol.name.size() + protocol.metadata.size();
  return bytes;
}

GroupSnapshot ConsumerGroup::Snapshot() const {
  GroupSnapshot snapshot{
      .protocol_type = protocol_type_, .protocol = protocol_, .generation = generation_, .leader = leader_};
  for (const Member* member : InOrder()) snapshot.members.push_back(Describe(*member));
  return snapshot;
}

MemberSnapshot ConsumerGroup::Describe(const Member& member) const {
  return {.member = member.id,
          .instance = member.instance,
          .client_id = member.client_id,
          .client_host = member.client_host,
          .session_timeout = member.session_timeout,
          .rebalance_timeout = member.rebalance_timeout,
          .metadata = MetadataOf(member),
          .assignment = member.assignment};
}

std::vector<MemberSnapshot> ConsumerGroup::Members() const {
  std::vector<MemberSnapshot> members;
  for (const Member* member : InOrder()) {
    members.push_back(Describe(*member));
    if (state_ == GroupState::kStable) continue;
    members.back().metadata.clear();
    members.back().assignment.clear();
  }
  return members;
}

bool ConsumerGroup::IsSubscribed(std::string_view topic) const {
  return std::ranges::any_of(members_, [&](const auto& each) {
    const auto topics = SubscribedTopics(MetadataOf(each.second));
    return !topics || std::ranges::find(*topics, topic) != topics->end();
  });
}

void ConsumerGroup::CheckInvariants() const {
  std::size_t waiting = 0, bytes = 0, instances = 0;
  std::map<std::string, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    MR_CHECK(id == member.id, id, member.id);
    waiting += member.join != 0 ? 1 : 0;
    bytes += BytesOf(member);
    for (const GroupProtocol& protocol : member.protocols) ++votes[protocol.name];
    if (member.instance) {
      ++instances;
      MR_CHECK(instances_.at(*member.instance) == id, id);
    }
    MR_CHECK(member.join == 0 || state_ == GroupState::kPreparing, id, GroupStateName(state_));
    MR_CHECK(member.sync == 0 || state_ == GroupState::kCompleting, id, GroupStateName(state_));
    MR_CHECK(!pending_.contains(id), id);
  }
  MR_CHECK(waiting == waiting_joins_, waiting, waiting_joins_);
  MR_CHECK(bytes == bytes_, bytes, bytes_);
  MR_CHECK(instances == instances_.size(), instances, instances_.size());
  MR_CHECK(votes == votes_, votes.size(), votes_.size());
  const bool none = state_ == GroupState::kEmpty || state_ == GroupState::kDead;
  MR_CHECK(!none || members_.empty(), members_.size());
  MR_CHECK(members_.empty() || members_.contains(leader_), leader_);
  const bool formed = state_ == GroupState::kCompleting || state_ == GroupState::kStable;
  MR_CHECK(!formed || !members_.empty());
}

}  // namespace millrace
