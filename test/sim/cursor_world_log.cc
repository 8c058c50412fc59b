#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cursor_world.h"
#include "partition_model.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

std::uint64_t PayloadOf(const Record& record) {
  std::uint64_t bytes = record.key.value_or("").size() + record.value.value_or("").size();
  for (const Header& header : record.headers) bytes += header.key.size() + header.value.value_or("").size();
  return bytes;
}

}  // namespace

void CursorWorld::Append(std::uint64_t count_max) {
  const std::string topic(kTopics[random_.Below(kTopics.size())]);
  const auto found = logs_.find(topic);
  if (found == logs_.end()) return;
  std::vector<Record> records(1 + random_.Below(count_max));
  std::vector<LogEntry> batch;
  for (Record& record : records) {
    constexpr std::array<std::uint64_t, 4> kSizes = {1, 20, 300, 3'000};
    const std::uint64_t size = random_.Below(kSizes[random_.OneIn(12) ? 3 : random_.Below(3)]);
    record.value = fmt::format("{:08x}", ++values_);
    record.value->resize(count_max > 100 ? 0 : size, static_cast<char>('a' + values_ % 26));
    if (random_.OneIn(16)) record.value.reset();
    record.timestamp_ms = clock_.WallMs() + static_cast<std::int64_t>(random_.Below(50));
    if (random_.OneIn(3)) record.key = fmt::format("{}", values_);
    if (random_.OneIn(8)) record.headers.push_back({"id", fmt::format("{}", values_)});
    if (random_.OneIn(16)) record.headers.push_back({"null", std::nullopt});
    batch.push_back({FingerprintOf(record), PayloadOf(record), record.timestamp_ms});
  }
  constexpr std::array kCodecs = {Compression::kNone, Compression::kNone, Compression::kNone, Compression::kLz4};
  const Durability durability = random_.OneIn(4) ? Durability::kOs : Durability::kDisk;
  LogModel& log = found->second;
  const auto receipt = engine_->Append(
      At(topic), records, {.durability = durability, .compression = kCodecs[random_.Below(kCodecs.size())]});
  if (dying()) {
    log.in_doubt = std::move(batch);
    return;
  }
  if (!receipt) return report_.Fail("unexpected-error", "Append: " + receipt.error().ToString());
  report_.Event(fmt::format("append {} to {} at {}", batch.size(), topic, receipt->base_offset.value()));
  report_.Expect(receipt->base_offset == log.end(), "offset-wrong",
                 fmt::format("{}: base {}, {} is next", topic, receipt->base_offset.value(), log.end().value()));
  log.Add(batch);
  if (receipt->reached >= Durability::kDisk) log.synced = log.end();
  report_.Fired(batch.size() == 1 ? "append" : "append-batch");
}

void CursorWorld::BackgroundStep() {
  const HousekeeperSteps steps = engine_.steps();
  const auto judge = [this](const auto& result, std::string_view call) {
    report_.Event(call);
    NoteOutcome(bool(result));
    if (!result && !dying()) Tolerated(result.error(), call);
    return result && !dying();
  };
  BeginCall();
  switch (random_.Below(8)) {
    case 0:
    case 1:
    case 2: {
      clock_.Advance(milliseconds(1'200));
      const auto uploaded = steps.uploader.UploadOnce();
      if (judge(uploaded, "UploadOnce") && *uploaded) report_.Fired("uploaded");
      break;
    }
    case 3:
      judge(steps.wal.CommitOnce(), "CommitOnce");
      break;
    case 4:
      judge(steps.wal.PrepareFilesOnce(), "PrepareFilesOnce");
      break;
    case 5:
      judge(engine_.housekeeper().KeepOnce(), "KeepOnce");
      break;
    case 6:
      judge(steps.recycler.RecycleOnce(steps.partitions, DiskWal::Seal::kKeepActive), "RecycleOnce");
      break;
    default:
      if (judge(engine_->Recycle(), "Recycle")) report_.Fired("recycled");
      break;
  }
}

/// A commit whose outcome is unknown: the engine may know less than metadata until it opens again.
void CursorWorld::NoteOutcome(bool known) { row_in_doubt_ = row_in_doubt_ || (stores_faulty_ && !known); }

/// Of the topic whose entries nothing else forgets.
void CursorWorld::DeleteRecords() {
  const auto found = logs_.find(kTopics[0]);
  if (found == logs_.end()) return;
  LogModel& log = found->second;
  const Offset before(static_cast<std::int64_t>(random_.Below(log.entries.size() + 1) / 2));
  log.start_wanted = std::max(log.start_wanted, before);
  const auto deleted = engine_->DeleteRecords(At(kTopics[0]), before);
  if (dying()) return;
  report_.Event(fmt::format("delete before {}", before.value()));
  NoteOutcome(deleted.has_value());
  if (!deleted) {
    Tolerated(deleted.error(), "DeleteRecords");
    return;
  }
  log.synced = std::max(log.synced, before);
  report_.Fired("records-deleted");
}

OffsetBounds CursorWorld::Bounds(const std::string& topic) {
  const auto offsets = engine_->Offsets(At(topic));
  if (!offsets) {
    report_.Fail("partition-lost", offsets.error().ToString());
    return {};
  }
  return {offsets->log_start, sync_.kind == SyncPolicy::Kind::kEach ? offsets->durable_end : offsets->log_end};
}

/// The end is where the model says; nothing is forgotten that a cursor may still read.
void CursorWorld::JudgeLog() {
  for (auto& [topic, log] : logs_) {
    const auto offsets = engine_->Offsets(At(topic));
    if (!offsets) return report_.Fail("partition-lost", offsets.error().ToString());
    report_.Expect(
        offsets->log_end == log.end() && offsets->durable_end >= log.synced, "offset-wrong",
        fmt::format("{} ends at {}, durable to {}; {} were appended, {} synced", topic, offsets->log_end.value(),
                    offsets->durable_end.value(), log.end().value(), log.synced.value()));
    if (!log.consumed) {
      report_.Expect(offsets->log_start <= log.start_wanted, "forgotten-too-much",
                     fmt::format("{} starts at {}", topic, offsets->log_start.value()));
      continue;
    }
    std::optional<Offset> lowest;
    Offset any_unsure;
    for (const auto& [key, cursor] : cursors_) {
      if (key.first != topic) continue;
      const Offset persisted = cursor.model.PersistedMax();
      if (cursor.model.unsure()) {
        any_unsure = std::max(any_unsure, persisted);  // perhaps it is the only one
      } else {
        lowest = std::min(lowest.value_or(persisted), persisted);
      }
    }
    const Offset consumed = lowest.value_or(any_unsure);
    if (stores_faulty_) log.start_in_doubt = std::max(log.start_in_doubt, consumed);
    const Offset allowed = std::max({log.start_seen, log.start_in_doubt, consumed});
    report_.Expect(offsets->log_start <= allowed, "unread-forgotten",
                   fmt::format("{} starts at {}, at most {} was consumed by all", topic, offsets->log_start.value(),
                               allowed.value()));
    if (offsets->log_start > log.start_seen) report_.Fired("consumed-forgotten");
    log.start_seen = offsets->log_start;
  }
}

}  // namespace millrace::sim
