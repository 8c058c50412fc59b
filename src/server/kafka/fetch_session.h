// A fetch session (KIP-227): what one reader follows, kept from one fetch to the next, so that a request names only
// what changed of it and a reply only what is new.
//
//   asked, woken ──► active ──looked at: nothing new, and its watch stands──► at rest ──its watch wakes──► active
//
// A fetch looks at the active ones, in the order of their turns. What was given records goes to the end of that order,
// so that under a limit of bytes all get theirs. Knows no sockets, no log and no time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/metadata_image.h"
#include "engine/partition_watches.h"
#include "kafka/messages/fetch.h"
#include "server/byte_budget.h"
#include "server/turn_loop.h"

namespace millrace {

class SessionWatches;

/// How a request names its topics: by name up to v12, by id from v13 on. A session keeps to one of them.
enum class TopicsBy { kName, kId };

struct SessionTopic;

/// One partition of a session.
struct SessionPartition {
  const SessionTopic* topic = nullptr;
  kafka::FetchRequest::Partition asked;  // as the client asked last
  // As the client was told last; -1 where it was told nothing, or an error.
  std::int64_t high_watermark = -1, log_start = -1;
  // Where it was found, and what wakes the session for it; none: to be looked for.
  PartitionHandle handle;
  PartitionWatches::Id watch = 0;

 private:
  friend class FetchSession;
  static constexpr std::size_t kAtRest = SIZE_MAX;
  std::uint64_t turn = 0;
  std::size_t place = kAtRest;  // among the active ones
};

struct SessionTopic {
  std::string name;  // or none
  kafka::Uuid id;    // or none
  std::map<std::int32_t, SessionPartition> partitions;
};

/// Of its loop's thread. One fetch at a time goes by it.
class FetchSession {
 public:
  /// What a partition is counted as, its watch included.
  static constexpr std::uint64_t kPartitionBytes = 512;
  /// And a topic, its name kept twice.
  static std::uint64_t TopicBytes(std::string_view name, const kafka::Uuid& id) {
    return 256 + 2 * (name.size() + id.bytes.size());
  }

  /// `budget` outlives it.
  FetchSession(std::int32_t id, TopicsBy by, ByteBudget& budget) : id_(id), by_(by), budget_(budget) {}
  ~FetchSession();
  FetchSession(const FetchSession&) = delete;
  FetchSession& operator=(const FetchSession&) = delete;

  [[nodiscard]] std::int32_t id() const { return id_; }
  [[nodiscard]] TopicsBy by() const { return by_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t at_rest() const { return size_ - active_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  // What a client changes.
  /// What its partitions are asked from now on, and those that are new to it; all are active then. False: the budget
  /// has no room for them; what was changed until then stays.
  [[nodiscard]] bool Ask(kafka::Array<kafka::FetchRequest::Topic> topics);
  /// One that it follows.
  [[nodiscard]] SessionPartition& At(std::string_view name, const kafka::Uuid& id, std::int32_t partition);
  void Forget(kafka::Array<kafka::FetchRequest::ForgottenTopic> topics);
  /// Watches of partitions that were forgotten since the last call.
  [[nodiscard]] std::vector<PartitionWatches::Id> TakeForgotten() { return std::exchange(forgotten_, {}); }

  // What a fetch looks at.
  /// In the order of their turns. Cost: the logarithm of their number, for each.
  [[nodiscard]] std::vector<SessionPartition*> Active() const;
  void Wake(SessionPartition& partition);
  /// Not looked at until it wakes.
  void Rest(SessionPartition& partition);

  /// What a look at a partition gave.
  struct Found {
    std::uint64_t bytes = 0;  // of records
    std::int64_t high_watermark = -1, log_start = -1;
    bool failed = false;     // there is an error to tell
    bool diverging = false;  // or where the client's log and this one part
  };
  /// Whether the reply names the partition; taken for told from then on.
  bool Tell(SessionPartition& partition, const Found& found);

  // Of the one fetch that goes by it at present.
  /// The one before is told that another has come.
  void Enter(std::function<void()> superseded);
  void Leave() { superseded_ = nullptr; }
  /// What its partitions wait on; made by who first needs it.
  [[nodiscard]] std::shared_ptr<SessionWatches>& watches() { return watches_; }

 private:
  friend class FetchSessions;
  using Topics = std::map<std::string, SessionTopic, std::less<>>;

  [[nodiscard]] std::string_view KeyOf(std::string_view name, const kafka::Uuid& id) const;
  [[nodiscard]] SessionTopic* FindOrAdd(std::string_view name, const kafka::Uuid& id);
  [[nodiscard]] bool Take(std::uint64_t bytes);
  void Give(std::uint64_t bytes);
  void Drop(Topics::iterator topic, std::int32_t partition);

  const std::int32_t id_;
  const TopicsBy by_;
  ByteBudget& budget_;
  Topics topics_;
  std::vector<SessionPartition*> active_;  // in no order
  std::vector<PartitionWatches::Id> forgotten_;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0, last_turn_ = 0;
  std::function<void()> superseded_;
  std::shared_ptr<SessionWatches> watches_;
  // Kept by the table it is in.
  std::int32_t epoch_ = 1;  // of the next request
  bool privileged_ = false;
  TurnLoop::Time created_{0}, used_{0};
};

}  // namespace millrace
