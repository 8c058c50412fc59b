// How a member comes in: new, with an id it was given, again, or in the place of another process of its instance.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "group/consumer_group.h"

namespace millrace {
namespace {

/// A join that a new member waits in is not for ever, whatever rebalance timeout the others asked for.
constexpr std::chrono::minutes kNewMemberWait{5};

/// Each name once, the first of them.
std::vector<GroupProtocol> Distinct(const std::vector<GroupProtocol>& protocols) {
  std::vector<GroupProtocol> distinct;
  std::set<std::string_view> seen;
  for (const GroupProtocol& protocol : protocols)
    if (seen.insert(protocol.name).second) distinct.push_back(protocol);
  return distinct;
}

}  // namespace

void ConsumerGroup::Join(const JoinCall& call, const std::string& new_id, GroupTicket ticket, GroupTime now,
                         GroupEffects& effects) {
  GroupError error = GroupError::kNone;
  if (state_ == GroupState::kDead) {
    error = GroupError::kCoordinatorNotAvailable;
  } else if (!SharesProtocol(call)) {
    error = GroupError::kInconsistentProtocol;
  } else {
    error =
        call.who.member.empty() ? JoinNew(call, new_id, ticket, now, effects) : JoinKnown(call, ticket, now, effects);
  }
  if (error == GroupError::kNone) return;
  const std::string& member = error == GroupError::kMemberIdRequired ? new_id : call.who.member;
  effects.joins.emplace_back(ticket, JoinAnswer{.error = error, .member = member});
}

GroupError ConsumerGroup::JoinNew(const JoinCall& call, const std::string& new_id, GroupTicket ticket, GroupTime now,
                                  GroupEffects& effects) {
  if (call.who.instance && instances_.contains(*call.who.instance)) {
    Replace(call, new_id, ticket, now, effects);
    return GroupError::kNone;
  }
  if (IsFull()) return GroupError::kGroupFull;
  if (!call.who.instance && call.takes_member_id) {
    pending_[new_id] = now + call.session_timeout;
    return GroupError::kMemberIdRequired;
  }
  Add(call, new_id, ticket, now, effects);
  return GroupError::kNone;
}

GroupError ConsumerGroup::JoinKnown(const JoinCall& call, GroupTicket ticket, GroupTime now, GroupEffects& effects) {
  const std::string& id = call.who.member;
  if (!call.who.instance && pending_.erase(id) != 0) {
    Add(call, id, ticket, now, effects);
    return GroupError::kNone;
  }
  if (const GroupError error = Identify(call.who); error != GroupError::kNone) return error;
  Member& member = At(id);
  const bool unchanged = member.protocols == Distinct(call.protocols);
  const bool again =
      unchanged && (state_ == GroupState::kCompleting || (state_ == GroupState::kStable && id != leader_));
  if (again) {  // its answer was lost, or it asks for no reason: the generation stands
    Extend(member, now);
    effects.joins.emplace_back(ticket, AnswerFor(member));
    return GroupError::kNone;
  }
  Update(member, call, ticket, now, effects);
  return GroupError::kNone;
}

/// Another process of the member's instance takes over: its place, its assignment, and the lead if it had that.
void ConsumerGroup::Replace(const JoinCall& call, const std::string& new_id, GroupTicket ticket, GroupTime now,
                            GroupEffects& effects) {
  const std::string old_id = instances_.at(*call.who.instance), leader_before = leader_;
  auto node = members_.extract(old_id);
  MR_CHECK(!node.empty(), old_id);
  node.key() = new_id;
  Member& member = members_.insert(std::move(node)).position->second;
  bytes_ += new_id.size() - old_id.size();
  member.id = new_id;
  instances_[*call.who.instance] = new_id;
  if (leader_ == old_id) leader_ = new_id;
  if (const GroupTicket before = std::exchange(member.join, 0); before != 0) {
    --waiting_joins_;
    effects.joins.emplace_back(before, JoinAnswer{.error = GroupError::kFencedInstance, .member = old_id});
  }
  if (const GroupTicket before = std::exchange(member.sync, 0); before != 0)
    effects.syncs.emplace_back(before, SyncAnswer{.error = GroupError::kFencedInstance});
  TakeOver(member, call);
  Extend(member, now);
  if (state_ == GroupState::kStable && SelectProtocol() == protocol_) {
    member.synced = true;
    Save(effects);
    held_.push_back({effects.save, ticket, AnswerReplaced(member, leader_before, call.skips_assignment)});
    return;
  }
  Await(member, ticket, effects);
  Rebalance(now, effects);
}

/// Nothing is assigned anew: a leader that understands is told so, and one that does not is told that another leads.
JoinAnswer ConsumerGroup::AnswerReplaced(const Member& member, const std::string& leader_before,
                                         bool skips_assignment) const {
  JoinAnswer answer = AnswerFor(member);
  if (skips_assignment) {
    answer.skip_assignment = member.id == leader_;
  } else {
    answer.leader = leader_before;
    answer.members.clear();
  }
  return answer;
}

void ConsumerGroup::Add(const JoinCall& call, const std::string& id, GroupTicket ticket, GroupTime now,
                        GroupEffects& effects) {
  if (members_.empty()) {
    protocol_type_ = call.protocol_type;
    leader_ = id;
  }
  Member& member = members_.emplace(id, Member{.id = id, .instance = call.who.instance}).first->second;
  member.order = ++last_order_;
  member.is_new = true;
  member.deadline = now + kNewMemberWait;
  bytes_ += BytesOf(member);
  if (member.instance) instances_[*member.instance] = id;
  TakeOver(member, call);
  if (state_ == GroupState::kPreparing) came_new_ = true;
  Await(member, ticket, effects);
  Rebalance(now, effects);
}

void ConsumerGroup::Update(Member& member, const JoinCall& call, GroupTicket ticket, GroupTime now,
                           GroupEffects& effects) {
  TakeOver(member, call);
  if (!member.is_new) Extend(member, now);
  Await(member, ticket, effects);
  Rebalance(now, effects);
}

/// What the member says of itself this time.
void ConsumerGroup::TakeOver(Member& member, const JoinCall& call) {
  bytes_ -= BytesOf(member);
  for (const GroupProtocol& protocol : member.protocols) {
    if (--votes_[protocol.name] == 0) votes_.erase(protocol.name);
  }
  member.protocols = Distinct(call.protocols);
  for (const GroupProtocol& protocol : member.protocols) ++votes_[protocol.name];
  member.client_id = call.client_id;
  member.client_host = call.client_host;
  member.session_timeout = call.session_timeout;
  member.rebalance_timeout = call.rebalance_timeout;
  bytes_ += BytesOf(member);
}

void ConsumerGroup::Await(Member& member, GroupTicket ticket, GroupEffects& effects) {
  // The member asked again: nobody waits for its first question any more.
  const GroupTicket before = std::exchange(member.join, ticket);
  if (before == 0) {
    ++waiting_joins_;
  } else {
    effects.joins.emplace_back(before, JoinAnswer{.error = GroupError::kRebalanceInProgress, .member = member.id});
  }
}

bool ConsumerGroup::SharesProtocol(const JoinCall& call) const {
  if (call.protocol_type.empty() || call.protocols.empty()) return false;
  if (members_.empty()) return true;
  return call.protocol_type == protocol_type_ &&
         std::ranges::any_of(call.protocols, [&](const GroupProtocol& protocol) {
           const auto votes = votes_.find(protocol.name);
           return votes != votes_.end() && votes->second == members_.size();
         });
}

}  // namespace millrace
