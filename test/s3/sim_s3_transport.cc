#include "test/s3/sim_s3_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "http/http_body.h"
#include "store/object_pieces.h"

namespace millrace {
namespace {

using std::chrono::nanoseconds;

// A connection that brings nothing for so long is given up, deadline or not.
constexpr nanoseconds kSilenceMax = std::chrono::seconds(30);

nanoseconds TimeOf(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return nanoseconds(0);
  return nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second)));
}

Result<SimS3Request> Arrived(const HttpRequest& request) {
  SimS3Request::Words headers;
  for (const HttpHeader& header : request.headers) headers.insert_or_assign(header.name, header.value);
  headers.try_emplace("host", fmt::format("{}:{}", request.host, request.port));
  return SimS3Request::Parse(HttpMethodName(request.method), request.target, std::move(headers),
                             JoinPieces(request.body));
}

Error Broken(std::string_view what) { return {ErrorCode::kUnavailable, fmt::format("simulated S3: {}", what)}; }
Error TimedOut() { return {ErrorCode::kTimeout, "simulated S3: no answer in time"}; }

}  // namespace

SimS3Transport::Flight SimS3Transport::Fly(const HttpRequest& request) {
  const auto arrived = Arrived(request);
  if (!arrived) return {.result = arrived.error()};
  const SimS3Reply reply = store_.Handle(*arrived);
  Flight flight;
  flight.takes = TimeOf(arrived->body.size(), reply.bytes_per_second) + reply.first_byte;
  bool silent = reply.first_byte > kSilenceMax || reply.stall > kSilenceMax;
  if (reply.ending == SimS3Ending::kResetBeforeReply) {
    flight.result = Broken("the connection broke before an answer");
  } else {
    HttpResponse response{.status = reply.status};
    for (const auto& [name, value] : reply.headers) response.headers.push_back({name, value});
    if (reply.status != 204) response.headers.push_back({"content-length", fmt::format("{}", reply.content_length)});
    HttpBody body(request, reply.status, reply.content_length);
    (void)body.Take(reply.body);
    body.Finish(response);
    flight.takes += TimeOf(response.body_bytes, reply.bytes_per_second) + reply.stall;
    if (reply.ending == SimS3Ending::kComplete || response.overlong) {
      flight.result = std::move(response);
    } else {
      flight.result = Broken("the connection broke within the answer");
    }
  }
  if (silent) flight = {.takes = std::min(flight.takes, kSilenceMax), .result = TimedOut()};
  if (request.deadline && clock_.Monotonic() + flight.takes > *request.deadline) {
    flight = {.takes = std::max(*request.deadline - clock_.Monotonic(), nanoseconds(0)), .result = TimedOut()};
  }
  return flight;
}

Result<HttpResponse> SimS3Transport::Send(const HttpRequest& request) {
  Flight flight = Fly(request);
  clock_.Advance(flight.takes);
  return std::move(flight.result);
}

Result<HttpResponse> SimS3Transport::Race(const HttpRequest& request, const HedgePlan& plan) {
  Flight first = Fly(request);
  clock_.Advance(std::min(first.takes, plan.after));
  if (first.takes <= plan.after) return std::move(first.result);
  if (plan.allowed && !plan.allowed()) {
    clock_.Advance(first.takes - plan.after);
    return std::move(first.result);
  }
  Flight second = Fly(request);
  const nanoseconds first_left = first.takes - plan.after;
  const bool first_is_earlier = first_left <= second.takes;
  // The earlier answer wins unless it settles nothing; then the other one is waited for, which may be no better.
  const bool earlier_settles = first_is_earlier ? first.Settles() : second.Settles();
  const bool first_wins = first_is_earlier == earlier_settles;
  Flight& winner = first_wins ? first : second;
  clock_.Advance(first_wins ? first_left : second.takes);
  if (winner.result) {
    winner.result->hedged = true;
    winner.result->hedge_won = !first_wins;
  }
  return std::move(winner.result);
}

}  // namespace millrace
