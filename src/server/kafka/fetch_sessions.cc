#include "server/kafka/fetch_sessions.h"

#include <limits>
#include <tuple>

#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

std::int32_t Next(std::int32_t epoch) { return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1; }

struct Extent {
  std::size_t partitions = 0;
  std::uint64_t bytes = 0;  // at most
};

Extent ExtentOf(kafka::Array<kafka::FetchRequest::Topic> topics) {
  Extent extent;
  for (const kafka::FetchRequest::Topic& topic : topics) {
    extent.partitions += topic.partitions.size();
    extent.bytes += FetchSession::TopicBytes(topic.topic, topic.topic_id);
  }
  extent.bytes += extent.partitions * FetchSession::kPartitionBytes;
  return extent;
}

}  // namespace

FetchSessions::Continued FetchSessions::GoOn(const kafka::FetchRequest& body, TopicsBy by, TurnLoop::Time now) {
  const auto place = sessions_.find(body.session_id);
  if (place == sessions_.end()) return {.code = reply_code::kFetchSessionIdNotFound, .session = nullptr};
  const std::shared_ptr<FetchSession> session = place->second;
  if (body.session_epoch != session->epoch_) return {.code = reply_code::kInvalidFetchSessionEpoch, .session = nullptr};
  if (by != session->by()) return {.code = reply_code::kFetchSessionTopicIdError, .session = nullptr};
  session->Enter(nullptr);
  const bool room = session->Ask(body.topics);
  session->Forget(body.forgotten_topics_data);
  if (!room || session->size() == 0) {
    sessions_.erase(session->id());
    return {.code = room ? reply_code::kNone : reply_code::kFetchSessionIdNotFound, .session = nullptr};
  }
  session->used_ = now;
  session->epoch_ = Next(session->epoch_);
  return {.code = reply_code::kNone, .session = session};
}

std::shared_ptr<FetchSession> FetchSessions::TryBegin(kafka::Array<kafka::FetchRequest::Topic> topics, TopicsBy by,
                                                      Privilege privilege, TurnLoop::Time now) {
  const Extent extent = ExtentOf(topics);
  if (extent.bytes > budget_.bytes_max()) return nullptr;
  if (sessions_.size() >= limits_.sessions_max && !MakeRoom(extent.partitions, privilege, now)) return nullptr;
  while (budget_.bytes_max() - budget_.taken() < extent.bytes) {
    if (!MakeRoom(extent.partitions, privilege, now)) return nullptr;
  }
  auto session = std::make_shared<FetchSession>(NewId(), by, budget_);
  if (!session->Ask(topics)) return nullptr;  // another loop took the room
  session->privileged_ = privilege == Privilege::kFollower;
  session->created_ = session->used_ = now;
  sessions_.emplace(session->id(), session);
  return session;
}

std::int32_t FetchSessions::NewId() {
  while (true) {
    const auto id = static_cast<std::int32_t>(1 + random_.Below(std::numeric_limits<std::int32_t>::max() - 1));
    if (!sessions_.contains(id)) return id;
  }
}

bool FetchSessions::MakeRoom(std::size_t size, Privilege privilege, TurnLoop::Time now) {
  // One that nobody used for long, whatever its worth; else the one of least worth, if the new one is worth more.
  const auto worth = [](const FetchSession& one) { return std::tuple(one.privileged_, one.size(), one.id()); };
  const FetchSession* oldest = nullptr;
  const FetchSession* least = nullptr;
  for (const auto& [id, session] : sessions_) {
    if (oldest == nullptr || std::tuple(session->used_, id) < std::tuple(oldest->used_, oldest->id()))
      oldest = session.get();
    const bool lasted = session->used_ - session->created_ > limits_.unused_max;
    const bool gives_way = lasted || (privilege == Privilege::kFollower && !session->privileged_);
    if (gives_way && (least == nullptr || worth(*session) < worth(*least))) least = session.get();
  }
  if (oldest == nullptr) return false;
  if (now - oldest->used_ > limits_.unused_max) {
    End(oldest->id());
    return true;
  }
  if (least == nullptr) return false;
  if (std::tuple(privilege == Privilege::kFollower, size, std::int32_t{0}) < worth(*least)) return false;
  End(least->id());
  return true;
}

}  // namespace millrace
