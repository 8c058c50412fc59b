// Appends over the wire: batches go out as they come, several before the first is answered, and answers come in order.
//
//   Append ─► inbox ─► lane of its partition ─► in flight on the connection of the leader ─► answer ─► done
//                        ▲ no answer, or one that may change: again, after a pause, in the order of the lane
//                        └──────────────────────────────────────────────────────────────────┘
// Where the server gives producers an id, batches are numbered when they are first sent. One that was sent and never
// answered may be stored: it is sent again with its number, by which the server knows it and answers as it answered, or
// would have answered, the first time. A server without ids gets it once only, and nothing behind it in its partition.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "client/cluster.h"
#include "client/log.h"
#include "kafka/messages/produce.h"
#include "millrace/options.h"

namespace millrace::client {

/// Append and Abandon belong to one thread. Everything below the inbox is of its own thread.
class RemoteAppender : public LogAppender {
 public:
  /// With connections of its own. Errors: kInvalidArgument (the topic does not give the durability that is asked for),
  /// those of Cluster::Open, kUnavailable (no thread, no descriptor).
  static Result<std::unique_ptr<LogAppender>> Start(const ClusterOptions& options, const LogTopic& topic,
                                                    const AppendOptions& append);
  ~RemoteAppender() override;

  void Append(const TopicPartition& partition, std::span<const Record> records,
              std::move_only_function<void(Result<AppendReceipt>)> done) override;
  Result<void> Abandon() override;

 private:
  struct Plan {  // how this topic is appended to
    std::int16_t acks = -1;
    Durability reached = Durability::kDisk;
    Compression compression = Compression::kNone;
    AppendBounds bounds;
    std::chrono::milliseconds timeout{30'000};
  };
  enum class State { kQueued, kSent, kRefused };
  struct Batch {
    TopicPartition partition;
    Buffer built;       // until it is sent the first time
    SharedBytes bytes;  // as it is sent
    std::int32_t records = 0;
    std::optional<std::int32_t> sequence;  // of its first record, in `bytes`
    bool doubtful = false;                 // it was sent, and may be stored
    std::int64_t timestamp_ms = 0;         // of the last record
    std::move_only_function<void(Result<AppendReceipt>)> done;
    State state = State::kQueued;
  };
  /// The batches of one partition that have no answer yet, in order.
  struct Lane {
    std::deque<std::shared_ptr<Batch>> batches;
    SteadyTime not_before;  // the next attempt
    std::chrono::milliseconds pause{0};
    std::optional<SteadyTime> gives_up;  // since an attempt failed, until one succeeds
    std::optional<Error> ended;          // why nothing of this partition is sent any more
    std::int32_t next_sequence = 0;      // of the next batch that has none
    std::optional<std::int32_t> gap;     // the number of one that was refused for good: the server still waits for it
  };
  struct InFlight {
    std::shared_ptr<Batch> batch;
    std::int32_t number = 0;
    std::int16_t version = 0;
  };
  struct Link {
    ConnectionRef connection;
    std::deque<InFlight> in_flight;  // in the order of their answers
    SteadyTime waiting_since;        // for the answer of the first
  };

  RemoteAppender(const Plan& plan, std::unique_ptr<Alarm> stop, std::unique_ptr<Alarm> wake)
      : plan_(plan), stop_(std::move(stop)), wake_(std::move(wake)) {}
  static Result<Plan> PlanOf(const LogTopic& topic, const AppendOptions& append);
  /// None: the server gives no ids.
  static Result<std::optional<ProducerStamp>> NewProducer(Cluster& cluster);

  void Run(const std::stop_token& stop);
  void TakeInbox();
  void SendAll();
  /// Of a lane that has something to send now, and does not know where.
  [[nodiscard]] bool NeedsLeader(const Lane& lane) const;
  [[nodiscard]] bool AnyInFlight() const;
  void FindLeader(Lane& lane);
  void SendReady(Lane& lane);
  /// As many of a lane are in flight as the server remembers, or only one, until a gap in the numbers is closed.
  [[nodiscard]] bool IsFull(const Lane& lane) const;
  /// While nothing of the lane is in flight: what has lost its number, and all behind it, is to get the next ones.
  static void CloseGap(Lane& lane);
  /// Freezes its bytes, with the next number of its lane if it has none and is to have one.
  void Number(Lane& lane, Batch& batch) const;
  /// False: it goes no further for now, and the lane knows when.
  bool SendNext(Lane& lane, const std::shared_ptr<Batch>& batch);
  void Pause(Lane& lane, const Error& why);
  void Receive(Link& link);
  void TakeAnswer(const std::shared_ptr<Batch>& batch, const Answer<kafka::ProduceResponse>& answer);
  void TakeCode(const std::shared_ptr<Batch>& batch, const kafka::ProduceResponse::Partition& told);
  /// The server waits for a number below that of `batch`. False: nobody knows why.
  bool TakeOutOfOrder(Lane& lane, const std::shared_ptr<Batch>& batch);
  /// Refused for good: it is not stored, unless it was in doubt.
  void Refuse(const std::shared_ptr<Batch>& batch, std::int16_t code, const Error& refused);
  /// All that was sent on it has an unknown outcome.
  void Lose(Link& link, const Error& why);
  /// The same of one: it is sent again if it has a number.
  void Doubt(const std::shared_ptr<Batch>& batch, const Error& why);
  static Error MayBeStored(const Batch& batch, std::string_view why);
  void Lose(const std::shared_ptr<Batch>& batch, std::string_view why);
  void LoseLate();
  /// Takes it out of its lane and tells its caller.
  void Finish(const std::shared_ptr<Batch>& batch, Result<AppendReceipt> result);
  void EndLane(Lane& lane, const Error& why);
  void AwaitSomething();
  [[nodiscard]] SteadyTime AnswerDeadline(const Link& link) const;
  void EndAll();

  const Plan plan_;
  const std::unique_ptr<Alarm> stop_, wake_;  // all ends; there is something in the inbox

  // Of the thread.
  std::unique_ptr<Cluster> cluster_;
  std::optional<ProducerStamp> producer_;  // none: batches have no numbers
  std::map<TopicPartition, Lane> lanes_;
  std::map<std::int32_t, Link> links_;  // by node

  Mutex mutex_;
  std::vector<std::shared_ptr<Batch>> inbox_ MR_GUARDED_BY(mutex_);
  bool closed_ MR_GUARDED_BY(mutex_) = false;

  std::jthread thread_;
};

}  // namespace millrace::client
