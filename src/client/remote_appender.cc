#include "client/remote_appender.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "env/start_thread.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/topic_settings.h"
#include "record/producer_sequence.h"
#include "record/record_batch_builder.h"

namespace millrace::client {
namespace {

using kafka::ProduceRequest;
using kafka::ProduceResponse;
using Clock = std::chrono::steady_clock;

constexpr kafka::VersionRange kVersions{3, 11};  // names, and no transactions
constexpr kafka::VersionRange kProducerVersions{0, 5};
constexpr std::size_t kInFlightMax = 16;             // batches of one connection without an answer
constexpr std::ptrdiff_t kNumberedInFlightMax = 5;   // of one partition: as many as servers remember of a producer
constexpr std::chrono::milliseconds kGrace{10'000};  // beyond what the server was given
constexpr std::chrono::milliseconds kUploadTime = std::chrono::minutes(10);

std::int64_t NowMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// Refusals that a server gives before it stores anything, and may not give a little later.
bool SurelyNotStored(std::int16_t refused) {
  using namespace kafka::code;
  switch (refused) {
    case kUnknownTopicOrPartition:
    case kLeaderNotAvailable:
    case kNotLeaderOrFollower:
    case kReplicaNotAvailable:
    case kNotEnoughReplicas:
    case kFencedLeaderEpoch:
    case kUnknownLeaderEpoch:
    case kThrottlingQuotaExceeded:
      return true;
    default:
      return false;
  }
}

/// Codes that say nothing of what became of the batch, and may be others a little later.
bool MayChange(std::int16_t refused) {
  const kafka::CodeRow* row = kafka::FindCode(refused);
  return row != nullptr && row->retriable;
}

/// Codes that say nothing of what became of the batch.
bool SaysNothing(std::int16_t refused) {
  return MayChange(refused) || kafka::FindCode(refused) == nullptr || refused == kafka::code::kUnknownServerError;
}

/// Codes after which nothing that carries the producer's numbers is taken.
bool EndsNumbers(std::int16_t refused) {
  using namespace kafka::code;
  return refused == kOutOfOrderSequenceNumber || refused == kDuplicateSequenceNumber ||
         refused == kInvalidProducerEpoch || refused == kProducerFenced || refused == kUnknownProducerId;
}

}  // namespace

Result<RemoteAppender::Plan> RemoteAppender::PlanOf(const LogTopic& topic, const AppendOptions& append) {
  const Durability given = topic.durability.value_or(Durability::kDisk);
  const Durability asked = append.durability.value_or(given);
  Plan plan{.acks = static_cast<std::int16_t>(asked == Durability::kOs ? 1 : -1),
            .reached = asked == Durability::kOs ? Durability::kOs : given,
            .compression = append.compression,
            .bounds = topic.bounds};
  if (plan.reached == Durability::kObject) plan.timeout = kUploadTime;
  if (asked == Durability::kOs || asked <= given) return plan;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("over a server topic {} gives at most the durability {}, not {}", topic.name,
                           DurabilityName(given), DurabilityName(asked)),
               fmt::format("Its setting millrace.durability says so: set it to {}.", DurabilityName(asked)));
}

Result<std::unique_ptr<LogAppender>> RemoteAppender::Start(const ClusterOptions& options, const LogTopic& topic,
                                                           const AppendOptions& append) {
  static_assert(Durability::kOs < Durability::kDisk && Durability::kDisk < Durability::kObject);
  MR_ASSIGN_OR_RETURN(const Plan plan, PlanOf(topic, append));
  MR_ASSIGN_OR_RETURN(auto stop, Alarm::Make());
  MR_ASSIGN_OR_RETURN(auto wake, Alarm::Make());
  std::unique_ptr<RemoteAppender> appender(new RemoteAppender(plan, std::move(stop), std::move(wake)));
  MR_ASSIGN_OR_RETURN(appender->cluster_, Cluster::Open(options, *appender->stop_));
  MR_ASSIGN_OR_RETURN(appender->producer_, NewProducer(*appender->cluster_));
  MR_ASSIGN_OR_RETURN(appender->thread_,
                      StartThread([self = appender.get()](const std::stop_token& token) { self->Run(token); }));
  return std::unique_ptr<LogAppender>(std::move(appender));
}

Result<std::optional<ProducerStamp>> RemoteAppender::NewProducer(Cluster& cluster) {
  kafka::InitProducerIdRequest request;
  request.transactional_id = std::nullopt;
  request.transaction_timeout_ms = INT32_MAX;
  return cluster.Retrying([&]() -> Result<std::optional<ProducerStamp>> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef node, cluster.AnyNode());
    if (!node->VersionOf<kafka::InitProducerIdRequest>(kProducerVersions)) return std::optional<ProducerStamp>();
    MR_ASSIGN_OR_RETURN(const auto answer,
                        node->Call<kafka::InitProducerIdResponse>(request, kProducerVersions, cluster.AnswerTime()));
    if (answer->error_code != 0) return Refusal(answer->error_code, "cannot get an id by which repetitions are known");
    return std::optional(ProducerStamp{.id = answer->producer_id, .epoch = answer->producer_epoch});
  });
}

RemoteAppender::~RemoteAppender() { [[maybe_unused]] const auto told = RemoteAppender::Abandon(); }

void RemoteAppender::Append(const TopicPartition& partition, std::span<const Record> records,
                            std::move_only_function<void(Result<AppendReceipt>)> done) {
  MR_DCHECK(!records.empty());
  const std::int64_t now = NowMs();
  auto built = BuildRecordBatch(records, {.compression = plan_.compression,
                                          .now_ms = now,
                                          .record_bytes_max = plan_.bounds.record_bytes_max,
                                          .batch_bytes_max = plan_.bounds.batch_bytes_max});
  if (!built) return done(built.error());
  auto batch = std::make_shared<Batch>();
  batch->partition = partition;
  batch->built = *std::move(built);
  batch->records = static_cast<std::int32_t>(records.size());
  batch->timestamp_ms = records.back().timestamp_ms == 0 ? now : records.back().timestamp_ms;
  batch->done = std::move(done);
  {
    MutexLock lock(mutex_);
    if (!closed_) {
      inbox_.push_back(std::move(batch));
      wake_->Ring();
      return;
    }
  }
  batch->done(Error(ErrorCode::kClosed, "nothing more is appended"));
}

Result<void> RemoteAppender::Abandon() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  if (!thread_.joinable()) return {};
  thread_.request_stop();
  stop_->Ring();
  thread_.join();
  return {};
}

void RemoteAppender::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    TakeInbox();
    SendAll();
    AwaitSomething();
    LoseLate();
  }
  EndAll();
}

void RemoteAppender::TakeInbox() {
  wake_->Quiet();
  std::vector<std::shared_ptr<Batch>> taken;
  {
    MutexLock lock(mutex_);
    taken.swap(inbox_);
  }
  for (std::shared_ptr<Batch>& batch : taken) {
    Lane& lane = lanes_[batch->partition];
    lane.batches.push_back(batch);
    if (lane.ended) Finish(batch, *lane.ended);
  }
}

/// Leaders are asked for while nothing is in flight: the answer would stand among those of the batches.
void RemoteAppender::SendAll() {
  std::vector<Lane*> asking;
  for (auto& [partition, lane] : lanes_)
    if (NeedsLeader(lane)) asking.push_back(&lane);
  if (!asking.empty() && AnyInFlight()) return;
  for (Lane* lane : asking) FindLeader(*lane);
  for (auto& [partition, lane] : lanes_) SendReady(lane);
}

bool RemoteAppender::NeedsLeader(const Lane& lane) const {
  if (lane.batches.empty() || Clock::now() < lane.not_before) return false;
  const bool waits = std::ranges::any_of(lane.batches, [](const auto& b) { return b->state != State::kSent; });
  return waits && !cluster_->KnowsLeader(lane.batches.front()->partition);
}

bool RemoteAppender::AnyInFlight() const {
  return std::ranges::any_of(links_, [](const auto& link) { return !link.second.in_flight.empty(); });
}

void RemoteAppender::FindLeader(Lane& lane) {
  const auto leader = cluster_->LeaderOf(lane.batches.front()->partition);
  if (!leader) Pause(lane, leader.error());
}

void RemoteAppender::SendReady(Lane& lane) {
  const bool refused = std::ranges::any_of(lane.batches, [](const auto& b) { return b->state == State::kRefused; });
  if (refused) {
    // Those behind it may have been let in by now: their answers come first, and then the order is made again.
    if (std::ranges::any_of(lane.batches, [](const auto& b) { return b->state == State::kSent; })) return;
    if (Clock::now() < lane.not_before) return;
    for (const auto& batch : lane.batches) batch->state = State::kQueued;
  }
  if (Clock::now() < lane.not_before) return;
  if (std::ranges::none_of(lane.batches, [](const auto& b) { return b->state == State::kSent; })) CloseGap(lane);
  const auto queued = std::ranges::find(lane.batches, State::kQueued, [](const auto& b) { return b->state; });
  // A failure takes batches out of the lane: what is sent is chosen before.
  const std::vector<std::shared_ptr<Batch>> ready(queued, lane.batches.end());
  for (const std::shared_ptr<Batch>& batch : ready)
    if (lane.ended || IsFull(lane) || !SendNext(lane, batch)) return;
}

bool RemoteAppender::IsFull(const Lane& lane) const {
  if (!producer_) return false;
  const auto sent = std::ranges::count(lane.batches, State::kSent, [](const auto& b) { return b->state; });
  return sent >= (lane.gap ? 1 : kNumberedInFlightMax);
}

void RemoteAppender::CloseGap(Lane& lane) {
  const auto first = std::ranges::find_if(lane.batches, [](const auto& b) { return !b->sequence; });
  // A server that did not take the first of them has none of the others, which stood behind it.
  for (auto each = first; each != lane.batches.end(); ++each) (*each)->sequence.reset();
  if (first != lane.batches.begin()) {
    const Batch& before = **std::prev(first);
    lane.next_sequence = SequenceAfter(*before.sequence, before.records);
  } else if (lane.gap) {
    lane.next_sequence = *std::exchange(lane.gap, std::nullopt);
  }
}

void RemoteAppender::Number(Lane& lane, Batch& batch) const {
  if (batch.sequence || (!producer_ && !batch.bytes.empty())) return;
  Buffer bytes = std::move(batch.built);
  if (bytes.size() == 0) {  // it had another number once
    bytes = Buffer(batch.bytes.size());
    std::ranges::copy(batch.bytes.bytes(), bytes.bytes().begin());
  }
  if (producer_) {
    batch.sequence = lane.next_sequence;
    lane.next_sequence = SequenceAfter(lane.next_sequence, batch.records);
    StampProducer(bytes.bytes(), {.id = producer_->id, .epoch = producer_->epoch, .sequence = *batch.sequence});
  }
  batch.bytes = std::move(bytes).Freeze();
}

bool RemoteAppender::SendNext(Lane& lane, const std::shared_ptr<Batch>& batch) {
  MR_DCHECK(batch->state == State::kQueued);
  if (!cluster_->KnowsLeader(batch->partition)) return false;
  const auto leader = cluster_->LeaderOf(batch->partition);
  MR_CHECK(leader.has_value());
  Link& link = links_[*leader];
  auto node = cluster_->Node(*leader);
  // What lay idle for long was closed by the server, and what is sent on it now would be lost.
  if (node && link.in_flight.empty() && (*node)->HasEnded()) node = cluster_->Node(*leader);
  if (!node) {
    cluster_->Forget(batch->partition);
    Pause(lane, node.error());
    return false;
  }
  if (link.connection != *node) {
    if (!link.in_flight.empty()) Lose(link, Error(ErrorCode::kUnavailable, "the connection was given up"));
    link.connection = *node;
    if (lane.ended || lane.batches.front()->state == State::kRefused) return false;
  }
  if (link.in_flight.size() >= kInFlightMax) return false;
  const auto version = (*node)->VersionOf<ProduceRequest>(kVersions);
  if (!version) {
    EndLane(lane, version.error());
    return false;
  }
  Number(lane, *batch);
  ProduceRequest::Partition part;
  part.index = batch->partition.partition.value();
  part.records = kafka::Records{.slices = std::span(&batch->bytes, 1)};
  ProduceRequest::Topic topic;
  topic.name = batch->partition.topic;
  topic.partition_data = kafka::Array<ProduceRequest::Partition>(&part, 1);
  ProduceRequest request;
  request.transactional_id = std::nullopt;
  request.acks = plan_.acks;
  request.timeout_ms = static_cast<std::int32_t>(plan_.timeout.count());
  request.topic_data = kafka::Array<ProduceRequest::Topic>(&topic, 1);
  batch->state = State::kSent;
  if (link.in_flight.empty()) link.waiting_since = Clock::now();
  const auto number = (*node)->Send(request, *version, cluster_->Within(plan_.timeout + kGrace));
  link.in_flight.push_back({batch, number ? *number : 0, *version});
  if (number) return true;
  Lose(link, number.error());
  return false;
}

/// The first batch of a lane could not be sent: later, or never.
void RemoteAppender::Pause(Lane& lane, const Error& why) {
  if (lane.ended) return EndLane(lane, Error(*lane.ended));
  const ClusterOptions& options = cluster_->options();
  lane.pause = lane.pause.count() == 0 ? options.pause_first : std::min(2 * lane.pause, options.pause_most);
  lane.not_before = Clock::now() + lane.pause;
  if (!lane.gives_up) lane.gives_up = Clock::now() + options.retry_for;
  const std::shared_ptr<Batch>& first = lane.batches.front();
  if (first->state == State::kSent) return;
  if (!why.retryable() || lane.not_before >= *lane.gives_up) EndLane(lane, why);
}

void RemoteAppender::AwaitSomething() {
  SteadyTime until = Clock::now() + std::chrono::minutes(1);
  std::vector<pollfd> entries{{stop_->descriptor(), POLLIN, 0}, {wake_->descriptor(), POLLIN, 0}};
  std::vector<Link*> links;
  for (auto& [id, link] : links_) {
    if (link.in_flight.empty()) continue;
    until = std::min(until, AnswerDeadline(link));
    entries.push_back({link.connection->descriptor(), POLLIN, 0});
    links.push_back(&link);
  }
  for (const auto& [partition, lane] : lanes_)
    if (!lane.batches.empty() && lane.not_before > Clock::now()) until = std::min(until, lane.not_before);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  if (::poll(entries.data(), entries.size(), timeout) <= 0) return;
  for (std::size_t i = 0; i < links.size(); ++i)
    if (entries[i + 2].revents != 0) Receive(*links[i]);
}

void RemoteAppender::Receive(Link& link) {
  MR_DCHECK(!link.in_flight.empty());
  auto frame = link.connection->Receive(cluster_->AnswerTime());
  if (!frame) return Lose(link, frame.error());
  const InFlight first = link.in_flight.front();
  const auto answer = link.connection->Decode<ProduceResponse>(*std::move(frame), first.version, first.number);
  if (!answer) return Lose(link, answer.error());
  MR_DCHECK(!link.in_flight.empty());
  link.in_flight.pop_front();
  link.waiting_since = Clock::now();
  TakeAnswer(first.batch, *answer);
}

void RemoteAppender::TakeAnswer(const std::shared_ptr<Batch>& batch, const Answer<ProduceResponse>& answer) {
  const auto& topics = answer->responses;
  const bool fits = topics.size() == 1 && topics.front().name == batch->partition.topic &&
                    topics.front().partition_responses.size() == 1 &&
                    topics.front().partition_responses.front().index == batch->partition.partition.value();
  if (!fits) return Doubt(batch, Error(ErrorCode::kCorruption, "the server's answer is about something else"));
  TakeCode(batch, topics.front().partition_responses.front());
}

void RemoteAppender::TakeCode(const std::shared_ptr<Batch>& batch, const ProduceResponse::Partition& told) {
  Lane& lane = lanes_[batch->partition];
  const std::string what = fmt::format("cannot append to {}", PartitionName(batch->partition));
  if (told.error_code == 0) {
    if (told.base_offset < 0) return Doubt(batch, Error(ErrorCode::kCorruption, "the server's answer names no offset"));
    // What was refused before it is not sent behind it. What is in doubt is: the server answers by its number.
    std::vector<std::shared_ptr<Batch>> passed;
    for (const auto& before : lane.batches) {
      if (before == batch) break;
      if (before->state == State::kRefused && !before->doubtful) passed.push_back(before);
    }
    for (const auto& before : passed) {
      Finish(
          before,
          Error(ErrorCode::kUnavailable, what + ": refused, while records behind it were stored").WithRetryable(false));
    }
    lane.gap.reset();
    lane.pause = std::chrono::milliseconds(0);
    lane.gives_up.reset();
    const Offset base(told.base_offset);
    return Finish(batch, AppendReceipt{.base_offset = base,
                                       .last_offset = base + (batch->records - 1),
                                       .timestamp_ms =
                                           told.log_append_time_ms >= 0 ? told.log_append_time_ms : batch->timestamp_ms,
                                       .reached = plan_.reached,
                                       .partition = batch->partition.partition});
  }
  const Error refused = Refusal(told.error_code, what, told.error_message);
  if (SurelyNotStored(told.error_code)) {
    cluster_->Forget(batch->partition);
    batch->state = State::kRefused;
    return Pause(lane, refused.WithRetryable(true));
  }
  if (producer_ && told.error_code == kafka::code::kOutOfOrderSequenceNumber && TakeOutOfOrder(lane, batch)) return;
  if (MayChange(told.error_code)) return Doubt(batch, refused);
  if (SaysNothing(told.error_code)) return Lose(batch, refused.message());
  Refuse(batch, told.error_code, refused);
}

bool RemoteAppender::TakeOutOfOrder(Lane& lane, const std::shared_ptr<Batch>& batch) {
  if (lane.ended) return false;
  if (lane.batches.front() == batch) {
    if (!lane.gap) return false;
    batch->sequence.reset();
  }
  batch->state = State::kRefused;  // sent again behind what stands before it
  return true;
}

void RemoteAppender::Refuse(const std::shared_ptr<Batch>& batch, std::int16_t code, const Error& refused) {
  Lane& lane = lanes_[batch->partition];
  const bool ends = producer_ && EndsNumbers(code);
  if (ends && batch->doubtful) return Lose(batch, refused.message());
  if (batch->sequence && !lane.gap) lane.gap = batch->sequence;
  const std::string name = PartitionName(batch->partition);
  Finish(batch, refused);
  if (ends && !lane.ended)
    EndLane(lane, Error(ErrorCode::kUnavailable, fmt::format("not sent to {}: what stands before it was refused", name))
                      .WithRetryable(false));
}

void RemoteAppender::Lose(Link& link, const Error& why) {
  std::deque<InFlight> lost;
  lost.swap(link.in_flight);
  std::set<TopicPartition> lanes;
  for (const InFlight& one : lost) {
    if (!producer_ || why.code() == ErrorCode::kClosed) {
      Lose(one.batch, why.message());
      continue;
    }
    one.batch->state = State::kRefused;
    one.batch->doubtful = true;
    lanes.insert(one.batch->partition);
  }
  for (const TopicPartition& partition : lanes) {
    cluster_->Forget(partition);
    Pause(lanes_[partition], why.WithRetryable(true));
  }
}

void RemoteAppender::Doubt(const std::shared_ptr<Batch>& batch, const Error& why) {
  if (!producer_) return Lose(batch, why.message());
  batch->state = State::kRefused;
  batch->doubtful = true;
  Pause(lanes_[batch->partition], why.WithRetryable(true));
}

Error RemoteAppender::MayBeStored(const Batch& batch, std::string_view why) {
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} records for {} were sent and not acknowledged, and may be stored: {}", batch.records,
                           PartitionName(batch.partition), why),
               "See with `millrace tail` what is there before sending them again.")
      .WithRetryable(false);
}

void RemoteAppender::Lose(const std::shared_ptr<Batch>& batch, std::string_view why) {
  Lane& lane = lanes_[batch->partition];
  Finish(batch, MayBeStored(*batch, why));
  if (!lane.ended)
    EndLane(lane, Error(ErrorCode::kUnavailable,
                        fmt::format("not sent to {}: it is not known whether the records before are stored",
                                    PartitionName(batch->partition)))
                      .WithRetryable(false));
}

/// Nothing that waits in it is sent any more; what is in flight has its own answer.
void RemoteAppender::EndLane(Lane& lane, const Error& why) {
  lane.ended = why;
  std::vector<std::shared_ptr<Batch>> waiting;
  for (const auto& batch : lane.batches)
    if (batch->state != State::kSent) waiting.push_back(batch);
  for (const auto& batch : waiting) Finish(batch, batch->doubtful ? MayBeStored(*batch, why.message()) : why);
}

void RemoteAppender::Finish(const std::shared_ptr<Batch>& batch, Result<AppendReceipt> result) {
  auto& batches = lanes_[batch->partition].batches;
  const auto at = std::ranges::find(batches, batch);
  MR_CHECK(at != batches.end());
  batches.erase(at);
  batch->bytes = {};
  batch->built = {};
  CheckNoMutexHeld();
  batch->done(std::move(result));
}

SteadyTime RemoteAppender::AnswerDeadline(const Link& link) const {
  return link.waiting_since + plan_.timeout + kGrace;
}

void RemoteAppender::LoseLate() {
  for (auto& [id, link] : links_) {
    if (link.in_flight.empty() || Clock::now() < AnswerDeadline(link)) continue;
    Lose(link, Error(ErrorCode::kTimeout, fmt::format("{} did not answer in time", link.connection->address().Text())));
    link.connection->Abandon();
  }
}

void RemoteAppender::EndAll() {
  TakeInbox();
  for (auto& [id, link] : links_) Lose(link, Error(ErrorCode::kClosed, "their answers were not waited for"));
  for (auto& [partition, lane] : lanes_) EndLane(lane, Error(ErrorCode::kClosed, "not sent: appending has ended"));
}

}  // namespace millrace::client
