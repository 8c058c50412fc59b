// Goal: piped listings are plain lines a program can cut; what is written is written whole. Method: an Output on a
// pipe, read back.
#include "cli/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "text/table.h"

namespace millrace {
namespace {

class OutputTest : public ::testing::Test {
 protected:
  OutputTest() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~OutputTest() override {
    for (int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  std::string Read() {
    std::string text(4096, '\0');
    ssize_t count = ::read(ends_[0], text.data(), text.size());
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(OutputTest, PipedTableIsTabSeparatedPlainAndWithoutHeading) {
  Output out(ends_[1]);
  Table table({"NAME", "BYTES"});
  table.Add({Cell::Text("a\tb\nc\\"), Cell::Bytes(1536)});
  table.Add({Cell::Text("d"), Cell::Count(1'000'000)});
  out.Write(table);
  out.Flush();
  EXPECT_EQ(Read(), "a\\tb\\nc\\\\\t1536\nd\t1000000\n");
}

TEST_F(OutputTest, NothingIsWrittenBeforeTheBufferIsFull) {
  Output out(ends_[1], 8);
  ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  out.Write("1234");
  EXPECT_EQ(Read(), "");
  out.Write("5678");
  EXPECT_EQ(Read(), "12345678");
}

TEST_F(OutputTest, LineByLineGoesAtOnce) {
  Output out(ends_[1]);
  out.LineByLine();
  out.Write("a\n");
  EXPECT_EQ(Read(), "a\n");
}

TEST_F(OutputTest, ReaderWhoLeftIsNoError) {
  auto before = std::signal(SIGPIPE, SIG_IGN);
  Output out(ends_[1]);
  ::close(std::exchange(ends_[0], -1));
  out.Write("a\n");
  EXPECT_TRUE(out.Finish());
  EXPECT_TRUE(out.stopped());
  std::signal(SIGPIPE, before);
}

TEST_F(OutputTest, FullDiskIsAnError) {
  int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Output out(full);
  out.Write("a\n");
  auto finished = out.Finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code(), ErrorCode::kOutOfSpace);
  ::close(full);
}

}  // namespace
}  // namespace millrace
