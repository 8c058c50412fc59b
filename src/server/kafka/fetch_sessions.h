// The fetch sessions of one loop: which there are, which request goes on with one, and which goes when there are too
// many. Rules after Kafka's: an unknown id is 70, a request out of order 71, names where there were ids 106; a session
// that was not used for two minutes makes room for any other, one that has lasted so long for a larger one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "env/random.h"
#include "kafka/messages/fetch.h"
#include "server/byte_budget.h"
#include "server/kafka/fetch_session.h"
#include "server/turn_loop.h"

namespace millrace {

/// A node that follows holds on to its session where a consumer would have to give way.
enum class Privilege { kNone, kFollower };

/// Of its loop's thread. Time comes with the calls.
class FetchSessions {
 public:
  static constexpr std::int32_t kBegins = 0, kWantsNone = -1;  // epochs of a request that says everything
  struct Limits {
    std::size_t sessions_max = 1'000;
    std::chrono::nanoseconds unused_max = std::chrono::minutes(2);
  };

  /// `budget` and `random` outlive it, and every session of it.
  FetchSessions(const Limits& limits, ByteBudget& budget, Random& random)
      : limits_(limits), budget_(budget), random_(random) {}

  struct Continued {
    std::int16_t code = 0;                  // why the request is refused
    std::shared_ptr<FetchSession> session;  // none without a code: it follows nothing any more, and has ended
  };
  /// For a request that goes on with a session: its changes are made. `body` names a session by its id and an epoch
  /// above 0. A session for whose new partitions there is no room is ended: 70, and the client begins again.
  Continued GoOn(const kafka::FetchRequest& body, TopicsBy by, TurnLoop::Time now);
  /// A session that follows these; none: there are too many, or no room, and the client does without.
  std::shared_ptr<FetchSession> TryBegin(kafka::Array<kafka::FetchRequest::Topic> topics, TopicsBy by,
                                         Privilege privilege, TurnLoop::Time now);
  /// Ends a session; nothing if there is none of this id.
  void End(std::int32_t id) { sessions_.erase(id); }

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  /// Null: there is none of this id.
  [[nodiscard]] const FetchSession* Find(std::int32_t id) const {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second.get();
  }

 private:
  using Sessions = std::unordered_map<std::int32_t, std::shared_ptr<FetchSession>>;

  [[nodiscard]] std::int32_t NewId();
  /// For one of so many partitions. False: none may go.
  bool MakeRoom(std::size_t size, Privilege privilege, TurnLoop::Time now);

  const Limits limits_;
  ByteBudget& budget_;
  Random& random_;
  Sessions sessions_;
};

}  // namespace millrace
