// Goal: lines come whole, all of them, whatever the cuts of the reads; a partial batch goes when the input would block.
// Method: a pipe fed by hand, in small buffers.
#include "cli/records/line_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace millrace {
namespace {

class LineSourceTest : public ::testing::Test {
 protected:
  LineSourceTest() { SetUpPipe(); }
  ~LineSourceTest() override {
    ::close(ends_[0]);
    CloseInput();
  }
  void SetUpPipe() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    CloseInput();
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
  }
  void Feed(std::string_view text) {
    EXPECT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void CloseInput() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  LineSource::Options Options(std::size_t chunk_bytes = 64) {
    return {.descriptor = ends_[0], .chunk_bytes = chunk_bytes, .line_bytes_max = 256};
  }

  std::array<int, 2> ends_{-1, -1};
};

TEST_F(LineSourceTest, WhatIsThereComesAtOnce) {
  Feed("a\nb\nhalf");
  LineSource source(Options());
  ASSERT_EQ(*source.Next(), LineSource::Event::kLines);
  EXPECT_EQ(source.lines(), "a\nb\n");
  Feed(" a line\n");
  ASSERT_EQ(*source.Next(), LineSource::Event::kLines);
  EXPECT_EQ(source.lines(), "half a line\n");
}

TEST_F(LineSourceTest, LastLineNeedsNoNewline) {
  Feed("a\nb");
  CloseInput();
  LineSource source(Options());
  ASSERT_EQ(*source.Next(), LineSource::Event::kLines);
  EXPECT_EQ(source.lines(), "a\nb");
  EXPECT_EQ(*source.Next(), LineSource::Event::kEnd);
}

TEST_F(LineSourceTest, NothingIsNoLine) {
  CloseInput();
  LineSource source(Options());
  EXPECT_EQ(*source.Next(), LineSource::Event::kEnd);
}

TEST_F(LineSourceTest, LinesOverTheCutOfABufferAreWhole) {
  std::string all, got;
  for (int i = 0; i < 200; ++i) all += std::string(static_cast<std::size_t>(i % 40), 'x') + '\n';
  Feed(all);
  CloseInput();
  LineSource source(Options());
  while (true) {
    auto event = source.Next();
    ASSERT_TRUE(event);
    if (*event == LineSource::Event::kEnd) break;
    EXPECT_TRUE(source.lines().ends_with('\n'));
    got += source.lines();
  }
  EXPECT_EQ(got, all);
}

TEST_F(LineSourceTest, LineLongerThanTheBufferGrowsItUpToTheLimit) {
  std::string line(200, 'x');
  Feed(line + "\n" + std::string(300, 'y'));
  LineSource source(Options());
  ASSERT_EQ(*source.Next(), LineSource::Event::kLines);
  EXPECT_EQ(source.lines(), line + "\n");
  ASSERT_EQ(*source.Next(), LineSource::Event::kLongLine);
  EXPECT_EQ(source.lines(), std::string(256, 'y'));
}

TEST_F(LineSourceTest, WhatComesAfterALineThatIsTooLongIsWhole) {
  for (std::size_t length : {257u, 320u, 1000u}) {
    SetUpPipe();
    Feed("a\n" + std::string(length, 'y') + "\nb\nc");
    CloseInput();
    LineSource source(Options());
    ASSERT_EQ(*source.Next(), LineSource::Event::kLines);
    EXPECT_EQ(source.lines(), "a\n");
    ASSERT_EQ(*source.Next(), LineSource::Event::kLongLine);
    EXPECT_EQ(source.lines(), std::string(256, 'y'));
    std::string rest;
    while (*source.Next() == LineSource::Event::kLines) rest += source.lines();
    EXPECT_EQ(rest, "b\nc");
  }
}

TEST_F(LineSourceTest, AWaitThatIsOverComesBack) {
  LineSource source(Options());
  EXPECT_EQ(*source.Next(1), LineSource::Event::kWoken);
}

TEST_F(LineSourceTest, InterruptAndWakeEndTheWaiting) {
  int event = ::eventfd(1, EFD_CLOEXEC);
  LineSource::Options options = Options();
  options.wake = event;
  EXPECT_EQ(*LineSource(options).Next(), LineSource::Event::kWoken);
  options.wake = -1;
  options.interrupt = event;
  EXPECT_EQ(*LineSource(options).Next(), LineSource::Event::kInterrupted);
  ::close(event);
}

}  // namespace
}  // namespace millrace
