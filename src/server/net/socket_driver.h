// Between one socket and its KafkaConnection: reads while there is room, writes at the end of a turn, and watches the
// clock.
//
//   readable ─► read into Room() ─► Received ─► (dirty) ─► end of the turn: Flush ─► one gathered write
//
// What it waits for, and how long at most: the first request (handshake), the rest of a frame or a client who takes its
// replies (progress), the next request (idle). While a request is in flight it is the server's turn, and no time
// counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/kafka/kafka_connection.h"
#include "server/net/event_loop.h"

namespace millrace {

struct SocketTimeouts {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds progress{30'000};
  std::chrono::milliseconds idle{600'000};
};

/// Of its loop's thread; the loop outlives it.
class SocketDriver final : public std::enable_shared_from_this<SocketDriver> {
 public:
  /// Both are called on the loop's thread. `dirty`: Flush is wanted at the end of this turn. `closed`: the socket is
  /// gone; `why` is for the log, and empty where the client left by itself.
  struct Owner {
    std::function<void(const std::shared_ptr<SocketDriver>&)> dirty;
    std::function<void(const std::shared_ptr<SocketDriver>&, std::string_view why)> closed;
  };

  /// Takes the socket over.
  SocketDriver(EventLoop& loop, int socket, std::shared_ptr<KafkaConnection> connection, const SocketTimeouts& timeouts,
               Owner owner);
  ~SocketDriver();

  void Begin();
  /// Sends what there is to send, handles what could not be handled before, and reads on.
  void Flush();
  /// Ends waits, and closes once all replies have left.
  void Drain();
  void CloseNow(std::string_view why);
  [[nodiscard]] KafkaConnection& connection() { return *connection_; }

 private:
  void Read();
  /// False: the socket is gone, or its client takes no more for now.
  bool Write();
  void AwaitReadable();
  void AwaitWritable();
  void AwaitBudget();
  void MarkDirty();
  void NoteRead(std::size_t count);
  void CheckTime();
  struct Limit {
    TurnLoop::Time at;
    const char* why;
  };
  [[nodiscard]] Limit NextLimit() const;

  EventLoop& loop_;
  const int socket_;
  const std::shared_ptr<KafkaConnection> connection_;
  const SocketTimeouts timeouts_;
  Owner owner_;
  std::unique_ptr<Readiness> readiness_;
  TurnLoop::TimerId timer_ = 0;
  const TurnLoop::Time accepted_at_;
  TurnLoop::Time progress_at_;
  std::uint64_t requests_seen_ = 0, moved_bytes_ = 0;  // since progress_at_
  bool reading_ = false, writing_ = false, paused_ = false, dirty_ = false, closed_ = false, awaits_budget_ = false;
};

}  // namespace millrace
