// Produce: each batch is checked, stamped and staged in the turn of the loop; the reply goes when the last of them is
// where `acks` wants it.
//
//   checked ─► staged ─► committed ─► reply            no room: OnRoom, then staged again, with what stands behind it
#include "kafka/messages/produce.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/clock.h"
#include "record/batch_check.h"
#include "record/batch_slice.h"
#include "server/kafka/fixed_settings.h"
#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::ProduceRequest;
using kafka::ProduceResponse;

constexpr std::int16_t kZstdSince = 7;

/// One partition of the request, from its batch to its answer.
struct Part {
  PartitionHandle partition;
  std::span<std::byte> batch;  // in the frame
  Buffer staged;               // taken from it, until the log has it
  std::int16_t code = reply_code::kNone;
  std::string message;
  std::optional<std::int32_t> record;  // which one is to blame
  std::int64_t base_offset = -1;
  std::int64_t append_time_ms = -1;
};

class ProduceCall : public std::enable_shared_from_this<ProduceCall> {
 public:
  ProduceCall(Broker& broker, RequestRef request, const ProduceRequest& body)
      : broker_(broker), loop_(broker.loop()), request_(std::move(request)), body_(body) {}

  void Begin() {
    if (body_.acks < -1 || body_.acks > 1) return RefuseAll(reply_code::kInvalidRequiredAcks);
    for (const ProduceRequest::Topic& topic : body_.topic_data) {
      for (const ProduceRequest::Partition& partition : topic.partition_data) Check(topic.name, partition);
    }
    request_->Wait([weak = weak_from_this()](WaitEnd why) {
      const auto self = weak.lock();
      if (self != nullptr && why == WaitEnd::kPeerGone) self->StopTimer();
    });
    StageFrom(0);
  }

 private:
  void RefuseAll(std::int16_t code) {
    for (const ProduceRequest::Topic& topic : body_.topic_data) {
      for (std::size_t i = 0; i < topic.partition_data.size(); ++i) parts_.push_back({.code = code});
    }
    End();
  }

  void Check(std::string_view topic, const ProduceRequest::Partition& wanted) {
    Part& part = parts_.emplace_back();
    part.partition = broker_.log().Find(topic, PartitionId(wanted.index));
    if (!part.partition) {
      part.code = reply_code::kUnknownTopic;
      return;
    }
    const kafka::Bytes view = wanted.records ? wanted.records->view : kafka::Bytes();
    const BatchDemands demands{
        .batch_bytes_max = broker_.settings().batch_bytes_max,
        .timestamp_max_ms = broker_.log().clock().WallMs() + kTimestampAheadMaxMs,
    };
    const BatchVerdict verdict = CheckBatch(view, demands);
    if (!verdict.ok()) {
      part.code = reply_code::OfBatchFault(verdict.fault, body_.transactional_id.has_value());
      part.message = verdict.message;
      part.record = verdict.record;
    } else if (verdict.facts.compression == Compression::kZstd && request_->api_version < kZstdSince) {
      part.code = reply_code::kUnsupportedCompression;
    } else {
      const std::span<std::byte> frame = request_->frame().bytes;
      part.batch = frame.subspan(static_cast<std::size_t>(view.data() - frame.data()), view.size());
    }
  }

  [[nodiscard]] Durability Asked(const Part& part) const {
    return body_.acks == -1 ? broker_.log().durability(part.partition) : Durability::kOs;
  }

  /// In the order of the request, so that batches of one connection keep theirs.
  void StageFrom(std::size_t index) {
    const ReceivedFrame frame{request_->frame().owner, request_->frame().bytes};
    for (; index < parts_.size(); ++index) {
      Part& part = parts_[index];
      if (part.code != reply_code::kNone) continue;
      if (part.staged.size() == 0) part.staged = TakeBatch(frame, part.batch);
      CommitTurn::Done done = [self = shared_from_this(), index](const CommitOutcome& outcome) {
        self->Told(index, outcome);
      };
      const auto staged = broker_.turn().Stage(part.partition, part.staged, Asked(part), done);
      if (staged) {
        ++untold_;
        broker_.NoteStaged();
      } else if (PartitionAccess::NeedsRoom(staged.error())) {
        return AwaitRoom(index);
      } else {
        Fail(part, staged.error());
      }
    }
    all_staged_ = true;
    // Without acks the client waits for nothing, and is told of a refusal by the end of its connection.
    if (untold_ == 0 || body_.acks == 0) return End();
    timer_ = loop_.StartTimer(loop_.Now() + std::chrono::milliseconds(std::max(body_.timeout_ms, 0)),
                              [self = shared_from_this()] { self->TimeOut(); });
    request_->LetOverlap();
  }

  /// Until there is room, what stands behind this request waits too: order is kept, and the client is held back.
  void AwaitRoom(std::size_t index) {
    TurnLoop& loop = loop_;
    broker_.log().OnRoom(parts_[index].batch.size(),
                         [self = shared_from_this(), &loop, index](const Result<void>& room) mutable {
                           loop.Post([self = std::move(self), index, room] {
                             if (!room) self->Fail(self->parts_[index], room.error());
                             self->StageFrom(index);
                           });
                         });
  }

  static void Fail(Part& part, const Error& error) {
    part.code = reply_code::OfPartitionError(error);
    part.message = error.message();
  }

  void Told(std::size_t index, const CommitOutcome& outcome) {
    --untold_;
    Part& part = parts_[index];
    if (request_ == nullptr) return;
    part.base_offset = outcome.batch.base.value();
    // As with Kafka: what came a second time has its time told.
    if (outcome.batch.repeated) part.append_time_ms = outcome.batch.timestamp_ms;
    if (outcome.unknown) {
      Fail(part, *outcome.unknown);
      part.base_offset = -1;
    }
    if (untold_ == 0 && all_staged_) End();
  }

  /// The batches stay in the log and may become durable yet, as with Kafka.
  void TimeOut() {
    timer_ = 0;
    for (Part& part : parts_) {
      if (part.code == reply_code::kNone && part.base_offset < 0) part.code = reply_code::kRequestTimedOut;
    }
    End();
  }

  void StopTimer() {
    if (timer_ != 0) loop_.StopTimer(std::exchange(timer_, 0));
  }

  void End() {
    StopTimer();
    const RequestRef request = std::exchange(request_, nullptr);
    if (request == nullptr) return;
    if (body_.acks != 0) return Reply(*request);
    for (const Part& part : parts_) {
      if (part.code != reply_code::kNone)
        return request->EndByClosing(fmt::format("a produce request without acks failed with code {}", part.code));
    }
    request->EndWithoutReply();
  }

  void Reply(KafkaRequest& request) {
    kafka::Arena& arena = request.arena;
    const auto topics = arena.New<ProduceResponse::Topic>(body_.topic_data.size());
    std::size_t next = 0;
    for (std::size_t t = 0; t < topics.size(); ++t) {
      const ProduceRequest::Topic& asked = body_.topic_data[t];
      const auto partitions = arena.New<ProduceResponse::Partition>(asked.partition_data.size());
      for (std::size_t p = 0; p < partitions.size(); ++p)
        partitions[p] = Answer(arena, asked.partition_data[p].index, parts_[next++]);
      topics[t].name = asked.name;
      topics[t].partition_responses = partitions;
    }
    ProduceResponse response;
    response.responses = topics;
    ReplyWith(request, response);
  }

  ProduceResponse::Partition Answer(kafka::Arena& arena, std::int32_t index, const Part& part) {
    ProduceResponse::Partition answer;
    answer.index = index;
    answer.error_code = part.code;
    answer.base_offset = part.code == reply_code::kNone ? part.base_offset : -1;
    if (part.code == reply_code::kNone) {
      answer.log_append_time_ms = part.append_time_ms;
      if (const auto marks = broker_.log().Marks(part.partition))
        answer.log_start_offset = marks->offsets.log_start.value();
      return answer;
    }
    if (!part.message.empty()) answer.error_message = part.message;
    if (part.record) {
      const auto error = arena.New<ProduceResponse::RecordError>(1);
      error[0].batch_index = *part.record;
      if (!part.message.empty()) error[0].batch_index_error_message = part.message;
      answer.record_errors = error;
    }
    return answer;
  }

  Broker& broker_;
  TurnLoop& loop_;
  RequestRef request_;         // none: it was answered
  const ProduceRequest body_;  // views into the request's frame and arena: used while there is one
  std::vector<Part> parts_;    // in the order of the request
  std::size_t untold_ = 0;
  bool all_staged_ = false;
  TurnLoop::TimerId timer_ = 0;
};

}  // namespace

void HandleProduce(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<ProduceRequest>(*request);
  if (body) std::make_shared<ProduceCall>(broker, request, *body)->Begin();
}

}  // namespace millrace
