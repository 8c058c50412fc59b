// Goal: a stream asks as far ahead as pays, and no farther. Method: the window alone, driven by arithmetic: a path of
// known bandwidth and delay is simulated request by request. Proves R7 (bounded), S20 (bounded).
#include "prefetch/stream_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>

namespace millrace {
namespace {

constexpr std::uint64_t kMebibyte = 1 << 20, kPlenty = 1ull << 40;

using Nanoseconds = std::chrono::nanoseconds;

Nanoseconds Seconds(double seconds) { return Nanoseconds(static_cast<std::int64_t>(seconds * 1e9)); }

TEST(StreamWindowTest, StartsAtOneChunkAndDoublesWithWhatIsRead) {
  StreamWindow window;
  EXPECT_EQ(window.bytes(kPlenty), kMebibyte);
  window.OnRead(kMebibyte);
  EXPECT_EQ(window.bytes(kPlenty), 2 * kMebibyte);
  for (int i = 0; i < 100; ++i) window.OnRead(kMebibyte);
  EXPECT_EQ(window.bytes(kPlenty), StreamWindow::kPipelineBytes);  // and no farther while no reader waits
}

TEST(StreamWindowTest, ReaderWhoStandsStillMakesItFourTimesAsLargeUpToTwoRequests) {
  StreamWindow window;
  window.OnOutrun(true);
  EXPECT_EQ(window.bytes(kPlenty), 4 * kMebibyte);
  window.OnOutrun(false);  // for bytes asked for before
  EXPECT_EQ(window.bytes(kPlenty), 4 * kMebibyte);
  for (int i = 0; i < 10; ++i) window.OnOutrun(true);
  EXPECT_EQ(window.bytes(kPlenty), StreamWindow::kPipelineBytes);  // more is for measurements to say
}

TEST(StreamWindowTest, TheSecondStandstillLeadsToWhatOtherStreamsFound) {
  constexpr std::uint64_t kFound = 10 * StreamWindow::kPipelineBytes, kShare = 2 * kFound;
  StreamWindow window;
  window.OnOutrun(true, kFound);
  EXPECT_EQ(window.bytes(kShare), 4 * StreamWindow::kBytesMin);
  window.OnOutrun(false, kFound);
  EXPECT_EQ(window.bytes(kShare), 4 * StreamWindow::kBytesMin);
  window.OnOutrun(true, kFound);
  EXPECT_EQ(window.bytes(kShare), kFound);
  EXPECT_EQ(window.bytes(kFound / 2), kFound / 2);
}

TEST(StreamWindowTest, WhatWasFoundIsForgottenAfterAMinute) {
  StreamWindow::Learned learned;
  EXPECT_EQ(learned.At(std::chrono::seconds(1)), 0U);
  StreamWindow window;
  for (int i = 0; i < 3; ++i) window.OnOutrun(true);
  learned.Learn(window, std::chrono::seconds(1));
  EXPECT_EQ(learned.At(std::chrono::seconds(1)), 0U) << "a window below two requests tells nothing of the path";
  StreamWindow larger;
  larger.OnOutrun(true);
  larger.OnOutrun(true, 5 * StreamWindow::kPipelineBytes);
  learned.Learn(larger, std::chrono::seconds(1));
  EXPECT_EQ(learned.At(std::chrono::seconds(61)), 5 * StreamWindow::kPipelineBytes);
  EXPECT_EQ(learned.At(std::chrono::milliseconds(61'001)), 0U);
}

TEST(StreamWindowTest, WasteHalvesItDownToOneChunk) {
  StreamWindow window;
  for (int i = 0; i < 2; ++i) window.OnOutrun(true);
  EXPECT_EQ(window.bytes(kPlenty), 16 * kMebibyte);
  window.OnWaste();
  EXPECT_EQ(window.bytes(kPlenty), 8 * kMebibyte);
  for (int i = 0; i < 10; ++i) window.OnWaste();
  EXPECT_EQ(window.bytes(kPlenty), kMebibyte);
}

TEST(StreamWindowTest, ShareOfTheBudgetCutsIt) {
  StreamWindow window;
  for (int i = 0; i < 4; ++i) window.OnOutrun(true);
  EXPECT_EQ(window.bytes(3 * kMebibyte), 3 * kMebibyte);
  EXPECT_EQ(window.bytes(0), kMebibyte);  // one chunk is the least that makes sense
}

/// A path with `delay` to the first byte, `connection` bytes a second in each request, and `link` in all of them, and a
/// reader of `reader` bytes a second, who stands still whenever the next request is not there. For a while.
struct Path {
  double delay, connection, link, reader = 1e12;
  std::uint64_t every_eighth = kJoinBytesMax;  // the last request of a segment

  [[nodiscard]] double RequestSeconds() const { return delay + static_cast<double>(kJoinBytesMax) / connection; }
  [[nodiscard]] double Product() const { return std::min(link, reader) * RequestSeconds(); }
};
struct Ran {
  std::uint64_t highest = 0, last = 0;
  double full_after = -1;  // seconds until the window was first as large as bandwidth x delay
  double rate = 0;         // bytes a second, without the first second
};
Ran Drive(StreamWindow& window, const Path& path, double seconds, double begin = 0) {
  struct Request {
    double arrives;
    std::uint64_t bytes;
    StreamWindow::Departure departure;
    bool told = false;
  };
  std::deque<Request> asked;
  std::uint64_t asked_bytes = 0;
  double now = begin, link_free = 0, counted = 0;
  std::uint64_t number = 0, grows_from = 0, sent = 0;  // of requests
  Ran ran;
  const auto tell_arrivals = [&](double until) {  // in the order of time
    for (Request& request : asked) {
      if (request.told || request.arrives > until) continue;
      window.OnArrival(request.bytes, request.departure, Seconds(request.arrives));
      request.told = true;
    }
  };
  while (now < begin + seconds) {
    const std::uint64_t room = window.bytes(kPlenty);
    ran.highest = std::max(ran.highest, room);
    if (ran.full_after < 0 && static_cast<double>(room) >= path.Product()) ran.full_after = now - begin;
    for (;;) {
      const std::uint64_t size = std::min(room, sent % 8 == 7 ? path.every_eighth : kJoinBytesMax);
      if (asked_bytes + size > room) break;
      ++sent;
      const auto bytes = static_cast<double>(size);
      link_free = std::max(link_free, now + path.delay) + bytes / path.link;
      asked.push_back(
          {std::max(now + path.delay + bytes / path.connection, link_free), size, window.OnDeparture(Seconds(now))});
      asked_bytes += size;
    }
    const Request first = asked.front();
    if (first.arrives > now) {
      window.OnOutrun(number >= grows_from);
      if (number >= grows_from) grows_from = number + asked.size();
      now = first.arrives;
    }
    tell_arrivals(now);
    asked.pop_front();
    ++number;
    asked_bytes -= first.bytes;
    window.OnRead(first.bytes);
    now += static_cast<double>(first.bytes) / path.reader;
    if (now > begin + 1) counted += static_cast<double>(first.bytes);
  }
  ran.last = window.bytes(kPlenty);
  ran.rate = counted / (now - begin - 1);
  return ran;
}

TEST(StreamWindowTest, FillsThePathAndSettlesAQuarterAndARequestOverBandwidthTimesDelay) {
  for (const double link : {200e6, 400e6, 800e6, 1600e6}) {
    const Path path{.delay = 0.03, .connection = 80e6, .link = link};
    StreamWindow window;
    const Ran ran = Drive(window, path, 9);
    EXPECT_GE(ran.rate, 0.95 * link) << link;
    // It learns one delay late that it was large enough.
    EXPECT_LE(static_cast<double>(ran.highest), 2.75 * path.Product() + static_cast<double>(kJoinBytesMax)) << link;
    EXPECT_LE(static_cast<double>(ran.last), 1.25 * path.Product() + 1.1 * static_cast<double>(kJoinBytesMax)) << link;
    EXPECT_LE(ran.full_after, 8 * path.RequestSeconds()) << link;
  }
}

TEST(StreamWindowTest, ShorterRequestsBetweenDoNotPassForAShorterDelay) {
  const Path path{.delay = 0.03, .connection = 80e6, .link = 1600e6, .every_eighth = 6 * kMebibyte};
  StreamWindow window;
  EXPECT_GE(Drive(window, path, 9).rate, 0.95 * path.link);
}

TEST(StreamWindowTest, GrowsFastAgainWhereAPathBecameWider) {
  StreamWindow window;
  Drive(window, {.delay = 0.03, .connection = 80e6, .link = 300e6}, 5);
  const Path wider{.delay = 0.03, .connection = 80e6, .link = 1600e6};
  const Ran ran = Drive(window, wider, 3, 5);
  EXPECT_LE(ran.full_after, 10 * wider.RequestSeconds());
  EXPECT_GE(ran.rate, 0.9 * wider.link);
}

TEST(StreamWindowTest, FastPathNeedsNoMoreThanOneRequestAheadOfAnother) {
  StreamWindow window;
  const Ran ran = Drive(window, {.delay = 0.0001, .connection = 4e9, .link = 4e9}, 3);
  EXPECT_LE(ran.highest, StreamWindow::kPipelineBytes + kJoinBytesMax + kMebibyte);
  EXPECT_GE(ran.rate, 0.95 * 4e9);
}

TEST(StreamWindowTest, ReaderWhoIsSlowerThanThePathHoldsNoMoreThanHeNeeds) {
  const Path path{.delay = 0.03, .connection = 80e6, .link = 1600e6, .reader = 300e6};
  StreamWindow window;
  const Ran ran = Drive(window, path, 9);
  EXPECT_GE(ran.rate, 0.9 * path.reader);
  EXPECT_LE(static_cast<double>(ran.last), 1.5 * path.Product() + static_cast<double>(kJoinBytesMax));
}

TEST(StreamWindowTest, LooksForTheDelayAnewAndFollowsAPathThatChanged) {
  StreamWindow window;
  Drive(window, {.delay = 0.03, .connection = 80e6, .link = 400e6}, 5);
  const Path slower{.delay = 0.2, .connection = 80e6, .link = 400e6};
  const Ran ran = Drive(window, slower, 60, 5);
  EXPECT_GE(ran.rate, 0.85 * slower.link);
  const Path narrower{.delay = 0.03, .connection = 80e6, .link = 150e6};
  const Ran less = Drive(window, narrower, 60, 65);
  EXPECT_GE(less.rate, 0.9 * narrower.link);
  EXPECT_LE(static_cast<double>(less.last), 1.5 * narrower.Product() + static_cast<double>(kJoinBytesMax));
}

}  // namespace
}  // namespace millrace
