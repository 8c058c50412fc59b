#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "meta/catalog.h"
#include "world.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr int kRoundsMax = 400;  // of healing
constexpr milliseconds kRoundTakes(250);
constexpr milliseconds kYears = std::chrono::duration_cast<milliseconds>(std::chrono::years(3));

}  // namespace

TopicPartition World::DrawPartition() {
  if (models_.empty()) return {};
  auto chosen = models_.begin();
  std::advance(chosen, random_.Below(models_.size()));
  return chosen->first;
}

std::vector<Record> World::DrawRecords() {
  std::vector<Record> records(1 + random_.Below(random_.OneIn(4) ? 12 : 3));
  for (Record& record : records) {
    constexpr std::array<std::uint64_t, 4> kSizes = {20, 200, 3'000, 40'000};
    const std::uint64_t size = 8 + random_.Below(kSizes[random_.OneIn(10) ? 3 : random_.Below(3)]);
    std::string value = fmt::format("{:08x}", ++values_);
    std::uint64_t word = SeededRandom::Mix(values_);
    while (value.size() < size) value += static_cast<char>('a' + (word = SeededRandom::Mix(word + 1)) % 26);
    record.timestamp_ms = clock_.WallMs() + static_cast<std::int64_t>(random_.Below(50));
    if (!random_.OneIn(3)) record.key = fmt::format("key-{}", random_.Below(20));
    if (!random_.OneIn(20)) record.value = std::move(value);
    if (random_.OneIn(4)) record.headers.push_back({"id", fmt::format("{}", values_)});
    if (!record.value) record.headers.push_back({"null", std::nullopt});
  }
  return records;
}

/// After an append: what the log's end says of the batch decides whether it is there; an acknowledgement binds.
void World::NoteLogEnd(const TopicPartition& partition, std::span<const std::uint64_t> batch, bool acknowledged_os,
                       bool acknowledged_disk, std::optional<Offset> base) {
  PartitionModel& model = Model(partition);
  if (base) {
    report_.Expect(*base == model.end(), "offset-wrong",
                   fmt::format("{}: base {} where {} is next", Name(partition), base->value(), model.end().value()));
  } else {
    const auto offsets = engine_->Offsets(partition);
    const auto count = static_cast<std::int64_t>(batch.size());
    if (!offsets || offsets->log_end < model.end() + count) {
      model.maybe.emplace_back(batch.begin(), batch.end());
      return;
    }
  }
  model.Add(batch);
  if (acknowledged_os || acknowledged_disk) model.acknowledged_os = model.end();
  if (acknowledged_disk) model.acknowledged_disk = model.end();
}

void World::Append() {
  const TopicPartition partition = DrawPartition();
  const auto records = DrawRecords();
  std::vector<std::uint64_t> batch;
  for (const Record& record : records) batch.push_back(FingerprintOf(record));
  constexpr std::array kCodecs = {Compression::kNone, Compression::kNone, Compression::kLz4, Compression::kZstd};
  const Durability durability = random_.OneIn(3) ? Durability::kOs : Durability::kDisk;
  const auto receipt = engine_->Append(
      partition, records, {.durability = durability, .compression = kCodecs[random_.Below(kCodecs.size())]});
  if (!receipt) {
    if (receipt.error().code() == ErrorCode::kOutOfSpace) {
      report_.Fired("append-out-of-space");
      report_.Event("append: out of space");
    } else if (!poisoned_) {
      // A failed write or sync ends the WAL until it is opened again.
      Tolerated(receipt.error(), "Append");
      poisoned_ = true;
    }
    NoteLogEnd(partition, batch, false, false, std::nullopt);
    return;
  }
  report_.Event(
      fmt::format("append {} records to {} at {}", batch.size(), Name(partition), receipt->base_offset.value()));
  report_.Expect(receipt->last_offset == receipt->base_offset + static_cast<std::int64_t>(batch.size()) - 1,
                 "offset-wrong", "the receipt's last offset");
  report_.Expect(receipt->reached >= durability, "durability-wrong", "the receipt says less than was asked");
  NoteLogEnd(partition, batch, true, receipt->reached >= Durability::kDisk, receipt->base_offset);
  report_.Fired("append");
}

void World::AppendAsync() {
  const TopicPartition partition = DrawPartition();
  const auto records = DrawRecords();
  std::vector<std::uint64_t> batch;
  for (const Record& record : records) batch.push_back(FingerprintOf(record));
  constexpr std::array kLevels = {Durability::kOs, Durability::kDisk, Durability::kObject};
  const Durability durability = kLevels[random_.Below(kLevels.size())];
  const auto count = static_cast<std::int64_t>(batch.size());
  engine_->AppendAsync(partition, records, {.durability = durability},
                       [this, partition, durability, count, life = life_,
                        incarnation = Model(partition).incarnation](const Result<AppendReceipt>& receipt) {
                         const auto found = models_.find(partition);
                         const bool known = found != models_.end() && found->second.incarnation == incarnation;
                         if (!life->alive || !known) return;  // the process is dead, or the topic gone
                         if (!receipt) {
                           if (receipt.error().code() != ErrorCode::kOutOfSpace)
                             Tolerated(receipt.error(), "AppendAsync");
                           return;
                         }
                         PartitionModel& model = found->second;
                         const Offset end = receipt->base_offset + count;
                         report_.Event(fmt::format("told {} to {}", Name(partition), end.value()));
                         report_.Fired("append-async");
                         if (end > model.end()) return report_.Fail("offset-invented", "told of an append nobody made");
                         model.acknowledged_os = std::max(model.acknowledged_os, end);
                         if (durability >= Durability::kDisk)
                           model.acknowledged_disk = std::max(model.acknowledged_disk, end);
                       });
  NoteLogEnd(partition, batch, false, false, std::nullopt);
}

void World::JudgeRead(PartitionModel& model, const TopicPartition& partition, Offset begin, const ReadResult& read) {
  report_.Expect(model.batch_ends.contains(read.high_watermark), "half-batch",
                 fmt::format("{}: visible end {} is within a batch", Name(partition), read.high_watermark.value()));
  report_.Expect(read.high_watermark >= model.acknowledged_disk, "acknowledged-not-visible",
                 fmt::format("{}: visible end {}, acknowledged to {}", Name(partition), read.high_watermark.value(),
                             model.acknowledged_disk.value()));
  const auto offsets = engine_->Offsets(partition);
  const bool each = options_.sync.kind == SyncPolicy::Kind::kEach;
  report_.Expect(!each || !offsets || read.high_watermark <= offsets->durable_end, "visible-beyond-durable",
                 fmt::format("{}: visible end {}", Name(partition), read.high_watermark.value()));
  Offset expected = begin;
  for (const RecordView& record : read.records) {
    const bool there = record.offset >= Offset(0) && record.offset < model.end();
    if (!report_.Expect(record.offset == expected, "gap-in-read",
                        fmt::format("{} from {}: offset {} where {} was expected", Name(partition), begin.value(),
                                    record.offset.value(), expected.value()))) {
      return;
    }
    if (!report_.Expect(
            there && model.records[static_cast<std::size_t>(record.offset.value())] == FingerprintOf(record),
            "wrong-record", fmt::format("{} at {}", Name(partition), record.offset.value()))) {
      return;
    }
    expected += 1;
  }
  report_.Expect(read.next == expected, "next-wrong",
                 fmt::format("{} from {}: next {} after {} records", Name(partition), begin.value(), read.next.value(),
                             read.records.size()));
  report_.Expect(
      !read.records.empty() || begin >= read.high_watermark, "empty-read",
      fmt::format("{} from {}: nothing, the end is {}", Name(partition), begin.value(), read.high_watermark.value()));
  model.seen_end = std::max(model.seen_end, read.high_watermark);
}

void World::ReadSomewhere() {
  const TopicPartition partition = DrawPartition();
  PartitionModel& model = Model(partition);
  const auto offsets = engine_->Offsets(partition);
  if (!offsets) {
    Tolerated(offsets.error(), "Offsets");
    return;
  }
  const std::int64_t span = model.end() - offsets->log_start;
  const Offset begin =
      offsets->log_start + static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(span) + 1));
  ReadLimits limits{.bytes_max = 1 + random_.Below(random_.OneIn(2) ? 2'000 : 100'000)};
  if (random_.OneIn(3)) limits.records_max = 1 + random_.Below(5);
  const auto read = engine_->Read(partition, begin, limits);
  if (!read) {
    const ErrorCode code = read.error().code();
    const auto now = engine_->Offsets(partition);
    // The unsynced end is not visible yet.
    if (code == ErrorCode::kOutOfRange && now && begin > now->durable_end) return;
    report_.Expect(code != ErrorCode::kOutOfRange, "gap-in-read", read.error().ToString());
    Tolerated(read.error(), "Read");
    return;
  }
  report_.Event(fmt::format("read {} from {}: {} records", Name(partition), begin.value(), read->records.size()));
  report_.Expect(read->records.size() <= limits.records_max, "too-many-records", Name(partition));
  JudgeRead(model, partition, begin, *read);
  const BytesBySource& bytes = read->explanation.bytes;
  report_.Fired("read-tail", bytes.tail > 0 ? 1 : 0);
  report_.Fired("read-wal", bytes.wal > 0 ? 1 : 0);
  report_.Fired("read-cache", bytes.block_cache > 0 ? 1 : 0);
  report_.Fired("read-objects", bytes.object_store > 0 ? 1 : 0);
}

/// Recovery found more than was known to be there: appends that had failed and were staged all the same.
void World::AdoptMaybe(const TopicPartition& partition, Offset end) {
  PartitionModel& model = Model(partition);
  for (const auto& batch : std::exchange(model.maybe, {})) {
    if (model.end() >= end) return;
    const auto read = engine_->Read(partition, model.end(), {.records_max = batch.size()});
    if (!read) return;
    std::vector<std::uint64_t> seen;
    for (const RecordView& record : read->records) seen.push_back(FingerprintOf(record));
    if (seen != batch) continue;
    model.Add(batch);
    report_.Fired("failed-append-appeared");
  }
}

void World::ReadAll(const TopicPartition& partition, std::string_view when) {
  PartitionModel& model = Model(partition);
  const auto offsets = engine_->Offsets(partition);
  if (!offsets) return report_.Fail("partition-lost", fmt::format("{}: {}", when, offsets.error().ToString()));
  Offset at = offsets->log_start;
  const Offset wanted = std::max(model.log_start_wanted, Offset(0));
  report_.Expect(model.forgets || at <= wanted, "forgotten-too-much",
                 fmt::format("{} {}: log_start {}, nobody asked for more than {}", when, Name(partition), at.value(),
                             wanted.value()));
  for (std::size_t i = 0; i <= model.records.size(); ++i) {
    const auto read = engine_->Read(partition, at, {.bytes_max = 1 << 20});
    if (!read) {
      return report_.Fail("unreadable",
                          fmt::format("{} {} from {}: {}", when, Name(partition), at.value(), read.error().ToString()));
    }
    JudgeRead(model, partition, at, *read);
    if (read->records.empty()) {
      report_.Expect(at == model.end(), "acknowledged-lost",
                     fmt::format("{} {}: reading ended at {}, the log at {}", when, Name(partition), at.value(),
                                 model.end().value()));
      return;
    }
    at = read->next;
  }
}

void World::FindTime() {
  const TopicPartition partition = DrawPartition();
  const auto found =
      engine_->OffsetForTime(partition, clock_.WallMs() - static_cast<std::int64_t>(random_.Below(5'000)));
  if (!found) {
    Tolerated(found.error(), "OffsetForTime");
    return;
  }
  report_.Event(fmt::format("time in {}: {}", Name(partition), found->value()));
  report_.Expect(*found <= Model(partition).end(), "offset-invented", "OffsetForTime is past the end");
}

void World::OpenConsumer() {
  group_.consumer.reset();  // two of one group share its partitions
  auto opened =
      engine_->OpenConsumer({.group = "readers", .topics = {std::string(kTopics[0])}, .reset = ResetPolicy::kFail});
  if (!opened) {
    Tolerated(opened.error(), "OpenConsumer");
    return;
  }
  group_.consumer = std::move(*opened);
  for (const auto& [partition, committed] : group_.committed) {
    const auto position = group_.consumer->Position(partition);
    if (!position || group_.unsure) continue;
    report_.Expect(*position == committed, "position-lost",
                   fmt::format("{} at {}, committed {}", Name(partition), position->value(), committed.value()));
    report_.Fired("position-resumed");
  }
}

void World::Consume() {
  if (!group_.consumer || random_.OneIn(10)) OpenConsumer();
  if (!group_.consumer) return;
  std::map<TopicPartition, Offset> before;
  for (const TopicPartition& partition : group_.consumer->Assignment()) {
    if (const auto position = group_.consumer->Position(partition)) before[partition] = *position;
  }
  const bool was_in_trouble = std::exchange(group_.polled_in_trouble, InTrouble());
  const auto polled = group_.consumer->Poll(1 + random_.Below(20));
  if (!polled) {
    bool overtaken = false;
    for (const auto& [partition, position] : before) {
      const auto offsets = engine_->Offsets(partition);
      overtaken = overtaken || (offsets && position < offsets->log_start);
    }
    if (polled.error().code() == ErrorCode::kOutOfRange && overtaken) {
      // Told, as the reset policy asks; the group goes on where the log starts.
      report_.Fired("position-overtaken");
      for (const auto& [partition, position] : before) {
        const auto offsets = engine_->Offsets(partition);
        if (offsets && position < offsets->log_start) (void)group_.consumer->Seek(partition, offsets->log_start);
      }
      return;
    }
    // What the Poll before met behind the records it returned is told by this one.
    if (!was_in_trouble) Tolerated(polled.error(), "Poll");
    return;
  }
  report_.Event(fmt::format("polled {}", polled->size()));
  for (const ConsumedRecord& record : *polled) {
    const TopicPartition partition{record.topic, record.partition};
    PartitionModel& model = Model(partition);
    Offset& expected = before[partition];
    const auto offsets = engine_->Offsets(partition);
    report_.Expect(
        record.offset == expected, "gap-in-poll",
        fmt::format("{}: {} where {} was expected", Name(partition), record.offset.value(), expected.value()));
    const bool there = record.offset < model.end();
    report_.Expect(there && model.records[static_cast<std::size_t>(record.offset.value())] == FingerprintOf(record),
                   "wrong-record", fmt::format("polled {} at {}", Name(partition), record.offset.value()));
    expected = record.offset + 1;
    model.seen_end = std::max(model.seen_end, expected);
  }
  report_.Fired("polled", polled->size());
  if (!random_.OneIn(3)) return;
  const auto committed = group_.consumer->Commit();
  if (!committed) {
    group_.unsure = true;
    Tolerated(committed.error(), "Commit");
    return;
  }
  group_.unsure = false;
  for (const TopicPartition& partition : group_.consumer->Assignment()) {
    if (const auto position = group_.consumer->Position(partition)) group_.committed[partition] = *position;
  }
  report_.Fired("position-committed");
}

void World::DeleteRecords() {
  const TopicPartition partition = DrawPartition();
  PartitionModel& model = Model(partition);
  const Offset before(static_cast<std::int64_t>(random_.Below(model.records.size() + 1) / 2));
  model.log_start_wanted = std::max(model.log_start_wanted, before);
  const auto deleted = engine_->DeleteRecords(partition, before);
  report_.Event(fmt::format("delete {} before {}", Name(partition), before.value()));
  if (!deleted) {
    Tolerated(deleted.error(), "DeleteRecords");
    return;
  }
  report_.Expect(*deleted >= before, "log-start-wrong", Name(partition));
  // Deleting made durable what came before; so it counts as acknowledged.
  model.acknowledged_disk = std::max(model.acknowledged_disk, before);
  report_.Fired("records-deleted");
}

void World::Recycle() {
  report_.Event("recycle");
  if (const auto recycled = engine_->Recycle(); !recycled) Tolerated(recycled.error(), "Recycle");
  report_.Fired("recycled");
}

void World::BackgroundStep() {
  const HousekeeperSteps steps = engine_.steps();
  const auto judge = [this](const auto& result, std::string_view call) {
    if (!result) Tolerated(result.error(), call);
  };
  switch (random_.Below(9)) {
    case 0:
    case 1: {
      const auto uploaded = steps.uploader.UploadOnce();
      judge(uploaded, "UploadOnce");
      if (uploaded && *uploaded) report_.Event("uploaded");
      if (!uploaded && random_.OneIn(2)) Recycle();  // what did not get far is still needed
      break;
    }
    case 2:
      judge(steps.wal.CommitOnce(), "CommitOnce");
      break;
    case 3:
      judge(steps.wal.SyncDueOnce(), "SyncDueOnce");
      break;
    case 4:
      judge(steps.wal.PrepareFilesOnce(), "PrepareFilesOnce");
      break;
    case 5:
      (void)steps.async.CompleteOnce();
      break;
    case 6:
      judge(engine_.housekeeper().KeepOnce(), "KeepOnce");
      break;
    case 7:
      judge(steps.recycler.RecycleOnce(steps.partitions, DiskWal::Seal::kKeepActive), "RecycleOnce");
      break;
    default:
      judge(steps.collector.ProposeOrphans(), "ProposeOrphans");
      break;
  }
}

void World::RunTimers() {
  const HousekeeperSteps steps = engine_.steps();
  for (int i = 0; i < 20; ++i) {
    const auto committed = steps.wal.CommitOnce();
    const auto synced = steps.wal.SyncDueOnce();
    const bool told = steps.async.CompleteOnce();
    if (!(committed && *committed) && !(synced && *synced) && !told) break;
  }
}

void World::JudgeOffsets() {
  report_.Expect(engine_->Stats().read_memory_bytes == 0, "read-budget-leak",
                 fmt::format("{} bytes while nobody reads", engine_->Stats().read_memory_bytes));
  for (const auto& [partition, model] : models_) {
    const auto offsets = engine_->Offsets(partition);
    if (!offsets) continue;
    report_.Expect(offsets->log_start <= offsets->tiered_end && offsets->tiered_end <= offsets->durable_end &&
                       offsets->durable_end <= offsets->log_end && offsets->hot_start <= offsets->tiered_end,
                   "offsets-disordered",
                   fmt::format("{}: log_start {} hot_start {} tiered_end {} durable_end {} log_end {}", Name(partition),
                               offsets->log_start.value(), offsets->hot_start.value(), offsets->tiered_end.value(),
                               offsets->durable_end.value(), offsets->log_end.value()));
    report_.Expect(
        offsets->log_end == model.end(), "offset-wrong",
        fmt::format("{} ends at {}, {} were appended", Name(partition), offsets->log_end.value(), model.end().value()));
  }
}

/// Nothing below log_start is left in metadata.
void World::JudgeRows() {
  const auto topics = Catalog(*truth_.metadata).Topics();
  for (const TopicRow& topic : topics ? *topics : std::vector<TopicRow>()) {
    const auto partitions = Catalog(*truth_.metadata).Partitions(topic.id);
    for (const PartitionRow& row : partitions ? *partitions : std::vector<PartitionRow>()) {
      const auto segments = Catalog(*truth_.metadata).Segments(row.key, Offset(-1), 1);
      report_.Expect(segments && (segments->empty() || segments->front().end > row.log_start), "rows-left",
                     fmt::format("partition {} of {} has a segment below log_start {}", row.key.partition.value(),
                                 topic.name, row.log_start.value()));
    }
  }
}

void World::Step() {
  const std::uint64_t dice = random_.Below(100);
  if (dice < 26) {
    Append();
  } else if (dice < 34) {
    AppendAsync();
  } else if (dice < 50) {
    ReadSomewhere();
  } else if (dice < 58) {
    Consume();
  } else if (dice < 60) {
    FindTime();
  } else if (dice < 80) {
    BackgroundStep();
  } else if (dice < 86) {
    clock_.Advance(milliseconds(random_.Below(1'500)));
    if (random_.OneIn(10)) {
      JumpWall();
    }
    RunTimers();
  } else if (dice < 88) {
    DeleteRecords();
  } else if (dice < 91) {
    Recycle();
  } else if (dice < 95) {
    SetFaults(!faulty_);
  } else if (dice < 96) {
    if (options_.deletes_topics) RecreateTopic();
  } else if (dice < 97) {
    TakeOver();
  } else {
    Die(dice == 99);
  }
}

/// By some seconds, or to another year and back.
void World::JumpWall() {
  truth_.NoteLead();
  if (random_.OneIn(2)) {
    years_ahead_ = !years_ahead_;
    clock_.JumpWall(years_ahead_ ? kYears : -kYears);
    report_.Fired(years_ahead_ ? "clock-years-ahead" : "clock-set-right");
  } else {
    clock_.JumpWall(milliseconds(static_cast<std::int64_t>(random_.Below(20'000)) - 10'000));
  }
  truth_.NoteLead();
}

void World::Live(int steps) {
  for (int i = 0; i < steps && engine_ && !report_.enough(); ++i) {
    Step();
    if (engine_ && i % 4 == 0) JudgeOffsets();
    if (poisoned_ && engine_ && random_.OneIn(3)) Die(random_.OneIn(2));
  }
}

void World::HealAndJudge() {
  if (!engine_ || report_.enough()) return;
  SetFaults(false);
  if (std::exchange(years_ahead_, false)) clock_.JumpWall(-kYears);
  Die(random_.OneIn(2));
  report_.Event("healed");
  const HousekeeperSteps steps = engine_.steps();
  const auto unfinished = [this] {
    for (const auto& [partition, model] : models_) {
      const auto offsets = engine_->Offsets(partition);
      if (!offsets || offsets->tiered_end < model.end()) return true;
    }
    const auto prepared = Catalog(*truth_.metadata).ObjectsIn(ObjectState::kPrepared, INT64_MAX, 10);
    const auto deleting = Catalog(*truth_.metadata).ObjectsIn(ObjectState::kDeleting, INT64_MAX, 10);
    return !prepared || !prepared->empty() || !deleting || !deleting->empty();
  };
  int round = 0;
  for (; round < kRoundsMax && (round < 3 || unfinished()); ++round) {
    // Past the grace of prepared objects in the second half, if something still hangs there.
    clock_.Advance(round < kRoundsMax / 2 ? kRoundTakes : milliseconds(10'000));
    RunTimers();
    for (int i = 0; i < 8; ++i) {
      const auto uploaded = steps.uploader.UploadOnce();
      if (!uploaded) Tolerated(uploaded.error(), "UploadOnce");
      if (!uploaded || !*uploaded) break;
    }
    (void)steps.collector.ProposeOrphans();
    if (const auto kept = engine_.housekeeper().KeepOnce(); !kept) Tolerated(kept.error(), "KeepOnce");
  }
  report_.Expect(!unfinished(), "not-live", "uploads or orphans were left after healing");
  const auto listed = truth_.objects->List("", "", 100'000);
  for (const ObjectDescription& object : listed ? listed->objects : std::vector<ObjectDescription>()) {
    if (!object.key.ends_with(".obj")) continue;
    report_.Expect(truth_.Refers(object.key), "orphan-left", object.key);
  }
  for (const auto& [partition, model] : models_) ReadAll(partition, "hot");
  Recycle();
  for (const auto& [partition, model] : models_) ReadAll(partition, "cold");
  JudgeOffsets();
  JudgeRows();
  Die(true);
  for (const auto& [partition, model] : models_) ReadAll(partition, "reopened");
  report_.Fired("healed");
}

}  // namespace millrace::sim
