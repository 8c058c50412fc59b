// The seam of HTTP: one request goes out, one answer comes back. Below it a real client or a simulated server in
// virtual time; above it the clients of a protocol over HTTP (S3, a token service). It knows neither.
//
// A transport repeats nothing and judges no status: any answer is a success here, 503 included. Only an answer that
// did not come whole is an Error.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace {

enum class HttpMethod { kGet, kHead, kPut, kPost, kDelete };

[[nodiscard]] constexpr std::string_view HttpMethodName(HttpMethod method) {
  constexpr std::string_view kNames[] = {"GET", "HEAD", "PUT", "POST", "DELETE"};
  return kNames[static_cast<int>(method)];
}

struct HttpHeader {
  std::string name;  // lower case, in requests and answers
  std::string value;
};

/// What is sent, byte for byte: the transport adds `content-length` (always, if there may be a body), `host` if none is
/// among the headers, and nothing else that a signature could cover. Spans outlive the call.
struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  bool tls = true;
  std::string host;  // a name or an address, IPv6 without brackets
  std::uint16_t port = 443;
  std::string target = "/";  // path and query, encoded
  std::vector<HttpHeader> headers;
  std::span<const SharedBytes> body;  // sent one after the other
  /// On Clock::Monotonic(). Past it the answer is kTimeout. None: the transport's own limits alone.
  std::optional<std::chrono::nanoseconds> deadline;
  /// For a peer that may not be there. None: the transport's own limit.
  std::optional<std::chrono::milliseconds> connect_time_max;
  /// A 2xx body is received into as many parts, each with memory of its own, of these lengths; if the body is shorter,
  /// the last ones are short or empty. Empty: into one part, up to `unsized_bytes_max`.
  std::span<const std::uint64_t> part_lengths;
  std::uint64_t unsized_bytes_max = 64 << 10;  // of a body that is no 2xx or has no `part_lengths`

  [[nodiscard]] std::uint64_t body_bytes() const {
    std::uint64_t total = 0;
    for (const SharedBytes& piece : body) total += piece.size();
    return total;
  }
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;
  std::vector<SharedBytes> parts;
  std::uint64_t body_bytes = 0;  // in `parts`
  bool overlong = false;         // the body went on past what was asked; the rest was not read
  bool hedged = false;           // a second request was sent
  bool hedge_won = false;        // and this is its answer

  /// The first value under `name` (lower case), or none.
  [[nodiscard]] std::optional<std::string_view> Header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, &HttpHeader::name);
    return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->value);
  }
};

/// When to send a request a second time.
struct HedgePlan {
  std::chrono::nanoseconds after{};
  /// Asked once, when `after` has passed; false: go on with one. Null: allowed. Must not block.
  std::function<bool()> allowed;
};

/// Safe from any thread; calls block until the answer is whole, or the limits of the calling thread (RequestScope) end:
/// kTimeout, or kClosed at once when a stop is asked for. Errors beside: kTimeout (deadline, connect, a stalled peer),
/// kUnavailable (no connection, reset, body shorter than its content-length, not HTTP), both retryable: whether the
/// request took effect is then unknown; kInvalidArgument (peer not to be trusted: TLS), not retryable.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
  /// As Send, but if no answer was whole after `plan.after`, sends the same request once more. The first whole answer
  /// wins, the other is cancelled; an error, a 5xx or a 429 wins only if the other failed too or was never sent. Only
  /// for requests that change nothing.
  virtual Result<HttpResponse> Race(const HttpRequest& request, const HedgePlan& plan) = 0;
};

}  // namespace millrace
