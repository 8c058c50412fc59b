// What the handlers of groups share: a request that waits for the coordinator on another thread, and its way back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "group/group_calls.h"
#include "server/kafka/broker.h"
#include "server/kafka/handlers.h"

namespace millrace {

inline std::int16_t CodeOf(GroupError error) { return static_cast<std::int16_t>(error); }

/// Who asks, as a member of a group.
inline MemberIdentity IdentityOf(kafka::Text member, const kafka::NullableText& instance) {
  return {.member = std::string(member),
          .instance = instance.has_value() ? std::optional(std::string(*instance)) : std::nullopt};
}

/// Where a client comes from, as Kafka shows it: "/127.0.0.1".
std::string ClientHost(KafkaRequest& request);

/// A `done` for the coordinator: `reply(request, answer)` runs on the request's loop.
template <class Answer, class Reply>
auto ReplyOnLoop(const RequestRef& request, Reply reply) {
  return [&loop = request->loop(), request, reply = std::move(reply)](Answer answer) mutable {
    loop.Post([request = std::move(request), reply = std::move(reply), answer = std::move(answer)]() mutable {
      reply(*request, answer);
    });
  };
}

/// For what the coordinator answers at once: `reply(request, ask(coordinator))`, in place where groups live on the
/// request's loop. By then the coordinator is done: whatever the reply lets in may ask it anew.
template <class Ask, class Reply>
void ReplyAtOnce(Broker& broker, const RequestRef& request, Ask ask, Reply reply) {
  if (broker.HasGroups()) {
    std::optional<std::invoke_result_t<Ask&, GroupCoordinator&>> answer;
    broker.AskGroups([&](GroupCoordinator& groups) { answer = ask(groups); });
    return reply(*request, *answer);
  }
  using Answer = std::invoke_result_t<Ask&, GroupCoordinator&>;
  broker.AskGroups([ask = std::move(ask), reply = ReplyOnLoop<Answer>(request, std::move(reply))](
                       GroupCoordinator& groups) mutable { reply(ask(groups)); });
}

/// More of them are not answered in one request: each costs more memory than it has bytes.
inline constexpr std::size_t kGroupsOfRequestMax = 10'000, kPartitionsOfRequestMax = 100'000;

/// True: there are, and the request has ended.
inline bool RefuseMoreThan(std::size_t max, std::size_t count, KafkaRequest& request) {
  if (count <= max) return false;
  request.EndByClosing("a request for more groups or partitions than are answered at once");
  return true;
}

/// The answers for the parts of one request, in their order, whenever each comes. Of the coordinator's thread.
template <class Answer>
class Gathered {
 public:
  using Done = std::move_only_function<void(std::vector<Answer>)>;
  /// `count` is above 0.
  Gathered(std::size_t count, Done done) : answers_(count), left_(count), done_(std::move(done)) {}

  void Set(std::size_t index, Answer answer) {
    answers_[index] = std::move(answer);
    if (--left_ == 0) done_(std::move(answers_));
  }

 private:
  std::vector<Answer> answers_;
  std::size_t left_;
  Done done_;
};

/// A join or a sync that waits, perhaps for minutes: it ends with its connection, and with the server.
template <class Answer>
class ParkedCall : public std::enable_shared_from_this<ParkedCall<Answer>> {
 public:
  using Reply = std::function<void(KafkaRequest&, const Answer&)>;
  using Done = std::move_only_function<void(Answer)>;

  ParkedCall(Broker& broker, RequestRef request, Reply reply)
      : broker_(broker), loop_(broker.loop()), request_(std::move(request)), reply_(std::move(reply)) {}

  /// `ask(coordinator, done)` gives the ticket.
  template <class Ask>
  void Begin(Ask ask) {
    request_->Wait([weak = this->weak_from_this()](WaitEnd why) {
      if (const auto self = weak.lock()) self->EndWait(why);
    });
    broker_.AskGroups([self = this->shared_from_this(), ask = std::move(ask)](GroupCoordinator& groups) mutable {
      self->ticket_ = ask(groups, Done([self](Answer answer) {
                            TurnLoop& loop = self->loop_;
                            loop.Post([self, answer = std::move(answer)] { self->Finish(answer); });
                          }));
    });
  }

 private:
  void Finish(const Answer& answer) {
    if (const RequestRef request = std::exchange(request_, nullptr)) reply_(*request, answer);
  }
  void EndWait(WaitEnd why) {
    const auto self = this->shared_from_this();
    const RequestRef request = std::exchange(request_, nullptr);
    if (request == nullptr) return;
    broker_.AskGroups([self](GroupCoordinator& groups) { groups.Cancel(self->ticket_); });
    if (why == WaitEnd::kPeerGone) return request->EndByClosing({});
    Answer stopped;
    stopped.error = GroupError::kCoordinatorNotAvailable;
    reply_(*request, stopped);
  }

  Broker& broker_;
  TurnLoop& loop_;
  RequestRef request_;  // none: it was answered
  const Reply reply_;
  GroupTicket ticket_ = 0;  // of the loop that groups live on
};

}  // namespace millrace
