// Goal: a server listens where it says, serves sockets, keeps to its limits, and stops without losing a reply. Method:
// real sockets of this machine, frames by hand.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "base/coding.h"
#include "env/temporary_directory.h"
#include "kafka/message.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/fetch.h"
#include "millrace/engine.h"
#include "millrace/server.h"
#include "server/net/socket_address.h"

namespace millrace {
namespace {

class Socket {
 public:
  explicit Socket(const ServerAddress& address) {
    const auto resolved = Resolve(address);
    EXPECT_TRUE(resolved);
    descriptor_ = ::socket(resolved->front().storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected_ = ::connect(descriptor_, resolved->front().get(), resolved->front().size) == 0;
  }
  ~Socket() { ::close(descriptor_); }
  [[nodiscard]] bool connected() const { return connected_; }

  void Send(const kafka::WireSlices& slices) const {
    for (const SharedBytes& slice : slices)
      ASSERT_EQ(::send(descriptor_, slice.data(), slice.size(), MSG_NOSIGNAL), static_cast<ssize_t>(slice.size()));
  }
  /// One frame; empty at the end of the stream, or after ten seconds.
  [[nodiscard]] std::string Receive() const {
    const std::string head = Exactly(4);
    if (head.size() < 4) return {};
    return Exactly(static_cast<std::size_t>(GetBe<std::int32_t>(AsBytes(head).data())));
  }

 private:
  [[nodiscard]] std::string Exactly(std::size_t size) const {
    std::string out;
    while (out.size() < size) {
      pollfd entry{descriptor_, POLLIN, 0};
      if (::poll(&entry, 1, 10'000) <= 0) break;
      char piece[4096];
      const ssize_t count = ::recv(descriptor_, piece, std::min(sizeof piece, size - out.size()), 0);
      if (count <= 0) break;
      out.append(piece, static_cast<std::size_t>(count));
    }
    return out;
  }

  int descriptor_ = -1;
  bool connected_ = false;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    EngineOptions options;
    options.data_dir = directory_.path() / "data";
    options.metadata_store = options.object_store = "memory:";
    options.wal_bytes_max = 64 << 20;
    engine_ = *Engine::Open(options);
  }
  Result<std::unique_ptr<Server>> Start(ServerOptions options = {}) {
    if (options.listen == ServerOptions{}.listen) options.listen = {{"127.0.0.1", 0}};
    return Server::Start(*engine_, std::move(options));
  }
  static kafka::WireSlices AskVersions() { return kafka::EncodeRequest(kafka::ApiVersionsRequest{}, 0, 7, "t"); }

  TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(ServerTest, AnswersOnThePortItTells) {
  const auto server = Start();
  ASSERT_TRUE(server) << server.error().ToString();
  EXPECT_NE((*server)->addresses().front().port, 0);
  EXPECT_EQ((*server)->advertised().port, (*server)->addresses().front().port);
  const Socket socket((*server)->addresses().front());
  socket.Send(AskVersions());
  const std::string reply = socket.Receive();
  ASSERT_GT(reply.size(), 4U);
  EXPECT_EQ(GetBe<std::int32_t>(AsBytes(reply).data()), 7);
}

TEST_F(ServerTest, SeveralLoopsShareTheConnections) {
  const auto server = Start({.loops = 3});
  ASSERT_TRUE(server);
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < 9; ++i) {
    sockets.push_back(std::make_unique<Socket>((*server)->addresses().front()));
    sockets.back()->Send(AskVersions());
  }
  for (const auto& socket : sockets) EXPECT_FALSE(socket->Receive().empty());
}

TEST_F(ServerTest, StopAnswersAFetchThatWaitsAndLeavesTheEngineOpen) {
  ASSERT_TRUE(engine_->CreateTopic("t"));
  const auto server = Start();
  ASSERT_TRUE(server);
  const Socket socket((*server)->addresses().front());
  const kafka::FetchRequest::Partition partition{.partition_max_bytes = 1'000};
  const kafka::FetchRequest::Topic topic{.topic = "t", .partitions = {&partition, 1}};
  kafka::FetchRequest request;
  request.max_wait_ms = 600'000;
  request.min_bytes = 1;
  request.topics = {&topic, 1};
  socket.Send(AskVersions());
  EXPECT_FALSE(socket.Receive().empty());
  socket.Send(kafka::EncodeRequest(request, 4, 8, "t"));
  (*server)->Stop();
  const std::string reply = socket.Receive();
  // The stop may also have come before the request did.
  if (!reply.empty()) EXPECT_EQ(GetBe<std::int32_t>(AsBytes(reply).data()), 8);
  EXPECT_EQ(socket.Receive(), "");
  (*server)->Stop();
  EXPECT_TRUE(engine_->Append("t", "still open"));
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitsAreTurnedAway) {
  const auto server = Start({.connections_per_address_max = 2});
  ASSERT_TRUE(server);
  const Socket first((*server)->addresses().front()), second((*server)->addresses().front());
  first.Send(AskVersions());
  second.Send(AskVersions());
  EXPECT_FALSE(first.Receive().empty());
  EXPECT_FALSE(second.Receive().empty());
  const Socket third((*server)->addresses().front());
  EXPECT_EQ(third.Receive(), "");
}

TEST_F(ServerTest, AClientWithoutARequestIsClosedAfterItsTime) {
  const auto server = Start({.handshake_timeout = std::chrono::milliseconds(50)});
  ASSERT_TRUE(server);
  const Socket socket((*server)->addresses().front());
  EXPECT_EQ(socket.Receive(), "");
}

TEST_F(ServerTest, AddressesOfOtherMachinesNeedToBeMeant) {
  const auto refused = Start({.listen = {{"0.0.0.0", 0}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Start(
      {.listen = {{"0.0.0.0", 0}}, .advertise = ServerAddress{"localhost", 0}, .plaintext_beyond_loopback = true}));
}

TEST_F(ServerTest, WhatClientsAreToldHasAnAddress) {
  const auto refused = Start({.advertise = ServerAddress{"no-such-name.invalid", 9092}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().hint().find("--advertise"), std::string_view::npos);
}

TEST_F(ServerTest, AnAddressInUseIsToldByName) {
  const auto server = Start();
  ASSERT_TRUE(server);
  const auto second = Start({.listen = {(*server)->addresses().front()}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message().find("cannot listen on 127.0.0.1"), std::string_view::npos);
}

TEST_F(ServerTest, WrongNumbersAreRefused) {
  for (const ServerOptions& options :
       {ServerOptions{.loops = 0}, ServerOptions{.request_bytes_max = 1}, ServerOptions{.in_flight_bytes_max = 1},
        ServerOptions{.cold_bytes_max = 1}, ServerOptions{.connections_max = 0}}) {
    const auto refused = Start(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(ServerAddressTest, ReadsWhatItWrites) {
  for (const char* text : {"localhost:9092", "[::1]:9092", "10.0.0.1:1"})
    EXPECT_EQ(ServerAddress::Parse(text)->Text(), text);
  EXPECT_EQ(ServerAddress::Parse(":9092"), (ServerAddress{"::", 9092}));
  for (const char* text : {"", "9092", "localhost", "localhost:", "localhost:99999", "::1:9092", "[::1:9092", "a:1b"})
    EXPECT_FALSE(ServerAddress::Parse(text)) << text;
}

}  // namespace
}  // namespace millrace
