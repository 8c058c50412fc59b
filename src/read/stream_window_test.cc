// Goal: a stream asks as far ahead as pays, and no farther. Method: the window alone, driven by arithmetic: a path of
// known bandwidth and delay is simulated request by request. Proves R7 (bounded), S20 (bounded), the bound of one and a
// half times bandwidth x delay.
#include "read/stream_window.h"

#include <gtest/gtest.h>

#include <deque>

namespace millrace {
namespace {

constexpr std::uint64_t kMebibyte = 1 << 20, kPlenty = 1ull << 40;

TEST(StreamWindowTest, StartsAtOneChunkAndDoublesWithWhatIsRead) {
  StreamWindow window;
  EXPECT_EQ(window.bytes(kPlenty), kMebibyte);
  window.OnRead(kMebibyte);
  EXPECT_EQ(window.bytes(kPlenty), 2 * kMebibyte);
  for (int i = 0; i < 100; ++i) window.OnRead(kMebibyte);
  EXPECT_EQ(window.bytes(kPlenty), StreamWindow::kPipelineBytes);  // and no farther while nobody waits
}

TEST(StreamWindowTest, WasteHalvesItDownToOneChunk) {
  StreamWindow window;
  for (int i = 0; i < 4; ++i) window.OnOutrun();
  EXPECT_EQ(window.bytes(kPlenty), 16 * kMebibyte);
  window.OnWaste();
  EXPECT_EQ(window.bytes(kPlenty), 8 * kMebibyte);
  for (int i = 0; i < 10; ++i) window.OnWaste();
  EXPECT_EQ(window.bytes(kPlenty), kMebibyte);
}

TEST(StreamWindowTest, ShareOfTheBudgetCutsIt) {
  StreamWindow window;
  for (int i = 0; i < 4; ++i) window.OnOutrun();
  EXPECT_EQ(window.bytes(3 * kMebibyte), 3 * kMebibyte);
  EXPECT_EQ(window.bytes(0), kMebibyte);  // one chunk is the least that makes sense
}

/// A path with `delay` to the first byte, `connection` bytes a second in each request, and `link` in all of them. A
/// reader who is faster than the path keeps the window full and waits for every request; the steady window comes out.
struct Steady {
  std::uint64_t lowest, highest;
};
Steady SteadyWindow(double delay, double connection, double link) {
  StreamWindow window;
  struct Request {
    double arrives;
    std::uint64_t bytes;
  };
  std::deque<Request> on_way;
  std::uint64_t on_way_bytes = 0;
  double now = 1, link_free = 0;
  const auto nanoseconds = [](double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  };
  Steady steady{kPlenty, 0};
  for (int round = 0; round < 6000; ++round) {
    const std::uint64_t room = window.bytes(kPlenty);
    if (round >= 4000) steady = {std::min(steady.lowest, room), std::max(steady.highest, room)};
    const std::uint64_t size = std::min(room, kJoinBytesMax);
    while (on_way_bytes + size <= room) {
      const double bytes = static_cast<double>(size);
      link_free = std::max(link_free, now + delay) + bytes / link;
      on_way.push_back({std::max(now + delay + bytes / connection, link_free), size});
      on_way_bytes += size;
    }
    const Request first = on_way.front();
    on_way.pop_front();
    now = std::max(now, first.arrives);
    on_way_bytes -= first.bytes;
    window.OnArrival(first.bytes, nanoseconds(now));
    window.OnRead(first.bytes);
    window.OnOutrun();
  }
  return steady;
}

TEST(StreamWindowTest, GrowsToBandwidthTimesDelayAndStopsThere) {
  constexpr double kDelay = 0.03, kConnection = 80e6;
  for (const double link : {200e6, 400e6, 800e6}) {
    const double request = kDelay + static_cast<double>(kJoinBytesMax) / kConnection;
    const double product = link * request;
    const Steady steady = SteadyWindow(kDelay, kConnection, link);
    EXPECT_GE(static_cast<double>(steady.lowest), 0.85 * product) << link;
    EXPECT_LE(static_cast<double>(steady.highest), 1.6 * product) << link;
  }
}

TEST(StreamWindowTest, FastPathNeedsNoMoreThanOneRequestAheadOfAnother) {
  const Steady steady = SteadyWindow(0.0001, 4e9, 4e9);
  EXPECT_EQ(steady.lowest, StreamWindow::kPipelineBytes);
  EXPECT_LE(steady.highest, StreamWindow::kPipelineBytes + kJoinBytesMax);  // a step that is taken back
}

}  // namespace
}  // namespace millrace
