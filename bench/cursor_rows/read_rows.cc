// Reading by cursor: batches and single entries, sealed and at the tail, beside the crate and beside the limits.
#include <fmt/core.h>

#include "bench/cursor_rows/cursor_rows.h"
#include "bench/cursor_rows/sealed_log.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/stopwatch.h"

namespace millrace::bench {

namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;
constexpr std::uint64_t kRecords = 350'000;  // 256 MiB
constexpr std::uint64_t kSingles = 200'000;
constexpr std::uint64_t kTailRecords = 50'000;     // what the tail cache holds
constexpr std::uint64_t kPeerTailRecords = 4'000;  // what one block of the peer holds, and a wait of seconds
constexpr std::string_view kWrites = "sealed: in segments, hot tier recycled, page cache hot; appended 256 a batch; ";

/// Strings made one by one from payloads that lie in memory: what handing out owned entries costs at least.
double CopyRate(const NumberedPayloads& payloads, std::uint64_t records) {
  NumberedPayloads source = payloads;
  std::string packed;
  std::vector<std::size_t> lengths;
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string& value = *source.Stamped(i).value;
    packed += value;
    lengths.push_back(value.size());
  }
  double seconds = 0;
  std::size_t at = 0;
  for (std::uint64_t begin = 0; begin < records; begin += 1376) {  // a mebibyte
    const std::uint64_t end = std::min(records, begin + 1376);
    std::vector<std::string> batch;
    const Stopwatch watch;
    for (std::uint64_t i = begin; i < end; ++i) {
      batch.emplace_back(packed, at, lengths[i]);
      at += lengths[i];
    }
    seconds += watch.seconds();
  }
  return static_cast<double>(records) / seconds;
}

/// Values as views, everything once; in count, order and content.
double ViewRate(OpenedEngine& engine, const NumberedPayloads& payloads, std::uint64_t records, Delivery& delivery) {
  delivery = {.written = records};
  double seconds = 0;
  for (Offset at(0); at < Offset(static_cast<std::int64_t>(records));) {
    const Stopwatch watch;
    const ReadResult read = OrDie(engine->Read(OpenedEngine::Partition(0), at, {.bytes_max = kMebibyte}), "read");
    seconds += watch.seconds();
    if (read.records.empty()) break;
    for (const RecordView& record : read.records) {
      if (!payloads.Is(delivery.delivered++, *record.value)) ++delivery.wrong;
    }
    at = read.next;
  }
  Require(delivery);
  return static_cast<double>(delivery.delivered) / seconds;
}

/// The peer's answer to a reading command: SECONDS DELIVERED WRONG.
double PeerReadRate(WalrusPeer& peer, const std::string& command, std::uint64_t written, Delivery& delivery) {
  const auto answer = peer.Ask(command);
  delivery = {written, static_cast<std::uint64_t>(answer.at(1)), static_cast<std::uint64_t>(answer.at(2))};
  return answer[1] / answer[0];
}

/// More than one block of the peer behind what is read, so that all of it is sealed.
constexpr std::uint64_t kSealer = 20'000;

void MeasureBatchRead(Suite& suite) {
  Row row{"ReadBatch of 1 MiB, sealed",
          "records/s",
          std::string(kWrites) + "AtLeastOnce(5000), consuming, 1 thread; copy: each payload into its own string",
          Better::kHigher,
          {{1, 0.8}}};
  if (!suite.Wants(row)) return;
  const NumberedPayloads payloads(suite.seed());
  SealedLog log(suite, kRecords, 256);
  Delivery ours, theirs;
  std::vector<Side> sides = {
      {"millrace Cursor::ReadBatch",
       [&] { return log.BatchRate(ReadConsistency::AtLeastOnce(5000), kMebibyte, kRecords, ours); },
       [&] { return ours.ToText(); }},
      {"copy of each payload", [&] { return CopyRate(payloads, kRecords); }}};
  AddWalrus(
      suite, "walrus batch read", "none", "5000", sides,
      [&](WalrusPeer& peer) {
        peer.Ask(fmt::format("append 1 {}", kRecords + kSealer));
        return PeerReadRate(peer, fmt::format("batch_read {} {}", kMebibyte, kRecords), kRecords, theirs);
      },
      [&] { return theirs.ToText(); });
  if (sides.size() > 2) row.goals.push_back({2, 5.0});
  suite.Compare(row, sides);
}

void MeasureViews(Suite& suite) {
  Row row{"Engine::Read of 1 MiB as views, sealed",
          "records/s",
          std::string(kWrites) + "every CRC checked, 1 thread; walrus as in the row of ReadBatch",
          Better::kHigher,
          {}};
  if (!suite.Wants(row)) return;
  const NumberedPayloads payloads(suite.seed());
  SealedLog log(suite, kRecords, 256);
  Delivery ours, theirs;
  std::vector<Side> sides = {{"millrace Engine::Read", [&] { return ViewRate(log.engine(), payloads, kRecords, ours); },
                              [&] { return ours.ToText(); }}};
  AddWalrus(
      suite, "walrus batch read", "none", "5000", sides,
      [&](WalrusPeer& peer) {
        peer.Ask(fmt::format("append 1 {}", kRecords + kSealer));
        return PeerReadRate(peer, fmt::format("batch_read {} {}", kMebibyte, kRecords), kRecords, theirs);
      },
      [&] { return theirs.ToText(); });
  if (sides.size() > 1) row.goals = {{1, 10.0}};
  suite.Compare(row, sides);
}

enum class Taking { kConsume, kPeek };

void MeasureSingles(Suite& suite, Taking taking) {
  const bool peek = taking == Taking::kPeek;
  Row row{peek ? "ReadNext AtLeastOnce(5000), peek, sealed" : "ReadNext AtLeastOnce(5000), sealed",
          "records/s",
          std::string(kWrites) + fmt::format("{} calls, 1 thread", kSingles),
          Better::kHigher,
          {}};
  if (!suite.Wants(row)) return;
  SealedLog log(suite, kSingles, 256);
  Delivery ours, theirs;
  const auto mode = ReadConsistency::AtLeastOnce(5000);
  std::vector<Side> sides = {
      {"millrace Cursor::ReadNext",
       [&] { return peek ? log.PeekRate(mode, kSingles, ours) : log.SingleRate(mode, kSingles, ours); },
       [&] { return ours.ToText(); }}};
  AddWalrus(
      suite, peek ? "walrus read_next, peek" : "walrus read_next", "none", "5000", sides,
      [&](WalrusPeer& peer) {
        peer.Ask(fmt::format("append 1 {}", kSingles + kSealer));
        return PeerReadRate(peer, fmt::format("{} {}", peek ? "peek" : "read", kSingles), kSingles, theirs);
      },
      [&] { return theirs.ToText(); });
  if (sides.size() > 1) row.goals = {{1, 10.0}};
  suite.Compare(row, sides);
}

void MeasureSinglesAtTail(Suite& suite) {
  Row row{"ReadNext AtLeastOnce(5000), live tail",
          "records/s",
          fmt::format("{} records just appended, 256 a batch, 1 thread; beside it the same calls on sealed records",
                      kTailRecords),
          Better::kHigher,
          {{1, 1 / 1.3}}};
  if (!suite.Wants(row)) return;
  SealedLog sealed(suite, kSingles, 256);
  TailLog tail(suite, kTailRecords, 256);
  Delivery ours, theirs, ours_sealed;
  const auto mode = ReadConsistency::AtLeastOnce(5000);
  std::vector<Side> sides = {
      {"millrace, tail", [&] { return tail.SingleRate(mode, kTailRecords, ours); }, [&] { return ours.ToText(); }},
      {"millrace, sealed", [&] { return sealed.SingleRate(mode, kSingles, ours_sealed); },
       [&] { return ours_sealed.ToText(); }}};
  AddWalrus(
      suite, "walrus read_next, block being written", "none", "5000", sides,
      [&](WalrusPeer& peer) {
        peer.Ask(fmt::format("append 1 {}", kPeerTailRecords));
        return PeerReadRate(peer, fmt::format("read {}", kPeerTailRecords), kPeerTailRecords, theirs);
      },
      [&] { return theirs.ToText(); });
  suite.Compare(row, sides);
}

// Strictly at once: one synced write for every entry, at least.

constexpr std::uint64_t kStrict = 3'000, kPeerStrict = 2'000;

void MeasureStrict(Suite& suite, bool at_tail) {
  Row row{at_tail ? "ReadNext StrictlyAtOnce, live tail" : "ReadNext StrictlyAtOnce, sealed",
          "records/s",
          fmt::format("{} calls, 1 thread; raw: one synced overwrite of 4 KiB a read", kStrict),
          Better::kHigher,
          {{1, 0.8}}};
  if (!suite.Wants(row)) return;
  std::unique_ptr<CursorLog> log;
  if (at_tail) {
    log = std::make_unique<TailLog>(suite, kStrict, 256);
  } else {
    log = std::make_unique<SealedLog>(suite, kStrict, 256);
  }
  RecycledFile raw(suite.FreshDirectory("raw") / "file", 64u << 20, suite.seed());
  Delivery ours, theirs;
  std::vector<Side> sides = {
      {"millrace Cursor::ReadNext", [&] { return log->SingleRate(ReadConsistency::StrictlyAtOnce(), kStrict, ours); },
       [&] { return ours.ToText(); }},
      {"one synced write a read", [&] { return 1e6 / MedianSyncUs(raw, 4096, kStrict); }}};
  AddWalrus(
      suite, "walrus read_next", "none", "strict", sides,
      [&](WalrusPeer& peer) {
        peer.Ask(fmt::format("append 1 {}", at_tail ? kPeerStrict : kPeerStrict + kSealer));
        return PeerReadRate(peer, fmt::format("read {}", kPeerStrict), kPeerStrict, theirs);
      },
      [&] { return theirs.ToText(); });
  if (sides.size() > 2 && !at_tail) row.goals.push_back({2, 2.5});
  suite.Compare(row, sides);
}

void MeasureStrictThreads(Suite& suite) {
  const Row row{"ReadNext StrictlyAtOnce, 8 threads on one cursor",
                "records/s",
                fmt::format("{} calls in all, sealed; beside it 1 thread", 4 * kStrict),
                Better::kHigher,
                {{1, 4.0}}};
  if (!suite.Wants(row)) return;
  SealedLog log(suite, 4 * kStrict, 256);
  Delivery eight, one;
  const auto mode = ReadConsistency::StrictlyAtOnce();
  suite.Compare(
      row, {{"millrace, 8 threads", [&] { return log.SharedRate(mode, 8, 4 * kStrict, eight); },
             [&] { return eight.ToText(); }},
            {"millrace, 1 thread", [&] { return log.SingleRate(mode, kStrict, one); }, [&] { return one.ToText(); }}});
}

}  // namespace

void MeasureReads(Suite& suite) {
  MeasureBatchRead(suite);
  MeasureViews(suite);
  MeasureSingles(suite, Taking::kConsume);
  MeasureSingles(suite, Taking::kPeek);
  MeasureSinglesAtTail(suite);
}

void MeasureStrictReads(Suite& suite) {
  MeasureStrict(suite, false);
  MeasureStrict(suite, true);
  MeasureStrictThreads(suite);
}

}  // namespace millrace::bench
