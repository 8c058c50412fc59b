// What the handlers of one loop stand on: the log, the topics as the loop knows them, the appends of its turn, and the
// pools for what blocks.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/commit_turn.h"
#include "engine/metadata_image.h"
#include "engine/partition_access.h"
#include "env/system_random.h"
#include "env/thread_pool.h"
#include "kafka/message.h"
#include "millrace/engine.h"
#include "millrace/options.h"
#include "server/byte_budget.h"
#include "server/kafka/fetch_sessions.h"
#include "server/kafka/group_desk.h"
#include "server/kafka/kafka_request.h"
#include "server/turn_loop.h"

namespace millrace {

/// What clients are told about this server, and what it does for them by itself.
struct BrokerSettings {
  std::int32_t node_id = 1;
  std::string cluster_id;
  std::string host = "localhost";  // as clients reach it
  std::int32_t port = 9092;
  bool auto_create_topics = false;
  TopicOptions topic_defaults;
  std::uint64_t batch_bytes_max = (1 << 20) + 12;  // Kafka's message.max.bytes
  std::uint64_t fetch_bytes_max = 55 << 20;        // of one reply, whatever the client asks for
  std::size_t fetch_sessions_max = 1'000;          // of the loop
};

/// Of its loop's thread; all it refers to outlives it.
class Broker {
 public:
  struct Parts {
    Engine& engine;
    PartitionAccess& log;
    TurnLoop& loop;
    ThreadPool& admin;          // what changes topics
    ThreadPool& cold;           // what reads from disk and object store
    ByteBudget& cold_bytes;     // of what it read and clients have not taken yet
    ByteBudget& session_bytes;  // of fetch sessions
    GroupDesk& groups;
  };
  /// A line for the operator, from any thread.
  using Tell = std::function<void(std::string_view line)>;

  Broker(const Parts& parts, BrokerSettings settings, Tell tell);

  [[nodiscard]] Engine& engine() const { return parts_.engine; }
  [[nodiscard]] PartitionAccess& log() const { return parts_.log; }
  [[nodiscard]] TurnLoop& loop() const { return parts_.loop; }
  [[nodiscard]] CommitTurn& turn() { return turn_; }
  /// A handler staged something: the turn is to be committed at its end.
  void NoteStaged() { staged_ = true; }
  [[nodiscard]] bool staged() const { return staged_; }
  /// Commits what was staged since the last time. False: nothing was.
  bool Commit();
  [[nodiscard]] ByteBudget& cold_bytes() const { return parts_.cold_bytes; }
  [[nodiscard]] FetchSessions& sessions() { return sessions_; }
  [[nodiscard]] const BrokerSettings& settings() const { return settings_; }
  [[nodiscard]] const Tell& tell() const { return tell_; }
  /// Groups live on this loop.
  [[nodiscard]] bool HasGroups() const { return parts_.groups.LivesOn(parts_.loop); }
  /// Runs `call(coordinator)` on the loop that groups live on: this one, at once, or another, soon.
  template <std::invocable<GroupCoordinator&> Call>
  void AskGroups(Call call) {
    parts_.groups.Ask(parts_.loop, std::move(call));
  }
  /// The topics as of now. Cost: one atomic load unless they changed.
  [[nodiscard]] std::shared_ptr<const MetadataImage> image();

  enum class Pool { kAdmin, kCold };
  /// Runs `work` on a thread of the pool, then `then` with its result on the loop's thread. Where the pool is closed
  /// neither runs, and the request they belong to ends with its connection.
  template <std::invocable Work, class Then>
  void RunBlocking(Pool pool, Work work, Then then) {
    TurnLoop& loop = parts_.loop;
    Submit(pool, [&loop, work = std::move(work), then = std::move(then)]() mutable {
      // Everything moves on to the loop: the last reference to a request is let go on its thread.
      loop.Post([then = std::move(then), result = work()]() mutable { then(std::move(result)); });
    });
  }

 private:
  void Submit(Pool pool, std::move_only_function<void()> task);

  const Parts parts_;
  const BrokerSettings settings_;
  const Tell tell_;
  CommitTurn turn_;
  SystemRandom random_;
  FetchSessions sessions_;
  bool staged_ = false;
  std::shared_ptr<const MetadataImage> image_;
};

/// The request's message, or none: then it has ended, for there is no way to answer what cannot be read.
template <class Message>
std::optional<Message> DecodeBody(KafkaRequest& request) {
  kafka::WireReader in(request.body, request.arena);
  auto message = kafka::Decode<Message>(in, request.api_version);
  if (message) return *message;
  request.EndByClosing(std::string(message.error().message()));
  return std::nullopt;
}

template <class Message>
void ReplyWith(KafkaRequest& request, const Message& message) {
  request.Reply(kafka::EncodeResponse(message, request.api_version, request.correlation_id));
}

/// A copy that lives as long as the request.
std::string_view Keep(kafka::Arena& arena, std::string_view text);

}  // namespace millrace
