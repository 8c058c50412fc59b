// Goal: a wait ends once for each time it was asked for, for what is ready alone; what is not awaited does not keep the
// set ready; nothing runs for a descriptor that was removed, were it by a task of the same round. Method: socket pairs.
#include "server/net/readiness_set.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

namespace millrace {
namespace {

class ReadinessSetTest : public testing::Test {
 protected:
  struct Pair {
    Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0); }
    ~Pair() {
      ::close(ends[0]);
      if (ends[1] >= 0) ::close(ends[1]);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    [[nodiscard]] int ours() const { return ends[0]; }
    void Send() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
    void Take() const {
      char byte = 0;
      EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    }
    void Hang() {
      ::close(ends[1]);
      ends[1] = -1;
    }
    std::array<int, 2> ends{};
  };
  [[nodiscard]] bool IsReady() const {
    pollfd one{.fd = set_->descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) == 1;
  }
  TurnLoop::Task Count(int& count) {
    return [&count] { ++count; };
  }

  std::unique_ptr<ReadinessSet> set_ = ReadinessSet::Open().value();
  int read_ = 0, written_ = 0;
};

TEST_F(ReadinessSetTest, EachWaitEndsOnce) {
  const Pair pair;
  const auto id = set_->Add(pair.ours());
  ASSERT_NE(id, 0U);
  set_->AwaitReadable(id, Count(read_));
  set_->RunReady();
  EXPECT_EQ(read_, 0);
  pair.Send();
  EXPECT_TRUE(IsReady());
  set_->RunReady();
  EXPECT_EQ(read_, 1);
  pair.Take();
  set_->AwaitReadable(id, Count(read_));
  set_->RunReady();
  EXPECT_EQ(read_, 1) << "there is nothing to read";
  pair.Send();
  set_->RunReady();
  EXPECT_EQ(read_, 2);
}

TEST_F(ReadinessSetTest, WhatIsNotAwaitedDoesNotKeepTheSetReady) {
  Pair pair;
  const auto id = set_->Add(pair.ours());
  pair.Send();
  set_->RunReady();
  EXPECT_FALSE(IsReady()) << "else the loop would turn for ever";
  set_->AwaitReadable(id, Count(read_));
  EXPECT_TRUE(IsReady()) << "what came before the wait is seen";
  set_->RunReady();
  EXPECT_EQ(read_, 1);
  pair.Take();
  set_->AwaitWritable(id, Count(written_));
  set_->RunReady();
  set_->RunReady();
  EXPECT_EQ(written_, 1);
  EXPECT_FALSE(IsReady()) << "it can be written all the time";
  pair.Hang();
  set_->RunReady();
  EXPECT_FALSE(IsReady()) << "the end of a peer is told as long as the descriptor is watched";
  set_->AwaitReadable(id, Count(read_));
  set_->RunReady();
  EXPECT_EQ(read_, 2) << "and told to who asks";
}

TEST_F(ReadinessSetTest, EndOfThePeerEndsBothWaits) {
  Pair pair;
  const auto id = set_->Add(pair.ours());
  set_->AwaitReadable(id, Count(read_));
  set_->AwaitWritable(id, Count(written_));
  pair.Hang();
  set_->RunReady();
  EXPECT_EQ(read_, 1);
  EXPECT_EQ(written_, 1);
}

TEST_F(ReadinessSetTest, NothingRunsForWhatWasRemovedInTheSameRound) {
  std::array<Pair, 3> pairs;
  std::vector<ReadinessSet::Id> ids;
  for (const Pair& pair : pairs) {
    ids.push_back(set_->Add(pair.ours()));
    pair.Send();
  }
  for (const auto id : ids) {
    const auto remove_all = [&] {
      ++read_;
      for (const auto each : ids) set_->Remove(each);
    };
    set_->AwaitReadable(id, remove_all);
    set_->AwaitWritable(id, Count(written_));
  }
  set_->RunReady();
  EXPECT_EQ(read_, 1);
  EXPECT_EQ(written_, 0);
  EXPECT_FALSE(IsReady());
}

TEST_F(ReadinessSetTest, DescriptorThatCannotBeWatchedHasNoId) { EXPECT_EQ(set_->Add(-1), 0U); }

}  // namespace
}  // namespace millrace
