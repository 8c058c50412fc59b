// Goal: what leaves is what was asked for, byte for byte; what comes lands in its parts; connections are used again;
// whatever the peer does ends in an answer or a typed error. Method: a peer on the loopback that answers each request
// by a script of raw bytes.
#include "http/curl_transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "env/system_clock.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

/// Serves one connection at a time per thread; each request is answered by `answer`, or never.
class Peer {
 public:
  static constexpr std::string_view kNever = "never", kHangUp = "hang up";
  using Answering = std::function<std::string(const std::string& request)>;

  explicit Peer(Answering answering) : answering_(std::move(answering)) {
    // Several threads wait for the same connection: the second must not block where stop_ cannot reach it.
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(::pipe(stop_), 0);
    for (int i = 0; i < 4; ++i) threads_.emplace_back([this] { Serve(); });
  }
  ~Peer() {
    (void)!::write(stop_[1], "x", 1);
    threads_.clear();
    for (const int file : {listener_, stop_[0], stop_[1]}) ::close(file);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  // False: the peer is to end.
  bool Readable(int file) {
    pollfd waiting[] = {{file, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    return ::poll(waiting, 2, -1) > 0 && waiting[1].revents == 0;
  }
  void Serve() {
    while (Readable(listener_)) {
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (connection < 0) continue;  // another thread was faster
      Talk(connection);
      ::close(connection);
    }
  }
  // Reads until headers and body are there.
  static bool IsWhole(const std::string& request) {
    const std::size_t end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::size_t stated = request.find("Content-Length: ");
    const std::size_t body = stated < end ? std::stoul(request.substr(stated + 16)) : 0;
    return request.size() >= end + 4 + body;
  }
  void Talk(int connection) {
    std::string request;
    while (Readable(connection)) {
      char bytes[64 << 10];
      const ssize_t got = ::read(connection, bytes, sizeof(bytes));
      if (got <= 0) return;
      request.append(bytes, static_cast<std::size_t>(got));
      if (!IsWhole(request)) continue;
      const std::string answer = answering_(request);
      request.clear();
      if (answer == kHangUp) return;
      if (answer == kNever) continue;
      for (std::size_t at = 0; at < answer.size();) {
        const ssize_t sent = ::send(connection, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (sent > 0) {
          at += static_cast<std::size_t>(sent);
          continue;
        }
        pollfd full[] = {{connection, POLLOUT, 0}, {stop_[0], POLLIN, 0}};
        if (errno != EAGAIN || ::poll(full, 2, -1) < 0 || full[1].revents != 0) return;
      }
      if (answer.find("onnection: close") != std::string::npos) return;
    }
  }

  const Answering answering_;
  int listener_ = -1, stop_[2] = {-1, -1};
  std::uint16_t port_ = 0;
  std::vector<std::jthread> threads_;
};

std::string Answer(std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" +
         std::string(body);
}

/// What a peer answers, changed between requests.
class Script {
 public:
  explicit Script(std::string answer = "") : answer_(std::move(answer)) {}
  void Set(std::string answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  std::string Get() {
    MutexLock lock(mutex_);
    return answer_;
  }

 private:
  Mutex mutex_;
  std::string answer_ MR_GUARDED_BY(mutex_);
};

class CurlTransportTest : public testing::Test {
 protected:
  static HttpRequest To(const Peer& peer) {
    HttpRequest request{.tls = false, .host = "127.0.0.1", .port = peer.port()};
    request.headers = {{"host", "bucket.example"}};
    return request;
  }
  static std::string Body(const Result<HttpResponse>& answer) {
    if (!answer) return std::string(ErrorCodeName(answer.error().code())) + (answer.error().retryable() ? "*" : "");
    std::string shown;
    for (const SharedBytes& part : answer->parts) shown += std::string(AsText(part)) + "|";
    return shown + (answer->overlong ? "+" : "");
  }

  SystemClock clock_;
  CurlTransport transport_{clock_};
};

TEST_F(CurlTransportTest, RequestsLeaveAsTheyAreAndShareAConnection) {
  std::vector<std::string> seen;
  Mutex mutex;
  Peer peer([&](const std::string& request) {
    MutexLock lock(mutex);
    seen.push_back(request);
    return Answer("ok", "X-One: 1\r\n");
  });
  HttpRequest request = To(peer);
  request.target = "/a/../b%20c?x=%2F&y=";
  request.headers.push_back({"x-empty", ""});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Body(transport_.Send(request)), "ok|");
  std::vector<SharedBytes> pieces;
  for (const std::string_view text : {"one", "", "two"}) pieces.push_back(SharedBytes::Copy(AsBytes(text)));
  request.body = pieces;
  for (const HttpMethod method : {HttpMethod::kPut, HttpMethod::kPost}) {
    request.method = method;
    EXPECT_EQ(Body(transport_.Send(request)), "ok|");
  }
  request.body = {};
  EXPECT_EQ(Body(transport_.Send(request)), "ok|");
  request.method = HttpMethod::kDelete;
  const auto answer = transport_.Send(request);
  EXPECT_EQ(answer->Header("x-one"), "1");
  EXPECT_EQ(transport_.connections(), 1u);
  MutexLock lock(mutex);
  EXPECT_EQ(seen[0], "GET /a/../b%20c?x=%2F&y= HTTP/1.1\r\nHost: bucket.example\r\nx-empty:\r\n\r\n");
  EXPECT_TRUE(seen[3].starts_with("PUT /a/../b%20c")) << seen[3];
  EXPECT_NE(seen[3].find("Content-Length: 6\r\n"), std::string::npos) << seen[3];
  EXPECT_TRUE(seen[3].ends_with("\r\n\r\nonetwo")) << seen[3];
  EXPECT_TRUE(seen[4].starts_with("POST ") && seen[4].ends_with("onetwo")) << seen[4];
  EXPECT_NE(seen[5].find("Content-Length: 0\r\n"), std::string::npos) << seen[5];
  EXPECT_TRUE(seen[6].starts_with("DELETE "));
}

TEST_F(CurlTransportTest, BodiesOfEveryLengthLandInTheirParts) {
  std::string body(3'000'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  Peer peer([&](const std::string&) { return Answer(body); });
  const std::uint64_t lengths[] = {1'000'000, 0, 2'000'000, 5};
  HttpRequest request = To(peer);
  request.part_lengths = lengths;
  EXPECT_EQ(Body(transport_.Send(request)), body.substr(0, 1'000'000) + "||" + body.substr(1'000'000) + "||");
  const std::uint64_t fewer[] = {10, 20};
  request.part_lengths = fewer;
  EXPECT_EQ(Body(transport_.Send(request)), body.substr(0, 10) + "|" + body.substr(10, 20) + "|+");
  request.part_lengths = {};
  request.unsized_bytes_max = 100;
  EXPECT_EQ(Body(transport_.Send(request)), body.substr(0, 100) + "|+");
}

TEST_F(CurlTransportTest, AHeadHasALengthAndNoBody) {
  Peer peer([](const std::string&) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"); });
  HttpRequest request = To(peer);
  request.method = HttpMethod::kHead;
  const auto answer = transport_.Send(request);
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->Header("content-length"), "1234");
  EXPECT_EQ(answer->body_bytes, 0u);
}

TEST_F(CurlTransportTest, WhatIsNotWholeIsAnErrorToRetry) {
  Script script;
  Peer peer([&](const std::string&) { return script.Get(); });
  for (const std::string& broken :
       {std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nab"),
        std::string(Peer::kHangUp), std::string("no http\r\nConnection: close\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nX-Long: " + std::string(80'000, 'x') + "\r\nConnection: close\r\n\r\n"}) {
    script.Set(broken);
    EXPECT_EQ(Body(transport_.Send(To(peer))), "kUnavailable*") << broken.substr(0, 60);
  }
  script.Set(Answer("fine"));
  EXPECT_EQ(Body(transport_.Send(To(peer))), "fine|");
}

TEST_F(CurlTransportTest, AnyStatusIsAnAnswer) {
  Peer peer([](const std::string&) {
    return std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nslow");
  });
  const auto answer = transport_.Send(To(peer));
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(Body(answer), "slow|");
}

TEST_F(CurlTransportTest, NobodyThereAndNoAnswerInTimeAreTyped) {
  HttpRequest nowhere{.tls = false, .host = "127.0.0.1", .port = 1};
  EXPECT_EQ(Body(transport_.Send(nowhere)), "kUnavailable*");
  Peer peer([](const std::string&) { return std::string(Peer::kNever); });
  HttpRequest request = To(peer);
  request.deadline = clock_.Monotonic() + std::chrono::milliseconds(50);
  EXPECT_EQ(Body(transport_.Send(request)), "kTimeout*");
  EXPECT_EQ(Body(transport_.Send(request)), "kTimeout*");  // past it already
}

TEST_F(CurlTransportTest, ASlowRequestIsRacedAndTheFirstWholeAnswerWins) {
  std::atomic<int> requests{0};
  Script first{std::string(Peer::kNever)}, second{Answer("second")};
  Peer peer([&](const std::string&) { return (++requests % 2 == 1 ? first : second).Get(); });
  HedgePlan plan{.after = std::chrono::milliseconds(20)};
  auto answer = transport_.Race(To(peer), plan);
  EXPECT_EQ(Body(answer), "second|");
  EXPECT_TRUE(answer->hedged && answer->hedge_won);
  // Not allowed: the one there is runs into its deadline.
  plan.allowed = [] { return false; };
  HttpRequest request = To(peer);
  request.deadline = clock_.Monotonic() + std::chrono::milliseconds(60);
  EXPECT_EQ(Body(transport_.Race(request, plan)), "kTimeout*");
  EXPECT_EQ(requests, 3);
  // One that fails loses to one that does not; two that fail show the answer they got.
  plan.allowed = nullptr;
  plan.after = std::chrono::milliseconds(0);
  requests = 0;
  first.Set("HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
  answer = transport_.Race(To(peer), plan);
  EXPECT_EQ(answer->status, 200);
  second.Set(std::string(Peer::kHangUp));
  requests = 0;
  answer = transport_.Race(To(peer), plan);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500);
}

TEST_F(CurlTransportTest, ManyThreadsShareTheTransport) {
  Peer peer([](const std::string&) { return Answer("x"); });
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 50; ++round) good += Body(transport_.Send(To(peer))) == "x|";
      });
    }
  }
  EXPECT_EQ(good, 200);
  EXPECT_LE(transport_.connections(), 4u);
}

TEST_F(CurlTransportTest, AStopEndsARequestThatNobodyAnswers) {
  std::stop_source stop;
  Peer peer([&](const std::string&) {
    stop.request_stop();  // while the caller waits
    return std::string(Peer::kNever);
  });
  {
    const RequestScope scope({.stop = stop.get_token()});
    EXPECT_EQ(Body(transport_.Send(To(peer))), "kClosed");
    ASSERT_TRUE(stop.stop_requested());
    EXPECT_EQ(Body(transport_.Race(To(peer), {.after = std::chrono::hours(1)})), "kClosed");
  }
  const RequestScope scope({.deadline = clock_.Monotonic()});
  EXPECT_EQ(Body(transport_.Send(To(peer))), "kTimeout*");
}

TEST_F(CurlTransportTest, TheCallersDeadlineCountsIfItIsNearer) {
  Peer peer([&](const std::string&) { return std::string(Peer::kNever); });
  const RequestScope scope({.deadline = clock_.Monotonic() + std::chrono::milliseconds(50)});
  HttpRequest request = To(peer);
  request.deadline = clock_.Monotonic() + std::chrono::hours(1);
  EXPECT_EQ(Body(transport_.Send(request)), "kTimeout*");
}

TEST_F(CurlTransportTest, WhoCannotConnectIsToldWhy) {
  HttpRequest request{.tls = false, .host = "127.0.0.1"};
  {
    const Peer gone([](const std::string&) { return std::string(); });
    request.port = gone.port();
  }
  const auto refused = transport_.Send(request);
  EXPECT_EQ(Body(refused), "kUnavailable*");
  EXPECT_NE(refused.error().message().find("127.0.0.1:"), std::string_view::npos);
  EXPECT_NE(refused.error().message().find("Connection refused"), std::string_view::npos) << refused.error().message();
}

}  // namespace
}  // namespace millrace
