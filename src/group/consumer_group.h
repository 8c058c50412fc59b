// One group of Kafka's classic protocol as a state machine. Pure: no clock, no lock, no I/O; docs/groups.md has its
// table.
//
//   call, time ─► ConsumerGroup ─► an answer at once, or a ticket that waits
//                     │
//                     └─► GroupEffects: answers to tickets; "make this durable", which Saved() answers
//
// After Apache Kafka's GroupCoordinator (classic groups), KIP-62, 345, 394, 559, 814.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "group/group_calls.h"

namespace millrace {

/// What a call brings about beside its own answer.
struct GroupEffects {
  std::vector<std::pair<GroupTicket, JoinAnswer>> joins;
  std::vector<std::pair<GroupTicket, SyncAnswer>> syncs;
  /// Not 0: Snapshot() as it is now is to be made durable, and Saved() told this number.
  std::uint64_t save = 0;
};

struct GroupRules {
  std::chrono::milliseconds initial_delay{3'000};  // of a rebalance that begins in Empty
  std::size_t members_max = 10'000;                // pending ids included
};

/// Every call but those that only look has a time, which never goes back. Answers come in the order in which tickets
/// were given to the group.
class ConsumerGroup {
 public:
  explicit ConsumerGroup(const GroupRules& rules) : rules_(rules) {}
  /// As a snapshot says; each member has one session from `now` on.
  ConsumerGroup(const GroupRules& rules, const GroupSnapshot& snapshot, GroupTime now);

  /// Answered by `effects`, now or later. `new_id`: never given before; taken if the member has none. Precondition:
  /// session and rebalance timeout are above 0.
  void Join(const JoinCall& call, const std::string& new_id, GroupTicket ticket, GroupTime now, GroupEffects& effects);
  void Sync(const SyncCall& call, GroupTicket ticket, GroupTime now, GroupEffects& effects);
  GroupError Heartbeat(const MemberIdentity& who, std::int32_t generation, GroupTime now);
  GroupError Leave(const MemberIdentity& who, GroupTime now, GroupEffects& effects);
  /// Whether a commit is taken, and the member's session extended if it is.
  GroupError CheckCommit(const MemberIdentity& who, std::int32_t generation, GroupTime now);
  /// The snapshot of `effects.save` is durable, or could not be made so.
  void Saved(std::uint64_t number, bool durable, GroupTime now, GroupEffects& effects);
  /// Does what is due by `now`.
  void Tick(GroupTime now, GroupEffects& effects);
  /// When something is due next. Cost: O(members).
  [[nodiscard]] std::optional<GroupTime> NextDeadline() const;
  /// When the rebalance at hand is over at the latest. Cost: none.
  [[nodiscard]] std::optional<GroupTime> PhaseDeadline() const;
  /// Precondition: Empty. Every call is answered kCoordinatorNotAvailable from now on, until Revive.
  void Die();
  void Revive();

  [[nodiscard]] GroupState state() const { return state_; }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  [[nodiscard]] const std::string& protocol_type() const { return protocol_type_; }
  [[nodiscard]] const std::string& protocol() const { return protocol_; }
  [[nodiscard]] std::size_t members() const { return members_.size(); }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  /// Of names, metadata and assignments.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Nothing is known of it that a group that was never there has not.
  [[nodiscard]] bool blank() const { return generation_ == 0 && members_.empty() && pending_.empty(); }
  [[nodiscard]] GroupSnapshot Snapshot() const;
  /// For Describe: members in the order of their joining; metadata and assignment in Stable alone.
  [[nodiscard]] std::vector<MemberSnapshot> Members() const;
  /// Whether a member of a group of consumers reads `topic`; also if that cannot be told.
  [[nodiscard]] bool IsSubscribed(std::string_view topic) const;

  /// Ends the process if the parts disagree. For tests.
  void CheckInvariants() const;

 private:
  struct Member {
    std::string id;
    std::optional<std::string> instance;
    std::string client_id, client_host;
    std::chrono::milliseconds session_timeout{}, rebalance_timeout{};
    std::vector<GroupProtocol> protocols;
    std::string assignment;
    std::uint64_t order = 0;  // of its joining
    bool is_new = false;      // since the generation at hand
    bool synced = false;      // in this generation
    bool restored = false;    // and has not spoken since
    GroupTicket join = 0, sync = 0;
    GroupTime deadline{};
  };
  /// A join whose answer waits for a snapshot to be durable.
  struct HeldJoin {
    std::uint64_t save;
    GroupTicket ticket;
    JoinAnswer answer;
  };

  // Joining (consumer_group_join.cc).
  GroupError JoinNew(const JoinCall& call, const std::string& new_id, GroupTicket ticket, GroupTime now,
                     GroupEffects& effects);
  GroupError JoinKnown(const JoinCall& call, GroupTicket ticket, GroupTime now, GroupEffects& effects);
  void Replace(const JoinCall& call, const std::string& new_id, GroupTicket ticket, GroupTime now,
               GroupEffects& effects);
  [[nodiscard]] JoinAnswer AnswerReplaced(const Member& member, const std::string& leader_before,
                                          bool skips_assignment) const;
  void Add(const JoinCall& call, const std::string& id, GroupTicket ticket, GroupTime now, GroupEffects& effects);
  void Update(Member& member, const JoinCall& call, GroupTicket ticket, GroupTime now, GroupEffects& effects);
  void TakeOver(Member& member, const JoinCall& call);
  void Await(Member& member, GroupTicket ticket, GroupEffects& effects);
  [[nodiscard]] bool SharesProtocol(const JoinCall& call) const;
  [[nodiscard]] bool IsFull() const { return members_.size() + pending_.size() >= rules_.members_max; }

  // Rebalancing and assigning (consumer_group.cc).
  void Rebalance(GroupTime now, GroupEffects& effects);
  void TryComplete(GroupTime now, GroupEffects& effects);
  void JoinTimeIsUp(GroupTime now, GroupEffects& effects);
  void SyncTimeIsUp(GroupTime now, GroupEffects& effects);
  void CompleteJoin(GroupTime now, GroupEffects& effects);
  void BecomeEmpty(GroupEffects& effects);
  void Assign(const SyncCall& call, GroupEffects& effects);
  void AnswerSyncs(GroupError error, GroupTime now, GroupEffects& effects);
  void Remove(const std::string& id, GroupError answer, GroupEffects& effects);
  void RemoveAndGoOn(const std::string& id, GroupTime now, GroupEffects& effects);
  bool ElectLeader();
  void Save(GroupEffects& effects) { effects.save = ++saves_; }

  // Looking.
  [[nodiscard]] GroupError Identify(const MemberIdentity& who) const;
  [[nodiscard]] GroupError CheckMember(const MemberIdentity& who, std::int32_t generation) const;
  Member& At(const std::string& id) { return members_.at(id); }
  static void Extend(Member& member, GroupTime now) {
    member.deadline = now + member.session_timeout;
    member.restored = false;
  }
  [[nodiscard]] static bool MayExpire(const Member& member);
  [[nodiscard]] std::string SelectProtocol() const;
  [[nodiscard]] const std::string& MetadataOf(const Member& member) const;
  [[nodiscard]] JoinAnswer AnswerFor(const Member& member) const;
  [[nodiscard]] std::vector<JoinedMember> JoinedMembers() const;
  [[nodiscard]] SyncAnswer SyncAnswerFor(const Member& member) const;
  [[nodiscard]] MemberSnapshot Describe(const Member& member) const;
  [[nodiscard]] std::vector<const Member*> InOrder() const;
  [[nodiscard]] std::chrono::milliseconds RebalanceTimeout() const;
  [[nodiscard]] static std::size_t BytesOf(const Member& member);

  const GroupRules rules_;
  GroupState state_ = GroupState::kEmpty;
  std::int32_t generation_ = 0;
  std::string protocol_type_, protocol_, leader_;
  std::map<std::string, Member> members_;
  std::map<std::string, std::string> instances_;  // instance id: member id
  std::map<std::string, GroupTime> pending_;      // ids given and not come back with: until when
  std::map<std::string, std::size_t> votes_;      // how many members know a protocol
  std::size_t waiting_joins_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t last_order_ = 0, saves_ = 0;

  GroupTime join_deadline_{}, sync_deadline_{};
  std::chrono::milliseconds delay_left_{};  // of the wait for the first: what may still be added
  bool delaying_ = false, came_new_ = false;
  bool syncing_ = false;           // sync_deadline_ counts
  std::uint64_t assigned_by_ = 0;  // the save that makes this generation's assignment durable
  std::vector<HeldJoin> held_;
};

}  // namespace millrace
