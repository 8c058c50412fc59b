// A log as the verbs see it, wherever it is: in a directory, opened by this process (LocalLog), or behind a server
// (RemoteLog). Only the calls that both can answer; what an engine alone can do is asked of engine().
//
//   verbs ──► Log ──┬─ LocalLog ──► Engine
//                   └─ RemoteLog ─► Kafka's protocol ─► millrace serve, or another server that speaks it
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/description.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/receipt.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

class Engine;

/// How much a log tells of its topics.
enum class TopicDetail {
  kEngine,    // all that TopicDescription has
  kProtocol,  // name, id, settings, partitions, and of these log_start and log_end (the end that readers see) or broken
};

/// What an append may hold.
struct AppendBounds {
  std::uint64_t record_bytes_max = 1 << 20;  // key + value + headers of one record
  std::uint64_t batch_bytes_max = 16 << 20;
};

struct LogTopic : TopicDescription {
  TopicDetail detail = TopicDetail::kEngine;
  std::vector<std::pair<std::string, std::string>> settings;  // as Kafka spells them; those that were told
  std::optional<Durability> durability;  // none: it was not told, as by servers that know no such setting
  AppendBounds bounds;
};

struct NewTopic {
  TopicOptions options;
  std::vector<std::string>
      given;  // the keys of settings that the user gave; a server has defaults of its own for others
};

/// Appends to one topic. One thread; answers come from others. Closes itself, as Abandon does.
class LogAppender {
 public:
  virtual ~LogAppender() = default;
  /// The span may go once this returns. `done` runs exactly once, under no lock, on any thread (inline only for a
  /// refusal). Of one partition, records lie in the log in the order of these calls.
  /// Errors: as Engine::Append; over a server also kUnavailable for an outcome that is not known: the message says that
  /// the records may be stored, and appends behind it in the same partition are refused.
  virtual void Append(const TopicPartition& partition, std::span<const Record> records,
                      std::move_only_function<void(Result<AppendReceipt>)> done) = 0;
  /// Tells every open append its end, and takes no further one. A log in a directory is closed by it.
  virtual Result<void> Abandon() = 0;
};

/// A consumer among those of a group, who share the partitions of their topics out. One thread. It is out of the group
/// when it leaves, or some seconds after it is gone.
class LogMember {
 public:
  virtual ~LogMember() = default;
  struct Place {
    TopicPartition partition;
    std::optional<Offset> position;  // that the group has committed
  };
  struct Share {
    std::vector<Place> places;  // in partition order
    bool goes_on = false;       // of what it had before as well, nobody else has read meanwhile
  };
  /// Waits until the group has shared out, which it does among all who come within a time. Errors: kClosed (the stop of
  /// the RequestScope it was opened under), kInvalidArgument (the others share out in another way), those of the
  /// server.
  virtual Result<Share> Join() = 0;
  /// Somebody came or went: what was read is to be committed, and then to be joined again.
  [[nodiscard]] virtual bool MustJoin() const = 0;
  /// Durable when it returns. Errors: kFenced (the group has gone on without this member: it is not committed, and what
  /// follows the last commit is read again), those of the server.
  virtual Result<void> Commit(const TopicPartition& partition, Offset position) = 0;
  virtual Result<void> Leave() = 0;
};

enum class Closing { kAtOnce, kAfterUpkeep };

/// One thread. Waits end with kClosed when the stop of the thread's RequestScope is asked for.
class Log {
 public:
  virtual ~Log() = default;

  /// By name, partitions in order.
  virtual Result<std::vector<LogTopic>> DescribeTopics() = 0;
  /// kNotFound: there is none of this name.
  virtual Result<LogTopic> DescribeTopic(std::string_view name) = 0;
  /// Its partitions take appends when this returns. Errors: as Engine::CreateTopic.
  virtual Result<void> CreateTopic(std::string_view name, const NewTopic& topic) = 0;
  virtual Result<void> AddPartitions(const LogTopic& topic, std::int32_t more) = 0;
  virtual Result<void> DeleteTopic(std::string_view name) = 0;

  /// Errors: kInvalidArgument, if the log cannot reach the durability asked for.
  virtual Result<std::unique_ptr<LogAppender>> OpenAppender(const LogTopic& topic, const AppendOptions& options) = 0;
  /// As Engine::Read: records from `begin` on, none at the visible end.
  virtual Result<ReadResult> Read(const TopicPartition& partition, Offset begin, const ReadLimits& limits) = 0;
  /// Until one of the places has a record, `wait` is over, or the stop is asked for. An error of a partition may end it
  /// too: the next Read has it.
  virtual Result<void> AwaitMore(std::span<const ReadRequest> places, std::chrono::milliseconds wait) = 0;
  /// What readers see of a partition: [log_start, visible end).
  virtual Result<OffsetBounds> Bounds(const TopicPartition& partition) = 0;
  /// First offset whose timestamp is at or past it; none: the visible end.
  virtual Result<Offset> OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) = 0;

  // Groups: names for positions.
  /// By name.
  virtual Result<std::vector<std::string>> ListGroups() = 0;
  /// Where it stands, in partition order. kNotFound: there is none that has a position.
  virtual Result<std::vector<GroupPosition>> DescribeGroup(std::string_view group) = 0;
  /// Its members, and what each has. A group that is not there is told as Empty, or as Dead.
  virtual Result<GroupMembership> DescribeGroupMembers(std::string_view group) = 0;
  /// Errors: as Engine::SeekGroup; kUnavailable while the group has members, over a server.
  virtual Result<void> SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) = 0;
  /// Errors: kNotFound and kUnavailable (it has members), over a server.
  virtual Result<void> DeleteGroup(std::string_view group) = 0;

  /// Null: nobody shares this log, and a reader commits by SeekGroup. Not joined yet. Errors: those of the server.
  virtual Result<std::unique_ptr<LogMember>> OpenMember(std::string_view group,
                                                        const std::vector<std::string>& topics) = 0;

  virtual Result<void> Close(Closing how) = 0;
  /// The engine under a log in a directory; null over a server.
  [[nodiscard]] virtual Engine* engine() { return nullptr; }
};

}  // namespace millrace
