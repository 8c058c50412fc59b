// A TCP connection as a client has it: every wait has an end, by time or by a stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "client/address.h"
#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace::client {

using SteadyTime = std::chrono::steady_clock::time_point;

/// A descriptor that becomes readable when it is rung, to be polled beside sockets.
class Alarm {
 public:
  /// kUnavailable: the process may open no more descriptors.
  static Result<std::unique_ptr<Alarm>> Make();
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  /// From any thread.
  void Ring() const;
  /// Not readable any more until the next ring.
  void Quiet() const;
  /// Rings when the stop is asked for. Once.
  void RingAt(std::stop_token stop);
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  explicit Alarm(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
  std::optional<std::stop_callback<std::function<void()>>> at_stop_;
};

/// When a wait ends without what it waits for: kTimeout at `deadline`, kClosed once `stop` has rung.
struct Until {
  SteadyTime deadline;
  const Alarm& stop;
};

/// Sleeps. kClosed once the stop has rung; at the deadline it is over without an error.
Result<void> SleepUntil(const Until& until);

/// Not thread-safe. After an error it is of no use.
class Socket {
 public:
  Socket() = default;
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  /// Tries every address of the host in turn. Errors: kUnavailable ("cannot connect to HOST:PORT: why"), kTimeout,
  /// kClosed. Cost: the look-up of a name waits as long as the system's resolver does.
  static Result<Socket> Connect(const Address& address, const Until& until);

  /// All of it. Errors: kUnavailable (the other side closed or reset it), kTimeout, kClosed.
  Result<void> Write(std::span<const SharedBytes> slices, const Until& until);
  /// At least one byte, and what is there; `into` is not empty. Errors: as Write.
  Result<std::size_t> Read(std::span<std::byte> into, const Until& until);
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace millrace::client
