// A reader behind a writer that keeps its schedule: what comes, in which order, and how late.
#include <fmt/core.h>

#include <algorithm>
#include <thread>

#include "bench/cursor_rows/cursor_rows.h"
#include "millrace/cursor.h"

namespace millrace::bench {

namespace {

constexpr std::uint64_t kPerSecond = 20'000, kCount = 40'000;
constexpr std::chrono::nanoseconds kGap{1'000'000'000 / kPerSecond};

/// 99 % of the entries came at most this many ms after their place in the schedule.
double FollowMs(const Suite& suite, Delivery& delivery) {
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  options.sync = SyncPolicy::None();
  OpenedEngine engine(options, 1);
  const auto cursor =
      OrDie(engine->OpenCursor(OpenedEngine::Partition(0), "f", ReadConsistency::AtLeastOnce(5000)), "open cursor");
  const NumberedPayloads payloads(suite.seed());
  const auto begin = std::chrono::steady_clock::now();
  std::jthread writer([&] {
    NumberedPayloads own(suite.seed());
    for (std::uint64_t i = 0; i < kCount; ++i) {
      std::this_thread::sleep_until(begin + kGap * i);
      engine.Append(OpenedEngine::Partition(0), {&own.Stamped(i), 1}, Durability::kOs);
    }
  });
  delivery = {.written = kCount};
  std::vector<double> lags;
  while (delivery.delivered < kCount) {
    const auto batch = OrDie(cursor->ReadBatch(1u << 20, true), "read batch");
    if (batch.empty()) {
      if (!OrDie(cursor->Wait(std::chrono::seconds(5)), "wait")) Die("nothing came for five seconds");
      continue;
    }
    const auto now = std::chrono::steady_clock::now();
    for (const Record& record : batch) {
      lags.push_back(std::chrono::duration<double, std::milli>(now - begin - kGap * delivery.delivered).count());
      delivery.wrong += payloads.Is(delivery.delivered++, *record.value) ? 0 : 1;
    }
  }
  writer.join();
  if (OrDie(cursor->UnreadCount(), "unread") != 0) Die("entries are left over");
  if (delivery.wrong != 0) Die("ours: " + delivery.ToText());
  std::ranges::sort(lags);
  return lags[lags.size() * 99 / 100];
}

}  // namespace

void MeasureFollowing(Suite& suite) {
  const Row row{"following a writer at 20,000 entries/s, lag p99",
                "ms",
                fmt::format("{} entries on schedule, 1 writer, no sync; reader: ReadBatch of 1 MiB, Wait at the end; "
                            "walrus: batch read, 100 us pause at the end, NoFsync",
                            kCount),
                Better::kLower,
                {{{}, 5.0}}};
  if (!suite.Wants(row)) return;
  Delivery ours;
  std::string theirs;
  std::vector<Side> sides = {{"millrace", [&] { return FollowMs(suite, ours); }, [&] { return ours.ToText(); }}};
  AddWalrus(
      suite, "walrus", "none", "5000", sides,
      [&](WalrusPeer& peer) {
        const auto answer = peer.Ask(fmt::format("follow {} {}", kPerSecond, kCount));
        theirs = fmt::format("delivered {:.0f} of {}, {:.0f} twice, {:.0f} out of order", answer.at(1), kCount,
                             answer.at(2), answer.at(3));
        return answer[0];
      },
      [&] { return theirs; });
  suite.Compare(row, sides);
}

}  // namespace millrace::bench
