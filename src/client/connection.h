// Kafka's protocol on one socket: frames out, frames in, in order. What comes is not trusted: a length is bounded,
// memory grows with what has arrived, and a frame that cannot be read is a typed error after which the connection is
// not used.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "client/address.h"
#include "client/socket.h"
#include "kafka/arena.h"
#include "kafka/message.h"
#include "kafka/wire_types.h"
#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace::client {

/// A decoded answer with the memory that it views.
template <class Response>
struct Answer {
  SharedBytes frame;
  std::unique_ptr<kafka::Arena> arena;
  Response body;

  const Response* operator->() const { return &body; }
};

/// Not thread-safe.
class Connection {
 public:
  static constexpr std::uint32_t kFrameBytesMax = 256 << 20;

  /// Connects, and asks for the versions that are served. Errors: those of Socket::Connect and of Receive.
  static Result<std::unique_ptr<Connection>> Open(const Address& address, const Until& until);

  /// The highest version of both sides. kUnsupported: there is none.
  template <class Request>
  Result<std::int16_t> VersionOf(kafka::VersionRange wanted) const {
    return Highest(Request::kApiKey, Request::kName, wanted);
  }
  /// Sends a request of that version; what it is answered must have the number returned. Errors: kUnavailable,
  /// kTimeout, kClosed: the server may have it, or a part of it.
  template <class Request>
  Result<std::int32_t> Send(const Request& request, std::int16_t version, const Until& until) {
    const std::int32_t number = ++last_number_;
    const kafka::WireSlices frame = kafka::EncodeRequest(request, version, number, kClientId);
    if (auto sent = socket_.Write(frame, until); !sent) return Broken(sent.error());
    return number;
  }
  /// The next frame, without its size. Errors: kUnavailable, kTimeout, kClosed, kCorruption (its length).
  Result<SharedBytes> Receive(const Until& until);
  /// kCorruption: it cannot be read, or is the answer to something else.
  template <class Response>
  Result<Answer<Response>> Decode(SharedBytes frame, std::int16_t version, std::int32_t number) {
    Answer<Response> answer{std::move(frame), std::make_unique<kafka::Arena>(), {}};
    kafka::WireReader in(answer.frame.bytes(), *answer.arena);
    auto body = kafka::DecodeResponse<Response>(in, version, number);
    if (!body) return Broken(body.error());
    answer.body = *body;
    return answer;
  }
  template <class Response>
  Result<Answer<Response>> ReceiveAnswer(std::int16_t version, std::int32_t number, const Until& until) {
    auto frame = Receive(until);
    if (!frame) return frame.error();
    return Decode<Response>(*std::move(frame), version, number);
  }
  /// One request and its answer.
  template <class Response, class Request>
  Result<Answer<Response>> Call(const Request& request, kafka::VersionRange wanted, const Until& until) {
    auto version = VersionOf<Request>(wanted);
    if (!version) return version.error();
    auto number = Send(request, *version, until);
    if (!number) return number.error();
    return ReceiveAnswer<Response>(*version, *number, until);
  }

  /// Whether the server has closed it, while no answer was awaited: what is sent on it now would be lost. Then it is
  /// not used again.
  bool HasEnded();
  /// It is not used again: an answer is still under way that is not waited for.
  void Abandon() { broken_ = true; }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] int descriptor() const { return socket_.descriptor(); }

 private:
  static constexpr std::string_view kClientId = "millrace";

  Connection(Address address, Socket socket) : address_(std::move(address)), socket_(std::move(socket)) {}
  Result<std::int16_t> Highest(std::int16_t key, std::string_view name, kafka::VersionRange wanted) const;
  Result<void> AskVersions(const Until& until);
  Result<void> Fill(Buffer& bytes, std::size_t& filled, std::size_t end, const Until& until);
  /// The same error with this connection's address; it is not used again.
  Error Broken(const Error& error);

  const Address address_;
  Socket socket_;
  std::map<std::int16_t, kafka::VersionRange> served_;  // by key
  std::int32_t last_number_ = 0;
  bool broken_ = false;
};

}  // namespace millrace::client
