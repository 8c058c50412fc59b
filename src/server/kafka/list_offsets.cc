// ListOffsets: marks of a partition are answered at once; what needs a look at records is read on the pool for cold
// reads.
#include "kafka/messages/list_offsets.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::ListOffsetsRequest;
using kafka::ListOffsetsResponse;

constexpr std::int64_t kLatest = -1, kEarliest = -2, kMaxTimestamp = -3, kEarliestLocal = -4, kLatestTiered = -5;

/// The first version in which a time below zero means something; 0: it never does.
std::int16_t MeansSomethingSince(std::int64_t time) {
  constexpr std::int16_t kSince[] = {1, 1, 7, 8, 9};  // −1 … −5
  const std::int64_t index = -1 - time;
  return index >= 0 && index < static_cast<std::int64_t>(std::size(kSince)) ? kSince[index] : std::int16_t{0};
}

struct Question {
  PartitionHandle partition;
  std::int64_t time = 0;
  ListOffsetsResponse::Partition answer;
  bool open = false;  // is looked for among records
};

void Found(PartitionAccess& log, Question& question, Offset offset, std::int64_t timestamp_ms) {
  question.answer.offset = offset.value();
  question.answer.timestamp = timestamp_ms;
  const auto epoch = log.EpochAt(question.partition, offset);
  question.answer.leader_epoch = epoch ? epoch->value() : -1;
}

void Failed(Question& question, const Error& error) {
  const bool unread = error.code() == ErrorCode::kTimeout;
  question.answer.error_code = unread ? reply_code::kStorageError : reply_code::OfPartitionError(error);
}

void AnswerMark(PartitionAccess& log, Question& question) {
  const auto marks = log.Marks(question.partition);
  if (!marks) return Failed(question, marks.error());
  switch (question.time) {
    case kLatest:
      return Found(log, question, marks->visible_end, -1);
    case kEarliest:
      return Found(log, question, marks->offsets.log_start, -1);
    case kEarliestLocal:
      return Found(log, question, std::max(marks->offsets.hot_start, marks->offsets.log_start), -1);
    case kLatestTiered:  // the last record there; none before the first
      if (marks->offsets.tiered_end > marks->offsets.log_start) Found(log, question, marks->offsets.tiered_end - 1, -1);
  }
}

/// Blocks.
void AnswerFromRecords(PartitionAccess& log, Question& question) {
  const auto found = question.time == kMaxTimestamp ? log.LookupMaxTimestamp(question.partition)
                                                    : log.LookupTime(question.partition, question.time);
  if (!found) return Failed(question, found.error());
  if (*found) Found(log, question, (*found)->offset, (*found)->timestamp_ms);
}

void Look(Broker& broker, const KafkaRequest& request, const ListOffsetsRequest::Partition& asked, Question& question) {
  PartitionAccess& log = broker.log();
  question.time = asked.timestamp;
  if (!question.partition) {
    question.answer.error_code = reply_code::kUnknownTopic;
    return;
  }
  if (asked.timestamp < 0) {
    const std::int16_t since = MeansSomethingSince(asked.timestamp);
    if (since == 0 || request.api_version < since) {
      question.answer.error_code = reply_code::kUnsupportedVersion;
      return;
    }
  }
  if (asked.current_leader_epoch >= 0) {
    const auto epoch = log.Epoch(question.partition);
    if (!epoch) return Failed(question, epoch.error());
    if (asked.current_leader_epoch != epoch->value()) {
      question.answer.error_code = asked.current_leader_epoch < epoch->value() ? reply_code::kFencedLeaderEpoch
                                                                               : reply_code::kUnknownLeaderEpoch;
      return;
    }
  }
  question.open = asked.timestamp >= 0 || asked.timestamp == kMaxTimestamp;
  if (!question.open) AnswerMark(log, question);
}

std::vector<Question> Questions(Broker& broker, const KafkaRequest& request, const ListOffsetsRequest& body) {
  std::vector<Question> questions;
  std::set<std::pair<std::string_view, std::int32_t>> seen;
  for (const ListOffsetsRequest::Topic& topic : body.topics) {
    for (const ListOffsetsRequest::Partition& asked : topic.partitions) {
      Question& question = questions.emplace_back();
      question.answer.partition_index = asked.partition_index;
      if (!seen.insert({topic.name, asked.partition_index}).second) {
        question.answer.error_code = reply_code::kInvalidRequest;
        continue;
      }
      question.partition = broker.log().Find(topic.name, PartitionId(asked.partition_index));
      Look(broker, request, asked, question);
    }
  }
  return questions;
}

void Reply(KafkaRequest& request, const ListOffsetsRequest& body, const std::vector<Question>& questions) {
  const auto topics = request.arena.New<ListOffsetsResponse::Topic>(body.topics.size());
  std::size_t next = 0;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto partitions = request.arena.New<ListOffsetsResponse::Partition>(body.topics[t].partitions.size());
    for (ListOffsetsResponse::Partition& partition : partitions) partition = questions[next++].answer;
    topics[t].name = body.topics[t].name;
    topics[t].partitions = partitions;
  }
  ListOffsetsResponse response;
  response.topics = topics;
  ReplyWith(request, response);
}

}  // namespace

void HandleListOffsets(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<ListOffsetsRequest>(*request);
  if (!body) return;
  std::vector<Question> questions = Questions(broker, *request, *body);
  if (std::ranges::none_of(questions, &Question::open)) return Reply(*request, *body, questions);
  PartitionAccess& log = broker.log();
  broker.RunBlocking(
      Broker::Pool::kCold,
      [&log, questions = std::move(questions)]() mutable {
        for (Question& question : questions) {
          if (question.open) AnswerFromRecords(log, question);
        }
        return std::move(questions);
      },
      [request, body = *body](const std::vector<Question>& answered) { Reply(*request, body, answered); });
}

}  // namespace millrace
