// A group driven by hand, on simulated time, with every snapshot made durable when the test says so.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "group/consumer_group.h"

namespace millrace {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr GroupError kNone = GroupError::kNone;

class ConsumerGroupTest : public testing::Test {
 protected:
  explicit ConsumerGroupTest(GroupRules rules = {.initial_delay = milliseconds(0)}) : rules_(rules), group_(rules) {}

  static JoinCall Call(std::string member = {}, std::vector<GroupProtocol> protocols = {{"range", "m"}}) {
    return {.who = {.member = std::move(member)},
            .client_id = "client",
            .client_host = "/host",
            .protocol_type = "consumer",
            .protocols = std::move(protocols),
            .session_timeout = seconds(10),
            .rebalance_timeout = seconds(60)};
  }
  static JoinCall Static(std::string instance, std::string member = {}) {
    JoinCall call = Call(std::move(member));
    call.who.instance = std::move(instance);
    return call;
  }

  GroupTicket Join(const JoinCall& call) {
    const GroupTicket ticket = ++tickets_;
    GroupEffects effects;
    if (call.who.member.empty()) ++ids_;
    group_.Join(call, "id-" + std::to_string(ids_), ticket, now_, effects);
    Take(effects);
    return ticket;
  }
  GroupTicket Sync(const std::string& member, std::int32_t generation,
                   std::vector<std::pair<std::string, std::string>> assignments = {}) {
    return Sync({.who = {.member = member}, .generation = generation, .assignments = std::move(assignments)});
  }
  GroupTicket Sync(const SyncCall& call) {
    const GroupTicket ticket = ++tickets_;
    GroupEffects effects;
    group_.Sync(call, ticket, now_, effects);
    Take(effects);
    return ticket;
  }
  GroupError Leave(const MemberIdentity& who) {
    GroupEffects effects;
    const GroupError error = group_.Leave(who, now_, effects);
    Take(effects);
    return error;
  }
  /// What was to be made durable is.
  void Saved(bool durable = true) {
    GroupEffects effects;
    group_.Saved(save_, durable, now_, effects);
    Take(effects);
  }
  /// To the next deadline and the next until `by` has passed.
  void Advance(GroupTime by) {
    const GroupTime end = now_ + by;
    for (auto next = group_.NextDeadline(); next && *next <= end; next = group_.NextDeadline()) {
      now_ = std::max(now_, *next);
      GroupEffects effects;
      group_.Tick(now_, effects);
      Take(effects);
    }
    now_ = end;
  }
  void KeepAlive(const std::vector<std::string>& members, GroupTime time) {
    for (GroupTime passed{}; passed < time; passed += seconds(5)) {
      Advance(seconds(5));
      for (const std::string& member : members) (void)group_.Heartbeat({member}, group_.generation(), now_);
    }
  }

  [[nodiscard]] bool Waits(GroupTicket ticket) const { return !joins_.contains(ticket) && !syncs_.contains(ticket); }
  JoinAnswer Joined(GroupTicket ticket) {
    EXPECT_TRUE(joins_.contains(ticket)) << "it waits";
    return joins_[ticket];
  }
  SyncAnswer Synced(GroupTicket ticket) {
    EXPECT_TRUE(syncs_.contains(ticket)) << "it waits";
    return syncs_[ticket];
  }
  GroupError Code(GroupTicket ticket) { return joins_.contains(ticket) ? joins_[ticket].error : Synced(ticket).error; }
  GroupError Beat(const std::string& member) { return group_.Heartbeat({member}, group_.generation(), now_); }
  GroupError Commit(const std::string& member) { return group_.CheckCommit({member}, group_.generation(), now_); }

  /// A Stable group of members id-1 …, the first of which leads.
  void MakeStable(int members) {
    std::vector<GroupTicket> joins{Join(Call())};
    for (int i = 1; i < members; ++i) joins.push_back(Join(Call()));
    Rejoin(joins.front());
    Complete(members);
  }
  /// The first member comes back, for the others came after its generation.
  void Rejoin(GroupTicket first) {
    if (group_.state() == GroupState::kPreparing && joins_.contains(first)) Join(Call("id-1"));
  }
  void Complete(int members) {
    ASSERT_EQ(group_.state(), GroupState::kCompleting);
    std::vector<std::pair<std::string, std::string>> assignments;
    for (int i = 1; i <= members; ++i) assignments.emplace_back("id-" + std::to_string(i), "a" + std::to_string(i));
    for (int i = 1; i <= members; ++i)
      Sync("id-" + std::to_string(i), group_.generation(),
           i == 1 ? assignments : std::vector<std::pair<std::string, std::string>>{});
    Saved();
    ASSERT_EQ(group_.state(), GroupState::kStable);
  }

  void Take(GroupEffects& effects) {
    for (auto& [ticket, answer] : effects.joins) EXPECT_TRUE(joins_.emplace(ticket, std::move(answer)).second);
    for (auto& [ticket, answer] : effects.syncs) EXPECT_TRUE(syncs_.emplace(ticket, std::move(answer)).second);
    if (effects.save != 0) save_ = effects.save;
    group_.CheckInvariants();
  }

  const GroupRules rules_;
  ConsumerGroup group_;
  GroupTime now_ = seconds(1'000);
  GroupTicket tickets_ = 0;
  int ids_ = 0;
  std::uint64_t save_ = 0;
  std::map<GroupTicket, JoinAnswer> joins_;
  std::map<GroupTicket, SyncAnswer> syncs_;
};

}  // namespace millrace
