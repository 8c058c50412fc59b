// What members of a group ask and are answered, in the words of Kafka's classic group protocol and free of its wire.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

/// Kafka's codes, so that handlers pass them on as they are.
enum class GroupError : std::int16_t {
  kUnknownServerError = -1,
  kNone = 0,
  kUnknownTopicOrPartition = 3,
  kOffsetMetadataTooLarge = 12,
  kCoordinatorLoading = 14,
  kCoordinatorNotAvailable = 15,
  kIllegalGeneration = 22,
  kInconsistentProtocol = 23,
  kInvalidGroupId = 24,
  kUnknownMember = 25,
  kInvalidSessionTimeout = 26,
  kRebalanceInProgress = 27,
  kNonEmptyGroup = 68,
  kGroupIdNotFound = 69,
  kMemberIdRequired = 79,
  kGroupFull = 81,
  kFencedInstance = 82,
};

/// Of the monotonic clock.
using GroupTime = std::chrono::nanoseconds;

/// A join or sync that waits for its answer; never 0.
using GroupTicket = std::uint64_t;

/// One way of assigning that a member knows, and what it tells the assignor. Opaque.
struct GroupProtocol {
  std::string name, metadata;
  friend bool operator==(const GroupProtocol&, const GroupProtocol&) = default;
};

/// Who speaks. `instance`: of a static member.
struct MemberIdentity {
  std::string member;
  std::optional<std::string> instance;
};

struct JoinCall {
  MemberIdentity who;  // no member id: a new member
  std::string client_id, client_host;
  std::string protocol_type;
  std::vector<GroupProtocol> protocols;  // those it likes best first
  std::chrono::milliseconds session_timeout{}, rebalance_timeout{};
  bool takes_member_id = false;   // from v4 on: comes back with the id it is given
  bool skips_assignment = false;  // from v9 on: understands that a leader has nothing to assign
};

struct JoinedMember {
  std::string member;
  std::optional<std::string> instance;
  std::string metadata;
};

struct JoinAnswer {
  GroupError error = GroupError::kNone;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol;
  std::string leader, member;
  bool skip_assignment = false;
  std::vector<JoinedMember> members;  // for the leader
};

struct SyncCall {
  MemberIdentity who;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol;            // told from v5 on
  std::vector<std::pair<std::string, std::string>> assignments;  // of the leader: member, assignment
};

struct SyncAnswer {
  GroupError error = GroupError::kNone;
  std::optional<std::string> protocol_type, protocol;
  std::string assignment;
};

enum class GroupState { kEmpty, kPreparing, kCompleting, kStable, kDead };

/// As Kafka's tools spell it.
std::string_view GroupStateName(GroupState state);

/// What is to be known of a member across a restart.
struct MemberSnapshot {
  std::string member;
  std::optional<std::string> instance;
  std::string client_id, client_host;
  std::chrono::milliseconds session_timeout{}, rebalance_timeout{};
  std::string metadata;  // for the group's protocol
  std::string assignment;
  friend bool operator==(const MemberSnapshot&, const MemberSnapshot&) = default;
};

/// A group in a generation that is complete.
struct GroupSnapshot {
  std::string protocol_type, protocol;
  std::int32_t generation = 0;
  std::string leader;
  std::vector<MemberSnapshot> members;  // in the order of their joining; none: it is empty
  friend bool operator==(const GroupSnapshot&, const GroupSnapshot&) = default;
};

}  // namespace millrace
