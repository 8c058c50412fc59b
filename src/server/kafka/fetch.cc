// Fetch: what memory has at once, what lies elsewhere by the pool for cold reads, and else a wait that appends end.
//
//   open ─► tail ─► enough, an error, no time ──────────────────────────► reply
//             │ some lies elsewhere ─► pool ─► back on the loop ─►┐         ▲
//             └ too little ─► parked: woken, timed out, stopped ──┴─────────┘
//
// Without a session, all that is asked is opened and answered. With one, what its watches and the request say has
// changed is opened, and what is new is answered; the rest costs nothing.
#include "kafka/messages/fetch.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/kafka/fetch_part.h"
#include "server/kafka/fetch_watches.h"
#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"
#include "server/kafka/session_watches.h"
#include "server/kafka/topic_names.h"

namespace millrace {
namespace {

using kafka::FetchRequest;
using kafka::FetchResponse;

constexpr std::size_t kColdReadsMax = 16;          // of one fetch at a time
constexpr std::chrono::seconds kColdReadTime{20};  // less than a client waits for its answer
constexpr std::int16_t kFirstById = 13, kFirstWithEndpoints = 16;

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
        by_(request_->api_version >= kFirstById ? TopicsBy::kId : TopicsBy::kName),
        follows_(std::max(body.replica_id, body.replica_state.replica_id) >= 0),
        bytes_max_(std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max(body.max_bytes, 1)),
                                           broker.settings().fetch_bytes_max)),
        deadline_(loop_.Now() + std::chrono::milliseconds(std::max(body.max_wait_ms, 0))) {}

  void Begin() {
    if (const std::int16_t code = FindSession(); code != reply_code::kNone) return Refuse(code, 0);
    if (session_ != nullptr) {
      OpenSession();
    } else {
      OpenParts();
    }
    request_->Wait([weak = weak_from_this()](WaitEnd why) {
      if (const auto self = weak.lock()) self->EndWait(why);
    });
    for (FetchPart& part : parts_) ReadTail(part);
    Evaluate();
  }

 private:
  /// The session that the request goes on with, if it does. A request that says everything ends the one it names.
  std::int16_t FindSession() {
    if (follows_) return reply_code::kNone;
    if (body_.session_epoch == FetchSessions::kBegins || body_.session_epoch == FetchSessions::kWantsNone) {
      if (body_.session_id != 0) broker_.sessions().End(body_.session_id);
      return reply_code::kNone;
    }
    auto continued = broker_.sessions().GoOn(body_, by_, loop_.Now());
    session_ = std::move(continued.session);
    return continued.code;
  }

  void Refuse(std::int16_t code, std::int32_t session_id) {
    FetchResponse response;
    response.error_code = code;
    response.session_id = session_id;
    ReplyWith(*std::exchange(request_, nullptr), response);
  }

  void OpenParts() {
    for (const FetchRequest::Topic& topic : body_.topics) {
      for (const FetchRequest::Partition& asked : topic.partitions) {
        FetchPart& part = parts_.emplace_back();
        const auto [found, unknown_code] = Find(topic.topic, topic.topic_id, asked.partition);
        part.Open(broker_.log(), found, unknown_code, asked);
        // One that follows is not known here, and would move what it may not.
        if (follows_) part.code = reply_code::kClusterAuthorizationFailed;
      }
    }
  }

  struct Found {
    PartitionHandle partition;  // or none
    std::int16_t unknown_code = reply_code::kUnknownTopic;
  };
  Found Find(std::string_view name, const kafka::Uuid& id, std::int32_t partition) {
    if (by_ == TopicsBy::kName) return {.partition = broker_.log().Find(name, PartitionId(partition))};
    const auto image = broker_.image();
    const TopicImage* topic = image->Find(LogId(id));
    if (topic == nullptr) return {.partition = {}, .unknown_code = reply_code::kUnknownTopicId};
    const auto index = static_cast<std::size_t>(static_cast<std::uint32_t>(partition));
    if (index >= topic->partitions.size()) return {};
    return {.partition = topic->partitions[index].handle, .unknown_code = reply_code::kUnknownTopicId};
  }

  void OpenSession() {
    session_->Enter([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Supersede();
    });
    if (session_->watches() == nullptr) session_->watches() = SessionWatches::Make(broker_.log(), loop_);
    session_watches_ = session_->watches();
    for (const PartitionWatches::Id watch : session_->TakeForgotten()) session_watches_->Remove(watch);
    session_watches_->Begin([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Woken();
    });
    for (SessionPartition* partition : session_watches_->Take()) session_->Wake(*partition);
    for (SessionPartition* partition : session_->Active()) OpenPart(*partition);
  }

  FetchPart& OpenPart(SessionPartition& partition) {
    Found found{.partition = partition.handle, .unknown_code = reply_code::kUnknownTopicId};
    if (by_ == TopicsBy::kName) found.unknown_code = reply_code::kUnknownTopic;
    if (!partition.handle) found = Find(partition.topic->name, partition.topic->id, partition.asked.partition);
    partition.handle = found.partition;
    FetchPart& part = parts_.emplace_back();
    part.session = &partition;
    part.Open(broker_.log(), found.partition, found.unknown_code, partition.asked);
    return part;
  }

  /// Another request of the session has come, by another connection: this one tells nothing of it any more.
  void Supersede() {
    session_watches_->End();
    session_watches_.reset();
    const std::int32_t id = std::exchange(session_, nullptr)->id();
    StopWaiting();
    if (request_ == nullptr) return;
    // Later: its connection may have the next request of the session at hand.
    loop_.Post([request = std::exchange(request_, nullptr), id] {
      FetchResponse response;
      response.error_code = reply_code::kInvalidFetchSessionEpoch;
      response.session_id = id;
      if (request->end() == KafkaRequest::End::kOpen) ReplyWith(*request, response);
    });
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
  [[nodiscard]] bool CanGrow() const {
    const bool others = session_ != nullptr && session_->at_rest() > 0;
    return BytesLeft() > 0 && (others || std::ranges::any_of(parts_, &FetchPart::readable));
  }

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
    parts_[index].reading = true;
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
    part.reading = false;
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

  void Park() {
    if (!std::exchange(parked_, true)) BeginPark();
    bool reached = false;
    for (FetchPart& part : parts_) {
      if (!part.readable() || part.armed) continue;
      part.armed = Arm(part);
      if (part.armed) continue;
      ReadTail(part);
      reached = true;
    }
    // The next turn looks again, so that others have theirs in between.
    if (reached) loop_.Post([self = shared_from_this()] { self->Evaluate(); });
  }

  /// False: there is more already, or something else to tell of it.
  bool Arm(FetchPart& part) {
    if (part.session == nullptr) return watches_->Arm(part.partition, part.next);
    const auto armed = session_watches_->Arm(*part.session, part.next);
    if (armed != SessionWatches::Armed::kWaits) return armed == SessionWatches::Armed::kByTimeAlone;
    // What moved before the watch stood does not wake it.
    const auto marks = broker_.log().Marks(part.partition);
    part.rests = marks && marks->offsets.log_start.value() == part.log_start;
    return part.rests;
  }

  void BeginPark() {
    timer_ = loop_.StartTimer(deadline_, [self = shared_from_this()] {
      self->timer_ = 0;
      if (self->reading_ == 0) self->Finish();
    });
    if (session_ != nullptr) return;  // it is woken by what stands already
    std::shared_ptr<void>& kept = request_->fetch_state();
    if (kept == nullptr) kept = FetchWatches::Make(broker_.log(), loop_);
    watches_ = std::static_pointer_cast<FetchWatches>(kept);
    for (FetchPart& part : parts_) {
      if (part.partition) by_partition_.emplace(&part.partition.name(), &part);
    }
    watches_->Begin([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Woken();
    });
  }

  void Woken() {
    if (request_ == nullptr) return;
    if (session_ != nullptr) {
      for (SessionPartition* partition : session_watches_->Take()) LookAgain(*partition);
    } else {
      for (const PartitionHandle partition : watches_->Take()) {
        const auto found = by_partition_.find(&partition.name());
        if (found != by_partition_.end()) ReadTail(*found->second);
      }
    }
    if (reading_ == 0) Evaluate();
  }

  void LookAgain(SessionPartition& partition) {
    for (; mapped_ < parts_.size(); ++mapped_) by_session_[parts_[mapped_].session] = &parts_[mapped_];
    session_->Wake(partition);
    const auto found = by_session_.find(&partition);
    FetchPart& part = found == by_session_.end() ? OpenPart(partition) : *found->second;
    // A cold read in flight brings what comes next of it.
    if (!part.reading) ReadTail(part);
  }

  void EndWait(WaitEnd why) {
    const auto self = shared_from_this();
    stopping_ = true;
    if (why == WaitEnd::kPeerGone) {
      StopWaiting();
      LeaveSession();
      if (const RequestRef request = std::exchange(request_, nullptr)) request->EndByClosing({});
    } else if (reading_ == 0) {
      Finish();
    }
  }

  void StopWaiting() {
    if (timer_ != 0) loop_.StopTimer(std::exchange(timer_, 0));
    if (watches_ != nullptr) std::exchange(watches_, nullptr)->End();
  }
  void LeaveSession() {
    if (session_ == nullptr) return;
    session_watches_->End();
    session_watches_.reset();
    std::exchange(session_, nullptr)->Leave();
  }

  void Finish() {
    const auto self = shared_from_this();
    StopWaiting();
    const RequestRef request = std::exchange(request_, nullptr);
    if (request == nullptr) return;
    FetchResponse response;
    if (session_ != nullptr) {
      response.session_id = session_->id();
      response.responses = AnswerNews(*request);
      LeaveSession();
    } else {
      response.responses = AnswerAll(*request);
      response.session_id = BeginSession();
    }
    const FetchResponse::Node here{
        .node_id = broker_.settings().node_id, .host = broker_.settings().host, .port = broker_.settings().port};
    if (names_leader_) response.node_endpoints = {&here, 1};
    ReplyWith(*request, response);
  }

  kafka::Array<FetchResponse::Topic> AnswerAll(KafkaRequest& request) {
    const auto topics = request.arena.New<FetchResponse::Topic>(body_.topics.size());
    std::size_t next = 0;
    for (std::size_t t = 0; t < topics.size(); ++t) {
      const FetchRequest::Topic& asked = body_.topics[t];
      const auto partitions = request.arena.New<FetchResponse::Partition>(asked.partitions.size());
      for (std::size_t p = 0; p < partitions.size(); ++p)
        partitions[p] = Answer(request, asked.partitions[p].partition, parts_[next++]);
      topics[t].topic = asked.topic;
      topics[t].topic_id = asked.topic_id;
      topics[t].partitions = partitions;
    }
    return topics;
  }

  /// What was answered is the first thing that a session knows of its partitions.
  std::int32_t BeginSession() {
    if (body_.session_epoch != FetchSessions::kBegins || follows_ || stopping_) return 0;
    const auto session = broker_.sessions().TryBegin(body_.topics, by_, Privilege::kNone, loop_.Now());
    if (session == nullptr) return 0;
    std::size_t next = 0;
    for (const FetchRequest::Topic& topic : body_.topics) {
      for (const FetchRequest::Partition& asked : topic.partitions) {
        const FetchPart& part = parts_[next++];
        SessionPartition& kept = session->At(topic.topic, topic.topic_id, asked.partition);
        if (part.code == reply_code::kNone) kept.handle = part.partition;
        session->Tell(kept, FoundOf(part));
      }
    }
    return session->id();
  }

  /// In the order in which they were looked at; neighbours of one topic together.
  kafka::Array<FetchResponse::Topic> AnswerNews(KafkaRequest& request) {
    std::vector<const FetchPart*> news;
    for (FetchPart& part : parts_) {
      if (session_->Tell(*part.session, FoundOf(part))) news.push_back(&part);
      Settle(part);
    }
    const auto topics = request.arena.New<FetchResponse::Topic>(news.size());
    const auto partitions = request.arena.New<FetchResponse::Partition>(news.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < news.size(); ++i) {
      const SessionPartition& kept = *news[i]->session;
      partitions[i] = Answer(request, kept.asked.partition, *news[i]);
      if (i > 0 && news[i - 1]->session->topic == kept.topic) {
        FetchResponse::Topic& topic = topics[count - 1];
        topic.partitions = {topic.partitions.data(), topic.partitions.size() + 1};
        continue;
      }
      topics[count++] = {.topic = Keep(request.arena, kept.topic->name),
                         .topic_id = kept.topic->id,
                         .partitions = partitions.subspan(i, 1)};
    }
    return topics.first(count);
  }

  static FetchSession::Found FoundOf(const FetchPart& part) {
    return {.bytes = part.bytes,
            .high_watermark = part.high_watermark,
            .log_start = part.log_start,
            .failed = part.code != reply_code::kNone,
            .diverging = part.diverging != FetchResponse::EpochEnd()};
  }

  /// Where nothing is left to look at, the next fetch does not look before the watch wakes.
  void Settle(FetchPart& part) {
    SessionPartition& kept = *part.session;
    if (part.code != reply_code::kNone) {
      // A topic of its name may come.
      if (kept.watch != 0) session_watches_->Remove(std::exchange(kept.watch, 0));
      kept.handle = {};
      return;
    }
    if (part.bytes > 0 || part.ends_wait() || part.elsewhere || part.full || stopping_) return;
    if (part.rests || (Arm(part) && part.rests)) session_->Rest(kept);
  }

  [[nodiscard]] FetchResponse::Partition Answer(const KafkaRequest& request, std::int32_t index,
                                                const FetchPart& part) {
    constexpr std::int8_t kReadCommitted = 1;
    FetchResponse::Partition answer;
    answer.partition_index = index;
    answer.error_code = part.code;
    answer.high_watermark = answer.last_stable_offset = part.high_watermark;
    answer.log_start_offset = part.log_start;
    answer.diverging_epoch = part.diverging;
    if (part.code == reply_code::kFencedLeaderEpoch && request.api_version >= kFirstWithEndpoints) {
      answer.current_leader = {.leader_id = broker_.settings().node_id, .leader_epoch = part.leader_epoch};
      names_leader_ = true;
    }
    // Kafka lists none for what it does not have, and tells of none where it was not asked for committed records.
    const bool unknown = part.code == reply_code::kUnknownTopic || part.code == reply_code::kUnknownTopicId;
    if (body_.isolation_level != kReadCommitted && !unknown) answer.aborted_transactions = std::nullopt;
    // Empty and not null: clients take null for a broken answer.
    answer.records = kafka::Records{.view = {}, .slices = part.batches};
    return answer;
  }

  Broker& broker_;
  TurnLoop& loop_;
  RequestRef request_;       // none: it was answered
  const FetchRequest body_;  // views into the request: used while there is one
  const TopicsBy by_;
  const bool follows_;  // names itself a node that follows
  const std::uint64_t bytes_max_;
  const TurnLoop::Time deadline_;
  // In the order of the request, or of their turns in the session; those that wake come last.
  std::deque<FetchPart> parts_;
  std::uint64_t total_ = 0;
  std::size_t reading_ = 0;  // cold reads in flight
  bool cold_tried_ = false, stopping_ = false, parked_ = false;
  bool names_leader_ = false;              // of a partition, so that the reply says where it is
  std::shared_ptr<FetchWatches> watches_;  // while parked, without a session
  std::unordered_map<const TopicPartition*, FetchPart*> by_partition_;
  std::shared_ptr<FetchSession> session_;            // that it goes on with
  std::shared_ptr<SessionWatches> session_watches_;  // of it
  std::unordered_map<const SessionPartition*, FetchPart*> by_session_;
  std::size_t mapped_ = 0;  // parts that are in it
  TurnLoop::TimerId timer_ = 0;
};

}  // namespace

void HandleFetch(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<FetchRequest>(*request);
  if (body) std::make_shared<FetchCall>(broker, request, *body)->Begin();
}

}  // namespace millrace
