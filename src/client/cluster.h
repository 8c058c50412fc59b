// The servers of one log: which of them has which partition, and a connection to each. A client connects to the
// addresses that the servers advertise; the one that the user named is only where it begins.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/address.h"
#include "client/connection.h"
#include "client/socket.h"
#include "kafka/messages/metadata.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace::client {

struct ClusterOptions {
  Address address;  // where to begin
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds answer_timeout{30'000};
  std::chrono::milliseconds retry_for{30'000};  // what may succeed a little later
  std::chrono::milliseconds pause_first{50}, pause_most{1'000};
};

/// Shared by those that await an answer on it.
using ConnectionRef = std::shared_ptr<Connection>;

/// Not thread-safe. A question for leaders goes over the same connections as other requests: none may be without its
/// answer then. Calls make one attempt each, unless they say otherwise; errors that may be retried say so.
class Cluster {
 public:
  using Metadata = Answer<kafka::MetadataResponse>;

  /// Connects, so that a wrong address is told at once. `stop` outlives it and ends every wait with kClosed.
  static Result<std::unique_ptr<Cluster>> Open(const ClusterOptions& options, const Alarm& stop);

  /// Of these topics, or of all; learns nodes and leaders from it. Creates none.
  Result<Metadata> AskMetadata(std::optional<std::span<const std::string>> topics);
  /// Errors: kNotFound (topic or partition), kUnavailable (no leader, no connection).
  Result<std::int32_t> LeaderOf(const TopicPartition& partition);
  Result<ConnectionRef> Node(std::int32_t id);
  /// Those that the last answer to AskMetadata told of.
  [[nodiscard]] std::vector<std::int32_t> NodeIds() const;
  Result<ConnectionRef> LeaderConnection(const TopicPartition& partition);
  /// Where topics are made and removed.
  Result<ConnectionRef> Controller();
  Result<ConnectionRef> AnyNode();
  [[nodiscard]] bool KnowsLeader(const TopicPartition& partition) const { return leaders_.contains(partition); }
  /// Leader and controller are asked for anew at the next need.
  void Forget(const TopicPartition& partition) { leaders_.erase(partition); }
  void ForgetController() { controller_ = kNone; }

  [[nodiscard]] Until Within(std::chrono::milliseconds time) const {
    return {std::chrono::steady_clock::now() + time, stop_};
  }
  [[nodiscard]] Until AnswerTime() const { return Within(options_.answer_timeout); }
  [[nodiscard]] const ClusterOptions& options() const { return options_; }
  [[nodiscard]] const Alarm& stop() const { return stop_; }

  /// Repeats `attempt` while it fails with what may be retried, with pauses, at most for retry_for. Then the last
  /// error.
  template <class Attempt>
  auto Retrying(Attempt attempt) -> decltype(attempt()) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + options_.retry_for;
    for (std::chrono::milliseconds pause = options_.pause_first;; pause = std::min(2 * pause, options_.pause_most)) {
      auto result = attempt();
      if (result || !result.error().retryable()) return result;
      if (std::chrono::steady_clock::now() + pause >= deadline) return result;
      if (auto slept = SleepUntil(Within(pause)); !slept) return slept.error();
    }
  }

 private:
  static constexpr std::int32_t kNone = -1;

  Cluster(ClusterOptions options, const Alarm& stop) : options_(std::move(options)), stop_(stop) {}
  Result<std::unique_ptr<Connection>> Connect(const Address& address) const;
  void Learn(const kafka::MetadataResponse& metadata);

  const ClusterOptions options_;
  const Alarm& stop_;
  std::map<std::int32_t, Address> nodes_;
  std::map<TopicPartition, std::int32_t> leaders_;
  std::int32_t controller_ = kNone;
  ConnectionRef first_;  // to the address the user named
  std::map<std::int32_t, ConnectionRef> connections_;
};

}  // namespace millrace::client
