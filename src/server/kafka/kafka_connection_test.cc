// Goal: replies leave in the order of the requests whatever order they end in; what may not overlap does not; a
// connection that is done with gives all its bytes back. Method: a handler that only notes requests; the test ends
// them.
#include "server/kafka/kafka_connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "server/fake_turn_loop.h"

namespace millrace {
namespace {

constexpr char kProduceKey = 0, kOtherKey = 3;

/// A frame of an API with a text behind its key.
std::string Framed(char key, const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size() + 2);
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift);
  return frame + '\0' + key + text;
}

class KafkaConnectionTest : public ::testing::Test {
 protected:
  KafkaConnectionTest() {
    connection_ = std::make_shared<KafkaConnection>(
        loop_, frames_, budget_, ConnectionLimits{.request_bytes_max = 1 << 20, .bytes_max = 256 << 10},
        [this](const std::shared_ptr<KafkaRequest>& request) { handled_.push_back(request); }, "peer");
  }
  ~KafkaConnectionTest() override { connection_->Abandon(); }

  /// How many of the bytes it took.
  std::size_t Send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const std::span<std::byte> room = connection_->Room();
      if (room.empty()) break;
      const std::size_t count = std::min(room.size(), bytes.size() - sent);
      std::memcpy(room.data(), bytes.data() + sent, count);
      connection_->Received(count);
      sent += count;
    }
    return sent;
  }
  void Answer(std::size_t index, const std::string& text) {
    handled_.at(index)->Reply({SharedBytes::Copy(AsBytes(text))});
  }
  std::string Out() {
    std::array<iovec, 64> slices{};
    std::string text;
    for (std::size_t i = 0, count = connection_->outbound().Gather(slices); i < count; ++i)
      text.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
    connection_->outbound().Written(text.size());
    return text;
  }

  FakeTurnLoop loop_;
  FramePool frames_{1 << 20};
  ByteBudget budget_{4 << 20};
  std::shared_ptr<KafkaConnection> connection_;
  std::vector<std::shared_ptr<KafkaRequest>> handled_;
};

TEST_F(KafkaConnectionTest, RepliesLeaveInTheOrderOfTheRequests) {
  for (int i = 0; i < 3; ++i) {
    Send(Framed(kProduceKey, "p"));
    ASSERT_EQ(handled_.size(), i + 1U);
    handled_.back()->LetOverlap();
  }
  Answer(2, "c");
  Answer(1, "b");
  EXPECT_EQ(Out(), "");
  Answer(0, "a");
  EXPECT_EQ(Out(), "abc");
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(KafkaConnectionTest, ProduceWaitsUntilTheOneBeforeItHasItsPlaceInTheLog) {
  Send(Framed(kProduceKey, "1") + Framed(kProduceKey, "2"));
  EXPECT_EQ(handled_.size(), 1U);
  handled_[0]->LetOverlap();
  EXPECT_EQ(handled_.size(), 2U);
}

TEST_F(KafkaConnectionTest, AnythingButProduceIsHandledAlone) {
  Send(Framed(kProduceKey, "1") + Framed(kOtherKey, "2") + Framed(kProduceKey, "3"));
  handled_[0]->LetOverlap();
  EXPECT_EQ(handled_.size(), 1U);
  Answer(0, "a");
  ASSERT_EQ(handled_.size(), 2U);
  Answer(1, "b");
  ASSERT_EQ(handled_.size(), 3U);
  Answer(2, "c");
  EXPECT_EQ(Out(), "abc");
}

TEST_F(KafkaConnectionTest, ARequestWithoutAReplyLeavesNothingBehind) {
  Send(Framed(kProduceKey, "1") + Framed(kOtherKey, "2"));
  handled_[0]->EndWithoutReply();
  ASSERT_EQ(handled_.size(), 2U);
  Answer(1, "b");
  EXPECT_EQ(Out(), "b");
}

TEST_F(KafkaConnectionTest, ItClosesAfterTheRepliesBeforeTheRequestThatEndsIt) {
  Send(Framed(kProduceKey, "1"));
  handled_[0]->LetOverlap();
  Send(Framed(kProduceKey, "2") + Framed(kProduceKey, "3"));
  handled_[1]->EndByClosing("bad");
  EXPECT_FALSE(connection_->over());
  Answer(0, "a");
  EXPECT_FALSE(connection_->over());
  EXPECT_EQ(Out(), "a");
  EXPECT_TRUE(connection_->over());
  EXPECT_EQ(connection_->why_closed(), "bad");
  EXPECT_EQ(handled_.size(), 2U);
}

TEST_F(KafkaConnectionTest, AFrameBeyondTheLimitClosesItOnceWhatCameBeforeIsAnswered) {
  Send(Framed(kOtherKey, "1") + std::string("\x7f\xff\xff\xff", 4));
  ASSERT_EQ(handled_.size(), 1U);
  Answer(0, "a");
  EXPECT_EQ(Out(), "a");
  EXPECT_TRUE(connection_->over());
  EXPECT_FALSE(connection_->why_closed().empty());
}

TEST_F(KafkaConnectionTest, AClientThatDoesNotReadIsNotReadEither) {
  Send(Framed(kOtherKey, "1"));
  Answer(0, std::string(KafkaConnection::kUnsentMax + 1, 'x'));
  Send(Framed(kOtherKey, "2"));
  EXPECT_EQ(handled_.size(), 1U);
  EXPECT_FALSE(connection_->wants_bytes());
  EXPECT_EQ(Out().size(), KafkaConnection::kUnsentMax + 1);
  connection_->GoOn();
  EXPECT_EQ(handled_.size(), 2U);
}

TEST_F(KafkaConnectionTest, WhileARequestWaitsAtMostOneFrameMoreIsTakenIn) {
  Send(Framed(kOtherKey, "1"));
  const std::string next = Framed(kOtherKey, std::string(100'000, 'x'));
  EXPECT_EQ(Send(next), next.size());
  EXPECT_EQ(Send(Framed(kOtherKey, std::string(100'000, 'y'))), 0U);
  EXPECT_FALSE(connection_->wants_bytes());
}

TEST_F(KafkaConnectionTest, AFrameThatTheBudgetHasNoRoomForWaitsAndIsHandledLater) {
  ASSERT_TRUE(budget_.TryTake((4 << 20) - 20'000));
  const std::string frame = Framed(kOtherKey, std::string(50'000, 'x'));
  const std::size_t sent = Send(frame);
  EXPECT_LT(sent, frame.size());
  EXPECT_TRUE(connection_->awaits_budget());
  budget_.Give((4 << 20) - 20'000);
  EXPECT_EQ(Send(frame.substr(sent)), frame.size() - sent);
  EXPECT_EQ(handled_.size(), 1U);
}

TEST_F(KafkaConnectionTest, DrainingEndsWaitsAndTakesNothingMore) {
  Send(Framed(kOtherKey, "1") + Framed(kOtherKey, "2"));
  handled_[0]->Wait([&](WaitEnd why) {
    EXPECT_EQ(why, WaitEnd::kServerStops);
    Answer(0, "early");
  });
  connection_->Drain();
  EXPECT_EQ(Out(), "early");
  EXPECT_EQ(handled_.size(), 1U);
  EXPECT_TRUE(connection_->over());
}

TEST_F(KafkaConnectionTest, AnEndAfterTheSocketIsGoneIsOfNoEffect) {
  Send(Framed(kProduceKey, "1"));
  connection_->Abandon();
  Answer(0, "late");
  EXPECT_EQ(Out(), "");
  handled_.clear();
  connection_.reset();
  connection_ = std::make_shared<KafkaConnection>(
      loop_, frames_, budget_, ConnectionLimits{}, [](const std::shared_ptr<KafkaRequest>&) {}, "peer");
  EXPECT_EQ(budget_.taken(), 0U);
}

}  // namespace
}  // namespace millrace
