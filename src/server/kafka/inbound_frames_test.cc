// Goal: frames come out whole and in order however the stream is cut; a length that lies costs no memory; what is held
// is counted, and nothing stays counted.
#include "server/kafka/inbound_frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "millrace/bytes.h"

namespace millrace {
namespace {

std::string Framed(const std::string& body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift);
  return frame + body;
}

class InboundFramesTest : public ::testing::Test {
 protected:
  /// Gives `stream` in pieces of `piece` bytes; frames come out as text.
  void Give(std::string_view stream, std::size_t piece) {
    while (!stream.empty()) {
      Take();
      const std::span<std::byte> room = frames_.Room();
      ASSERT_FALSE(room.empty());
      const std::size_t count = std::min({piece, stream.size(), room.size()});
      std::memcpy(room.data(), stream.data(), count);
      frames_.Filled(count);
      stream.remove_prefix(count);
    }
    Take();
  }
  void Take() {
    while (true) {
      auto frame = frames_.Next();
      ASSERT_TRUE(frame) << frame.error().ToString();
      if (!*frame) return;
      out_.emplace_back(AsText((*frame)->bytes));
      bytes_.Give((*frame)->bytes.size());
      kept_.push_back(std::move(**frame));
    }
  }

  FramePool pool_{1 << 20};
  ByteBudget budget_{8 << 20};
  ConnectionBytes bytes_{budget_, 1 << 20};
  InboundFrames frames_{pool_, bytes_, 2 << 20};
  std::vector<std::string> out_;
  std::vector<FrameMemory> kept_;
};

TEST_F(InboundFramesTest, FramesOfEverySizeComeOutHoweverTheStreamIsCut) {
  for (std::size_t piece : {1, 3, 7'000, 1 << 20}) {
    std::string stream;
    std::vector<std::string> wanted;
    for (std::size_t size : {0, 1, 100, 9'000, 9'000, 16'380, 16'381, 50'000, 5, 16'379, 1'500'000, 12}) {
      wanted.emplace_back(size, static_cast<char>('a' + wanted.size()));
      stream += Framed(wanted.back());
    }
    out_.clear();
    kept_.clear();
    Give(stream, piece);
    EXPECT_TRUE(out_ == wanted) << piece;
    // Earlier frames were not written over by later ones.
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(AsText(kept_[i].bytes) == wanted[i]) << i;
    EXPECT_FALSE(frames_.in_frame());
    EXPECT_EQ(bytes_.held(), 0U) << "an idle connection holds nothing";
  }
}

TEST_F(InboundFramesTest, ALengthBeyondTheLimitOrBelowZeroIsRefusedBeforeMemoryIsHad) {
  for (const std::string& head :
       {std::string("\x7f\xff\xff\xff"), std::string("\xff\xff\xff\xff"), std::string("\x00\x20\x00\x01", 4)}) {
    FramePool pool(1 << 20);
    ConnectionBytes bytes(budget_, 1 << 20);
    InboundFrames frames(pool, bytes, 2 << 20);
    std::ranges::copy(AsBytes(head), frames.Room().begin());
    frames.Filled(4);
    EXPECT_TRUE(frames.Room().empty());
    const auto next = frames.Next();
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_LE(bytes.held(), InboundFrames::kChunkBytes);
  }
}

TEST_F(InboundFramesTest, AFrameWaitsForTheBudgetAndComesInOnceThereIsRoom) {
  ASSERT_TRUE(budget_.TryTake((7 << 20) + 500'000));
  const std::string stream = Framed(std::string(1'000'000, 'x'));
  std::ranges::copy(AsBytes(stream.substr(0, 4)), frames_.Room().begin());
  frames_.Filled(4);
  EXPECT_TRUE(frames_.Room().empty());
  EXPECT_EQ(frames_.shortage(), ConnectionBytes::Outcome::kBudgetShort);
  budget_.Give((7 << 20) + 500'000);
  Give(std::string_view(stream).substr(4), 100'000);
  ASSERT_EQ(out_.size(), 1U);
  EXPECT_EQ(out_[0].size(), 1'000'000U);
}

TEST_F(InboundFramesTest, AFrameHalfReceivedIsGivenBackWithItsConnection) {
  {
    ConnectionBytes bytes(budget_, 1 << 20);
    InboundFrames frames(pool_, bytes, 2 << 20);
    const std::string stream = Framed(std::string(100'000, 'x')).substr(0, 50);
    std::ranges::copy(AsBytes(stream), frames.Room().begin());
    frames.Filled(stream.size());
    EXPECT_FALSE(frames.Room().empty());
    EXPECT_GE(budget_.taken(), 100'000U);
  }
  EXPECT_EQ(budget_.taken(), 0U);
}

}  // namespace
}  // namespace millrace
