// One client, without its socket: bytes in, replies out in the order of the requests.
//
//   bytes ──► InboundFrames ──► request ──► handler ─ ─ ─► its end ──► OutboundBytes ──► one gathered write
//                                  └── requests_: in the order they came ──┘
//
// Requests are handled one after another, as Kafka does; only Produce requests overlap, so that one sync serves many.
// Whatever else waits (a parked fetch, a topic being created) holds back what stands behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "server/kafka/inbound_frames.h"
#include "server/kafka/kafka_request.h"
#include "server/kafka/outbound_bytes.h"

namespace millrace {

/// Hands a request to the handler of its API. Whatever happens, the request comes to its end, now or later.
using RequestHandler = std::function<void(const std::shared_ptr<KafkaRequest>& request)>;

struct ConnectionLimits {
  std::uint32_t request_bytes_max = 100 << 20;
  std::uint64_t bytes_max = 16 << 20;  // of its requests in flight, unless there is one alone
};

/// Of its loop's thread. Loop, pool and budget outlive it, and the handler whatever it has not ended.
class KafkaConnection final : public RequestOwner, public std::enable_shared_from_this<KafkaConnection> {
 public:
  /// As many Produce requests are in flight at once.
  static constexpr std::size_t kPipelinedMax = 64;
  /// While so many bytes wait for a client who does not read, nothing more is done for it.
  static constexpr std::size_t kUnsentMax = 256 << 10;

  KafkaConnection(TurnLoop& loop, FramePool& pool, ByteBudget& budget, const ConnectionLimits& limits,
                  RequestHandler handler, std::string peer);

  /// Whether bytes would help: memory is had only once they are there to be read.
  [[nodiscard]] bool wants_bytes() const { return !closing_ && !draining_ && !next_ && !frames_.has_whole_frame(); }
  /// Where the next bytes go. Empty: nothing is read for now (awaits_budget() tells if a budget is to blame; else a
  /// request must end or a reply leave first).
  [[nodiscard]] std::span<std::byte> Room();
  /// `count` bytes of Room() came: handles the requests that are whole now.
  void Received(std::size_t count);
  /// Handles what could not be before: after replies left, or bytes came back to the budget.
  void GoOn() { Advance(); }

  [[nodiscard]] ConnectionBytes& bytes() { return bytes_; }
  [[nodiscard]] OutboundBytes& outbound() { return outbound_; }
  /// Called whenever a request ends outside of the calls above.
  void OnEnd(std::function<void()> changed) { changed_ = std::move(changed); }

  /// Handles nothing more and ends waits with what there is.
  void Drain();
  /// The socket is gone: what is in flight ends without effect on the outside.
  void Abandon();

  /// Nothing more will come in or out: the socket is to be closed.
  [[nodiscard]] bool over() const { return (closing_ || draining_) && requests_.empty() && outbound_.empty(); }
  /// Whether anything is in flight for it, or waits to be sent.
  [[nodiscard]] bool busy() const { return !requests_.empty() || !outbound_.empty(); }
  [[nodiscard]] bool in_frame() const { return frames_.in_frame(); }
  [[nodiscard]] bool awaits_budget() const { return awaits_budget_; }
  [[nodiscard]] std::uint64_t requests_taken() const { return requests_taken_; }
  /// Why it closes; empty if the client is to blame for nothing.
  [[nodiscard]] const std::string& why_closed() const { return why_closed_; }

  void RequestChanged() override;
  [[nodiscard]] TurnLoop& loop() override { return loop_; }
  [[nodiscard]] KafkaClient& client() override { return client_; }
  [[nodiscard]] std::shared_ptr<void>& fetch_state() override { return fetch_state_; }

 private:
  void Advance();
  bool SendFirst();
  bool HandleNext();
  [[nodiscard]] bool MayOverlap() const;
  void Close(std::string why);

  TurnLoop& loop_;
  const RequestHandler handler_;
  ConnectionBytes bytes_;
  InboundFrames frames_;
  KafkaClient client_;
  std::shared_ptr<void> fetch_state_;
  std::optional<FrameMemory> next_;  // a frame that was taken out and waits to be handled
  std::deque<std::shared_ptr<KafkaRequest>> requests_;
  OutboundBytes outbound_;
  std::function<void()> changed_;
  std::uint64_t requests_taken_ = 0;
  std::string why_closed_;
  bool advancing_ = false;
  bool closing_ = false;  // handles nothing more
  bool cut_ = false;      // and sends nothing more
  bool draining_ = false, awaits_budget_ = false;
};

}  // namespace millrace
