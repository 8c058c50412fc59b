// What the simulated S3 answers, and how the answer travels: a plan that a server carries out on a socket and a
// simulated transport in virtual time.
//
//   request ──► upload at bytes_per_second ──► first_byte ──► head ──► half of the body ──► stall ──► rest of it ──►
//   end
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/bytes.h"

namespace millrace {

enum class SimS3Ending {
  kComplete,
  kResetBeforeReply,  // the connection breaks; nothing of the reply arrives
  kResetInBody,       // it breaks after `body`, which is only a part of what the head promised
  kClosedInBody,      // the same, ended in order
};

struct SimS3Reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // without Content-Length
  SharedBytes body;                                          // what is sent
  std::uint64_t content_length = 0;                          // what the head promises; a HEAD sends no body
  std::chrono::nanoseconds first_byte{0}, stall{0};
  std::uint64_t bytes_per_second = 0;  // of this connection, each way; 0: no limit
  SimS3Ending ending = SimS3Ending::kComplete;

  /// "" if there is none.
  [[nodiscard]] std::string_view Header(std::string_view name) const {
    for (const auto& [known, value] : headers) {
      if (known == name) return value;
    }
    return {};
  }
  void SetHeader(std::string_view name, std::string value) {
    for (auto& [known, old] : headers) {
      if (known == name) return void(old = std::move(value));
    }
    headers.emplace_back(name, std::move(value));
  }
  void SetBody(SharedBytes bytes) {
    body = std::move(bytes);
    content_length = body.size();
  }
};

/// <Error><Code>…; the body of a refusal.
SimS3Reply SimS3Refusal(int status, std::string_view code, std::string_view message);
/// "200 OK": the words of a status line.
std::string_view HttpReason(int status);

}  // namespace millrace
