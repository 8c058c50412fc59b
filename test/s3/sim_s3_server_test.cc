// Goal: over a real socket the simulated S3 says what its core planned: heads, bodies, connections that live on or
// break. Method: a few raw HTTP/1.1 exchanges; nothing about time but that a delay is not shorter than planned.
#include "test/s3/sim_s3_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "env/system_clock.h"

namespace millrace {
namespace {

class SimS3ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = SimS3Server::Start(store_);
    ASSERT_TRUE(started) << started.error().ToString();
    server_ = *std::move(started);
    store_.CreateBucket("b");
  }
  [[nodiscard]] int Connect() const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(server_->port()), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  static void Say(int socket, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// A head and `body_bytes` bytes after it; what there is if the connection ends before.
  static std::string Hear(int socket, std::size_t body_bytes) {
    std::string heard;
    char buffer[65'536];
    for (;;) {
      const std::size_t head_end = heard.find("\r\n\r\n");
      if (head_end != std::string::npos && heard.size() >= head_end + 4 + body_bytes) return heard;
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) return heard;
      heard.append(buffer, static_cast<std::size_t>(got));
    }
  }
  static std::string Head(std::string_view method, std::string_view target, std::size_t length = 0) {
    return std::string(method) + " " + std::string(target) +
           " HTTP/1.1\r\nHost: x\r\nAuthorization: y\r\nContent-Length: " + std::to_string(length) + "\r\n";
  }
  /// On a connection of its own.
  std::string Exchange(const std::string& request, std::size_t body_bytes) {
    const int socket = Connect();
    Say(socket, request);
    std::string heard = Hear(socket, body_bytes);
    ::close(socket);
    return heard;
  }

  SystemClock clock_;
  SimS3 store_{1, clock_};
  std::unique_ptr<SimS3Server> server_;
};

TEST_F(SimS3ServerTest, AConnectionServesManyRequests) {
  const int socket = Connect();
  for (int i = 0; i < 3; ++i) {
    Say(socket, Head("PUT", "/b/k", 5) + "\r\nhello");
    EXPECT_TRUE(Hear(socket, 0).starts_with("HTTP/1.1 200 OK\r\n"));
    Say(socket, Head("GET", "/b/k") + "Range: bytes=1-3\r\n\r\n");
    const std::string heard = Hear(socket, 3);
    EXPECT_TRUE(heard.starts_with("HTTP/1.1 206 Partial Content\r\n")) << heard;
    EXPECT_TRUE(heard.ends_with("\r\n\r\nell")) << heard;
    EXPECT_TRUE(heard.contains("content-range: bytes 1-3/5\r\n")) << heard;
    Say(socket, Head("HEAD", "/b/k") + "\r\n");
    EXPECT_TRUE(Hear(socket, 0).contains("content-length: 5\r\n"));
    Say(socket, Head("DELETE", "/b/k") + "\r\n");
    EXPECT_TRUE(Hear(socket, 0).starts_with("HTTP/1.1 204"));
  }
  ::close(socket);
  EXPECT_EQ(server_->connections_accepted(), 1u);
}

TEST_F(SimS3ServerTest, AWaitingClientIsToldToContinue) {
  const int socket = Connect();
  Say(socket, Head("PUT", "/b/k", 2) + "Expect: 100-continue\r\n\r\n");
  EXPECT_TRUE(Hear(socket, 0).starts_with("HTTP/1.1 100 Continue"));
  Say(socket, "ok");
  EXPECT_TRUE(Hear(socket, 0).starts_with("HTTP/1.1 200"));
  ::close(socket);
}

TEST_F(SimS3ServerTest, LargeBodiesArriveWholeOverManyConnections) {
  const std::string body(3 << 20, 'z');
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      const std::string target = "/b/k" + std::to_string(i);
      EXPECT_TRUE(Exchange(Head("PUT", target, body.size()) + "\r\n" + body, 0).starts_with("HTTP/1.1 200"));
      EXPECT_TRUE(Exchange(Head("GET", target) + "\r\n", body.size()).ends_with(body));
    });
  }
  clients.clear();
  EXPECT_EQ(store_.objects("b"), 4u);
}

TEST_F(SimS3ServerTest, DelaysAndPacesAreKept) {
  Exchange(Head("PUT", "/b/k", 100'000) + "\r\n" + std::string(100'000, 'x'), 0);
  SimS3Behaviour behaviour;
  behaviour.first_byte = std::chrono::milliseconds(20);
  behaviour.bytes_per_second = 2'000'000;
  store_.SetBehaviour(behaviour);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(Exchange(Head("GET", "/b/k") + "\r\n", 100'000).ends_with(std::string(100'000, 'x')));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(70));
}

TEST_F(SimS3ServerTest, BrokenAnswersBreakTheConnection) {
  Exchange(Head("PUT", "/b/k", 10'000) + "\r\n" + std::string(10'000, 'x'), 0);
  store_.FailRequest(1, S3Fault::kResetBefore);
  EXPECT_EQ(Exchange(Head("GET", "/b/k") + "\r\n", 1), "");
  for (const S3Fault fault : {S3Fault::kTruncated, S3Fault::kResetInBody}) {
    store_.FailRequest(1, fault);
    EXPECT_LT(Exchange(Head("GET", "/b/k") + "\r\n", 10'000).size(), 10'000u) << S3FaultName(fault);
  }
  EXPECT_EQ(Exchange("nonsense\r\n\r\n", 1), "");
  EXPECT_TRUE(Exchange(Head("GET", "/b/k") + "\r\n", 10'000).starts_with("HTTP/1.1 200"));
}

TEST_F(SimS3ServerTest, StoppingEndsWhatIsUnderWay) {
  store_.FailRequest(1, S3Fault::kUnanswered);
  const int socket = Connect();
  Say(socket, Head("GET", "/b/k") + "\r\n");
  while (store_.Counts().all() == 0) std::this_thread::yield();
  server_.reset();
  EXPECT_EQ(Hear(socket, 1), "");
  ::close(socket);
}

}  // namespace
}  // namespace millrace
