// What the handlers of a server ask about groups. Holds all groups, keeps them within their budget, has what must be
// durable written before it is answered, and wakes them when time is up.
//
//   Join, Sync, … ─► ConsumerGroup ─► effects ─┬─► done: answers
//                        ▲                     └─► GroupWrites ─► (a transaction) ─► Saved
//                        └── Tick, at the time that wake_at was told
//
// docs/groups.md has the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "env/random.h"
#include "env/thread_pool.h"
#include "group/consumer_group.h"
#include "group/group_expiry.h"
#include "group/group_writes.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

struct GroupSettings {
  std::chrono::milliseconds initial_delay{3'000};
  std::chrono::milliseconds session_min{6'000}, session_max{30 * 60'000};
  std::chrono::milliseconds retention = std::chrono::hours(24 * 7);  // of an empty group, and of positions without one
  std::size_t members_max = 10'000;                                  // of one group, pending ids included
  std::size_t groups_max = 100'000;
  std::size_t member_bytes_max = 1 << 20;  // names, metadata and assignment of one member
  std::size_t bytes_max = 256 << 20;       // of all members
  std::size_t commits_max = 100'000;       // that wait for their transaction
};

struct GroupDescription {
  GroupError error = GroupError::kNone;
  GroupState state = GroupState::kDead;  // there is none
  std::string protocol_type, protocol;
  std::vector<MemberSnapshot> members;
};

struct GroupListing {
  std::string name, protocol_type;
  GroupState state = GroupState::kEmpty;
};

/// Of one thread, on which `post` has tasks run. A `done` is called once, at once or later, and calls nothing here.
/// Every call that waits may be cancelled; its `done` is then dropped.
class GroupCoordinator {
 public:
  struct Parts {
    MetadataStore& metadata;
    ThreadPool& pool;  // on which is waited for the metadata
    Random& random;
    std::function<GroupTime()> now;         // of the monotonic clock
    std::function<std::int64_t()> wall_ms;  // trusted time
    std::function<bool()> may_expire;       // whether trusted time is known
    GroupWrites::Post post;
    std::function<void(GroupTime)> wake_at;  // Tick is to be called then, or soon after; only the last one counts
    std::function<void(std::string_view)> tell;
  };

  /// Parts outlive it.
  GroupCoordinator(Parts parts, const GroupSettings& settings);
  GroupCoordinator(const GroupCoordinator&) = delete;
  GroupCoordinator& operator=(const GroupCoordinator&) = delete;

  /// Reads the groups that are kept; blocks. Before it has succeeded every call is answered kCoordinatorLoading; if it
  /// fails, it is tried again from time to time.
  Result<void> Load();
  /// Does what is due.
  void Tick();

  // Members.
  /// The ticket to cancel it by; 0: it was answered.
  GroupTicket Join(const std::string& group, const JoinCall& call, std::move_only_function<void(JoinAnswer)> done);
  GroupTicket Sync(const std::string& group, const SyncCall& call, std::move_only_function<void(SyncAnswer)> done);
  /// Nobody waits for the answer any more. The group goes on as if somebody did.
  void Cancel(GroupTicket ticket);
  GroupError Heartbeat(const std::string& group, const MemberIdentity& who, std::int32_t generation);
  /// One answer for each. kCoordinatorNotAvailable and kCoordinatorLoading are those of the whole group.
  std::vector<GroupError> Leave(const std::string& group, const std::vector<MemberIdentity>& who);

  // Positions.
  /// kNone once they are durable. `positions` are all of `group`; their time of commit is set here.
  void Commit(const std::string& group, const MemberIdentity& who, std::int32_t generation,
              std::vector<PositionRow> positions, std::move_only_function<void(GroupError)> done);
  using Positions = Result<std::vector<PositionRow>>;
  /// Those of `partitions`, or all of the group; with every commit that came before this call.
  void Fetch(const std::string& group, std::optional<std::vector<PartitionKey>> partitions,
             std::move_only_function<void(Positions)> done);

  // Groups.
  void List(std::move_only_function<void(Result<std::vector<GroupListing>>)> done);
  void Describe(const std::string& group, std::move_only_function<void(GroupDescription)> done);
  void Delete(const std::string& group, std::move_only_function<void(GroupError)> done);
  /// One answer for the group, and whether a topic is read; those that are not read are forgotten.
  enum class Forgotten { kYes, kSubscribed };
  struct ForgetAnswer {
    GroupError error = GroupError::kNone;
    std::vector<Forgotten> topics;  // as asked
  };
  struct ForgetTopic {
    std::string name;
    std::vector<PartitionKey> partitions;
  };
  void Forget(const std::string& group, std::vector<ForgetTopic> topics,
              std::move_only_function<void(ForgetAnswer)> done);

  [[nodiscard]] std::size_t groups() const { return groups_.size(); }
  /// Of names, metadata and assignments of all members.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Joins and syncs that wait.
  [[nodiscard]] std::size_t parked() const { return joins_.size() + syncs_.size(); }

 private:
  struct Group {
    explicit Group(ConsumerGroup a_machine) : machine(std::move(a_machine)) {}
    ConsumerGroup machine;
    std::optional<GroupTime> due;     // as in deadlines_
    std::size_t bytes = 0;            // as counted in bytes_
    std::size_t writes = 0;           // that are not answered
    std::int64_t empty_since_ms = 0;  // 0: it has members
    bool kept = false;                // there is a row of it, or may be
  };
  using Groups = std::map<std::string, Group, std::less<>>;

  [[nodiscard]] GroupRules Rules() const { return {settings_.initial_delay, settings_.members_max}; }
  void Take(const std::vector<StoredGroup>& stored);
  void RetryLoad();
  [[nodiscard]] GroupError CheckJoin(const std::string& group, const JoinCall& call) const;
  [[nodiscard]] GroupError CheckSync(const SyncCall& call) const;
  [[nodiscard]] GroupError CheckName(std::string_view group) const;
  Group* Find(std::string_view name);
  Group& FindOrMake(const std::string& name);
  std::string NewMemberId(const JoinCall& call);
  /// Makes `call(machine, effects)` and settles it. `soonest`: when the member that calls is due at the earliest. The
  /// group may be gone afterwards.
  template <class Call>
  void OnGroup(const std::string& name, Group& group, std::optional<GroupTime> soonest, Call call);
  /// Answers go out, a snapshot in, and when the group is due is noted.
  void Settle(const std::string& name, Group& group, GroupEffects& effects, std::optional<GroupTime> due);
  void Save(const std::string& name, Group& group, std::uint64_t number);
  void OnSaved(const std::string& name, std::uint64_t number, const Result<void>& result);
  void Answer(GroupEffects& effects);
  void NoteDue(const std::string& name, Group& group, std::optional<GroupTime> due);
  void ForgetDue(const std::string& name, Group& group);
  void Wake();
  void DropIfBlank(const std::string& name);
  void RemoveDead(const std::string& name, bool gone);
  void Sweep();
  void Expire(const std::string& name, const GroupExpiry& expiry);

  const Parts parts_;
  const GroupSettings settings_;
  GroupWrites writes_;
  bool loaded_ = false;
  Groups groups_;
  std::set<std::pair<GroupTime, std::string>> deadlines_;
  std::optional<GroupTime> wake_;
  GroupTime next_sweep_{}, next_load_{};
  std::size_t bytes_ = 0;
  GroupTicket last_ticket_ = 0;
  std::unordered_map<GroupTicket, std::move_only_function<void(JoinAnswer)>> joins_;
  std::unordered_map<GroupTicket, std::move_only_function<void(SyncAnswer)>> syncs_;
};

}  // namespace millrace
