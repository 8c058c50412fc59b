// Appends over the wire: batches go out as they come, several before the first is answered, and answers come in order.
//
//   Append ─► inbox ─► lane of its partition ─► in flight on the connection of the leader ─► answer ─► done
//                        ▲ refused and surely not stored: again, after a pause, in the order of the lane
//                        └──────────────────────────────────────────────────────────────────┘
// A batch that was sent and never answered may be stored: it is not sent again, for there is no number yet by which a
// server would know the repetition, and what stands behind it in its partition is not sent either.
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
    SharedBytes bytes;
    std::int32_t records = 0;
    std::int64_t timestamp_ms = 0;  // of the last record
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

  void Run(const std::stop_token& stop);
  void TakeInbox();
  void SendAll();
  /// Of a lane that has something to send now, and does not know where.
  [[nodiscard]] bool NeedsLeader(const Lane& lane) const;
  [[nodiscard]] bool AnyInFlight() const;
  void FindLeader(Lane& lane);
  void SendReady(Lane& lane);
  /// False: it goes no further for now, and the lane knows when.
  bool SendNext(Lane& lane, const std::shared_ptr<Batch>& batch);
  void Pause(Lane& lane, const Error& why);
  void Receive(Link& link);
  void TakeAnswer(const std::shared_ptr<Batch>& batch, const Answer<kafka::ProduceResponse>& answer);
  void TakeCode(const std::shared_ptr<Batch>& batch, const kafka::ProduceResponse::Partition& told);
  /// All that was sent on it has an unknown outcome.
  void Lose(Link& link, const Error& why);
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
  std::map<TopicPartition, Lane> lanes_;
  std::map<std::int32_t, Link> links_;  // by node

  Mutex mutex_;
  std::vector<std::shared_ptr<Batch>> inbox_ MR_GUARDED_BY(mutex_);
  bool closed_ MR_GUARDED_BY(mutex_) = false;

  std::jthread thread_;
};

}  // namespace millrace::client
