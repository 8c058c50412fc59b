// Fetch: what memory has at once, what lies elsewhere by the pool for cold reads, and else a wait that appends end.
//
//   open ─► tail ─► enough, an error, no time ──────────────────────────► reply
//             │ some lies elsewhere ─► pool ─► back on the loop ─►┐         ▲
//             └ too little ─► parked: woken, timed out, stopped ──┴─────────┘
#include "kafka/messages/fetch.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/kafka/fetch_part.h"
#include "server/kafka/fetch_watches.h"
#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::FetchRequest;
using kafka::FetchResponse;

constexpr std::size_t kColdReadsMax = 16;          // of one fetch at a time
constexpr std::chrono::seconds kColdReadTime{20};  // less than a client waits for its answer
constexpr std::int32_t kNewSession = 0, kNoSession = -1;

/// Bytes of cold reads that are counted until the last slice of them has left.
class HeldBytes {
 public:
  HeldBytes(ByteBudget& budget, std::uint64_t bytes) : budget_(budget), bytes_(bytes) {}
  ~HeldBytes() { budget_.Give(bytes_); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  void Shrink(std::uint64_t bytes) {
    if (bytes >= bytes_) return;
    budget_.Give(bytes_ - bytes);
    bytes_ = bytes;
  }

 private:
  ByteBudget& budget_;
  std::uint64_t bytes_;
};

/// The same bytes, which hold `held` too.
SharedBytes Holding(SharedBytes slice, const std::shared_ptr<HeldBytes>& held) {
  auto owner = std::make_shared<std::pair<SharedBytes, std::shared_ptr<HeldBytes>>>(std::move(slice), held);
  const std::span<const std::byte> bytes = owner->first.bytes();
  return {std::move(owner), bytes};
}

class FetchCall : public std::enable_shared_from_this<FetchCall> {
 public:
  FetchCall(Broker& broker, RequestRef request, const FetchRequest& body)
      : broker_(broker),
        loop_(broker.loop()),
        request_(std::move(request)),
        body_(body),
        bytes_max_(std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max(body.max_bytes, 1)),
                                           broker.settings().fetch_bytes_max)),
        deadline_(loop_.Now() + std::chrono::milliseconds(std::max(body.max_wait_ms, 0))) {}

  void Begin() {
    // Sessions are not kept: a client that goes on with one is told to begin again.
    if (body_.session_epoch != kNewSession && body_.session_epoch != kNoSession) return RefuseSession();
    OpenParts();
    request_->Wait([weak = weak_from_this()](WaitEnd why) {
      if (const auto self = weak.lock()) self->EndWait(why);
    });
    for (FetchPart& part : parts_) ReadTail(part);
    Evaluate();
  }

 private:
  void RefuseSession() {
    FetchResponse response;
    response.error_code = reply_code::kFetchSessionIdNotFound;
    ReplyWith(*std::exchange(request_, nullptr), response);
  }

  void OpenParts() {
    for (const FetchRequest::Topic& topic : body_.topics) {
      for (const FetchRequest::Partition& asked : topic.partitions) {
        FetchPart& part = parts_.emplace_back();
        part.Open(broker_.log(), topic.topic, asked);
        // One that follows is not known here, and would move what it may not.
        if (body_.replica_id >= 0) part.code = reply_code::kClusterAuthorizationFailed;
      }
    }
  }

  [[nodiscard]] std::uint64_t BytesLeft() const { return bytes_max_ - std::min(total_, bytes_max_); }

  void ReadTail(FetchPart& part) {
    if (!part.readable()) return;
    const std::uint64_t before = part.bytes;
    part.ReadTail(broker_.log(), BytesLeft(), total_ == 0 ? Overshoot::kFirstBatch : Overshoot::kNever);
    total_ += part.bytes - before;
  }

  [[nodiscard]] bool HasCold() const {
    return BytesLeft() > 0 &&
           std::ranges::any_of(parts_, [](const FetchPart& part) { return part.readable() && part.elsewhere; });
  }
  /// Whether a wait could bring anything: not where every partition, or the reply, has reached its limit.
  [[nodiscard]] bool CanGrow() const { return BytesLeft() > 0 && std::ranges::any_of(parts_, &FetchPart::readable); }

  void Evaluate() {
    if (request_ == nullptr) return;
    const bool cold = HasCold() && !stopping_;
    // A cold partition is read whatever the others say, or an error beside it would starve it.
    if (cold && (total_ == 0 || !cold_tried_)) return ReadCold();
    const bool enough = total_ >= static_cast<std::uint64_t>(std::max(body_.min_bytes, 0));
    if (stopping_ || enough || !CanGrow() || loop_.Now() >= deadline_ ||
        std::ranges::any_of(parts_, &FetchPart::ends_wait))
      return Finish();
    if (cold) return ReadCold();
    Park();
  }

  /// Each partition gets an equal part of what is left; the first may pass it with one batch if nothing else is there.
  void ReadCold() {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < parts_.size() && chosen.size() < kColdReadsMax; ++i) {
      if (parts_[i].readable() && parts_[i].elsewhere) chosen.push_back(i);
    }
    const std::uint64_t share = std::max<std::uint64_t>(BytesLeft() / chosen.size(), 1);
    std::vector<std::uint64_t> limits;
    std::uint64_t wanted = 0;
    for (const std::size_t i : chosen) {
      limits.push_back(std::min(share, parts_[i].bytes_max - std::min(parts_[i].bytes, parts_[i].bytes_max)));
      wanted += limits.back();
    }
    if (!broker_.cold_bytes().TryTake(wanted)) return AwaitColdBytes();
    cold_tried_ = true;
    reading_ = chosen.size();
    for (std::size_t k = 0; k < chosen.size(); ++k) {
      const Overshoot overshoot = k == 0 && total_ == 0 ? Overshoot::kFirstBatch : Overshoot::kNever;
      ReadColdPart(chosen[k], limits[k], overshoot);
    }
  }

  void ReadColdPart(std::size_t index, std::uint64_t limit, Overshoot overshoot) {
    PartitionAccess& log = broker_.log();
    broker_.RunBlocking(
        Broker::Pool::kCold,
        [&log, partition = parts_[index].partition, begin = parts_[index].next, limit, overshoot] {
          return log.Read(partition, begin, ReadLimits{.bytes_max = limit, .timeout = kColdReadTime}, overshoot);
        },
        [self = shared_from_this(), index, limit](Result<BatchReadResult> read) {
          self->TakeCold(self->parts_[index], limit, std::move(read));
        });
  }

  void TakeCold(FetchPart& part, std::uint64_t limit, Result<BatchReadResult> read) {
    const auto held = std::make_shared<HeldBytes>(broker_.cold_bytes(), limit);
    const std::uint64_t before = part.bytes;
    if (read) {
      for (SharedBytes& batch : read->batches) batch = Holding(std::move(batch), held);
    }
    part.Add(std::move(read));
    held->Shrink(part.bytes - before);
    total_ += part.bytes - before;
    if (--reading_ == 0) Evaluate();
  }

  /// Clients have not taken yet what was read for them: reading more would only be held in memory.
  void AwaitColdBytes() {
    broker_.cold_bytes().AwaitBytes([&loop = loop_, self = shared_from_this()]() mutable {
      loop.Post([self = std::move(self)] { self->Evaluate(); });
    });
  }

  FetchWatches& Watches() {
    std::shared_ptr<void>& kept = request_->fetch_state();
    if (kept == nullptr) kept = FetchWatches::Make(broker_.log(), loop_);
    watches_ = std::static_pointer_cast<FetchWatches>(kept);
    return *watches_;
  }

  void Park() {
    if (watches_ == nullptr) BeginPark();
    bool reached = false;
    for (FetchPart& part : parts_) {
      if (!part.readable() || part.armed) continue;
      part.armed = watches_->Arm(part.partition, part.next);
      if (part.armed) continue;
      ReadTail(part);
      reached = true;
    }
    // The next turn looks again, so that others have theirs in between.
    if (reached) loop_.Post([self = shared_from_this()] { self->Evaluate(); });
  }

  void BeginPark() {
    for (FetchPart& part : parts_) {
      if (part.partition) by_partition_.emplace(&part.partition.name(), &part);
    }
    Watches().Begin([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Woken();
    });
    timer_ = loop_.StartTimer(deadline_, [self = shared_from_this()] {
      self->timer_ = 0;
      if (self->reading_ == 0) self->Finish();
    });
  }

  void Woken() {
    if (request_ == nullptr) return;
    for (const PartitionHandle partition : watches_->Take()) {
      const auto found = by_partition_.find(&partition.name());
      if (found != by_partition_.end()) ReadTail(*found->second);
    }
    if (reading_ == 0) Evaluate();
  }

  void EndWait(WaitEnd why) {
    const auto self = shared_from_this();
    stopping_ = true;
    if (why == WaitEnd::kPeerGone) {
      StopWaiting();
      if (const RequestRef request = std::exchange(request_, nullptr)) request->EndByClosing({});
    } else if (reading_ == 0) {
      Finish();
    }
  }

  void StopWaiting() {
    if (timer_ != 0) loop_.StopTimer(std::exchange(timer_, 0));
    if (watches_ != nullptr) std::exchange(watches_, nullptr)->End();
  }

  void Finish() {
    const auto self = shared_from_this();
    StopWaiting();
    const RequestRef request = std::exchange(request_, nullptr);
    if (request == nullptr) return;
    kafka::Arena& arena = request->arena;
    const auto topics = arena.New<FetchResponse::Topic>(body_.topics.size());
    std::size_t next = 0;
    for (std::size_t t = 0; t < topics.size(); ++t) {
      const FetchRequest::Topic& asked = body_.topics[t];
      const auto partitions = arena.New<FetchResponse::Partition>(asked.partitions.size());
      for (std::size_t p = 0; p < partitions.size(); ++p)
        partitions[p] = Answer(asked.partitions[p].partition, parts_[next++]);
      topics[t].topic = asked.topic;
      topics[t].partitions = partitions;
    }
    FetchResponse response;
    response.responses = topics;
    ReplyWith(*request, response);
  }

  [[nodiscard]] FetchResponse::Partition Answer(std::int32_t index, const FetchPart& part) const {
    constexpr std::int8_t kReadCommitted = 1;
    FetchResponse::Partition answer;
    answer.partition_index = index;
    answer.error_code = part.code;
    answer.high_watermark = answer.last_stable_offset = part.high_watermark;
    answer.log_start_offset = part.log_start;
    answer.diverging_epoch = part.diverging;
    // Kafka lists none for what it does not have, and tells of none where it was not asked for committed records.
    if (body_.isolation_level != kReadCommitted && part.code != reply_code::kUnknownTopic)
      answer.aborted_transactions = std::nullopt;
    // Empty and not null: clients take null for a broken answer.
    answer.records = kafka::Records{.view = {}, .slices = part.batches};
    return answer;
  }

  Broker& broker_;
  TurnLoop& loop_;
  RequestRef request_;       // none: it was answered
  const FetchRequest body_;  // views into the request: used while there is one
  const std::uint64_t bytes_max_;
  const TurnLoop::Time deadline_;
  std::vector<FetchPart> parts_;  // in the order of the request
  std::uint64_t total_ = 0;
  std::size_t reading_ = 0;  // cold reads in flight
  bool cold_tried_ = false, stopping_ = false;
  std::shared_ptr<FetchWatches> watches_;  // while parked
  std::unordered_map<const TopicPartition*, FetchPart*> by_partition_;
  TurnLoop::TimerId timer_ = 0;
};

}  // namespace

void HandleFetch(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<FetchRequest>(*request);
  if (body) std::make_shared<FetchCall>(broker, request, *body)->Begin();
}

}  // namespace millrace
