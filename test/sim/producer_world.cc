// Producers that number their batches, over an engine that is killed within calls and between them, loses power, meets
// a failing disk, and has no room at times. They send several batches at once, send again what has no answer, and also
// what has one, leave numbers out, and speak under epochs that are over.
//
//   send ─► (acknowledged | unanswered ─► sent again, in order, until it is)         kill, power loss, close at any
//   step
//
// The model: the batches of each producer and partition in their order, each with its first receipt. The log holds each
// of them once, in that order, where the receipt says. (S37, B83)
#include "producer_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "log/producer_checkpoint.h"
#include "log/producer_state_table.h"
#include "meta/memory_metadata_store.h"
#include "process_stores.h"
#include "producer_line.h"
#include "record/producer_window.h"
#include "store/memory_object_store.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr int kSteps = 140;
constexpr std::size_t kProducers = 3, kInFlightMax = ProducerWindow::kBatchesMax;
constexpr std::int32_t kPartitions = 2;
constexpr int kRetriesMax = 50;  // of everything that is unanswered, once all is well
constexpr std::uint64_t kValueBytesMax = 3'000, kFillsFile = 60'000;  // a batch of each line, and another file begins
constexpr StorageSizes kSmallFiles{.wal_file_bytes = 64 << 10, .wal_staging_bytes = 16 << 10};

class ProducerWorld {
 public:
  ProducerWorld(std::uint64_t seed, Report& report)
      : report_(report), random_(SeededRandom::Mix(seed)), files_(std::make_shared<SimFileSystem>(seed)), seed_(seed) {
    truth_.objects = std::make_shared<MemoryObjectStore>(&clock_);
    truth_.metadata = std::make_shared<MemoryMetadataStore>(&clock_);
  }
  ~ProducerWorld() {
    if (engine_) End();
  }
  ProducerWorld(const ProducerWorld&) = delete;
  ProducerWorld& operator=(const ProducerWorld&) = delete;

  void Run() {
    if (!Start() || !Create()) return;
    for (int i = 0; i < kSteps && engine_ && !report_.enough(); ++i) Step();
    if (engine_ && !report_.enough()) HealAndJudge();
  }

 private:
  // Processes.
  bool Start();
  bool Create();
  void Die(bool power);
  void CloseCleanly();
  void End();
  void Restart();
  void BreakDisk();
  void FillDisk();
  void EmptyDisk();
  bool Tolerated(const Error& error, std::string_view call);

  // What producers do.
  void Step();
  enum class Wait { kAtTimes, kNone };
  void SendNew(Line& line, Wait wait = Wait::kAtTimes);
  void SendAgain(Line& line);
  void Repeat(Line& line);
  void LeaveOut(Line& line);
  void BumpEpoch(Line& line);
  void LosePowerBehindRecycling();
  [[nodiscard]] std::optional<std::uint32_t> ToldByCheckpoint() const;
  Result<AppendReceipt> Append(const Line& line, const Batch& batch);
  void NoteReceipt(Line& line, std::size_t index, const AppendReceipt& receipt);
  void NoteFailure(Line& line, const Error& error, std::string_view call);
  [[nodiscard]] Batch DrawBatch(const Line& line, std::size_t index);

  // The rest.
  void BackgroundStep();
  void UploadAll();
  void Recycle();
  void Complete();
  void Judge(std::string_view when);
  void JudgePartition(const TopicPartition& partition, std::string_view when);
  void HealAndJudge();

  Report& report_;
  SeededRandom random_;
  SimClock clock_;
  std::shared_ptr<SimFileSystem> files_;
  const std::uint64_t seed_;
  SharedTruth truth_;
  std::shared_ptr<ProcessLife> life_;
  SteppedEngine engine_;
  std::vector<Line> lines_;
  std::uint64_t process_ = 0;
  bool trouble_ = false;  // of the disk, since this process began
  bool full_ = false;     // the disk is, or soon will be
  std::uint64_t value_bytes_max_ = kValueBytesMax;
};

// Processes.

bool ProducerWorld::Start() {
  life_ = std::make_shared<ProcessLife>();
  trouble_ = false;
  files_->SetFaultPlan(nullptr);
  EmptyDisk();
  EngineOptions options;
  options.data_dir = "/data";
  options.wal_bytes_max = 16 << 20;
  // Files of the WAL are made large enough for the largest batch where one must take whatever comes.
  options.batch_bytes_max = 256 << 10;
  options.record_bytes_max = 64 << 10;
  options.append_wait_max = milliseconds(0);
  options.read.block_cache_max_size = 1 << 20;
  options.read.read_memory_max = 8 << 20;
  options.read.prefetch_enabled = false;
  options.upload.segment_age_max = milliseconds(500);
  options.clock = std::shared_ptr<Clock>(std::shared_ptr<void>(), &clock_);
  options.file_system = files_;
  options.objects = ObjectsOfProcess(truth_.objects, truth_, life_, report_);
  options.metadata = MetadataOfProcess(truth_.metadata, truth_, life_, report_);
  auto opened =
      SteppedEngine::Open(std::move(options), std::make_shared<SeededRandom>(seed_ + ++process_), kSmallFiles);
  if (!opened) {
    report_.Fail("open-failed", opened.error().ToString());
    return false;
  }
  engine_ = *std::move(opened);
  report_.Event("open");
  return true;
}

bool ProducerWorld::Create() {
  if (const auto created = engine_->CreateTopic("t", {.partitions = kPartitions}); !created) {
    report_.Fail("unexpected-error", created.error().ToString());
    return false;
  }
  for (std::size_t producer = 0; producer < kProducers; ++producer) {
    const auto id = engine_->NewProducerId();
    if (!id) {
      report_.Fail("unexpected-error", id.error().ToString());
      return false;
    }
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      Line line{.producer = producer, .to = {"t", PartitionId(partition)}, .id = *id, .batches = {}};
      // Whatever number comes first is taken; soon after this one they begin anew.
      if (random_.OneIn(3)) line.next = std::numeric_limits<std::int32_t>::max() - 4;
      lines_.push_back(std::move(line));
    }
  }
  return true;
}

/// The process is gone at once; what its destructors do comes nowhere.
void ProducerWorld::Die(bool power) {
  report_.Event(power ? "power loss" : "kill");
  report_.Fired("killed");
  report_.Fired(power ? "power-loss" : "kill");
  const bool owed = std::ranges::any_of(lines_, [](const Line& line) { return !line.all_answered(); });
  if (owed) report_.Fired("killed-unanswered");
  life_->alive = false;
  power ? files_->Crash() : files_->KillProcess();
  End();
  Restart();
}

void ProducerWorld::CloseCleanly() {
  const auto closed = engine_->Close();
  report_.Event("close");
  if (!closed) Tolerated(closed.error(), "Close");
  report_.Fired("closed");
  life_->alive = false;
  files_->KillProcess();
  End();
  Restart();
}

void ProducerWorld::End() {
  life_->alive = false;
  files_->SetFaultPlan(
      [](SimOperation, const auto&, std::uint64_t) { return std::optional(SimFault{.code = ErrorCode::kClosed}); });
  engine_.reset();
}

void ProducerWorld::Restart() {
  if (!Start()) return;
  for (Line& line : lines_) line.stalled = !line.all_answered();
  Judge("reopened");
}

/// One of the next calls of the disk fails, or the process dies within it.
void ProducerWorld::BreakDisk() {
  trouble_ = true;
  const bool dies = random_.OneIn(2);
  files_->SetFaultPlan([this, left = random_.Below(4), dies, fired = false, clean = random_.OneIn(2)](
                           SimOperation, const auto&, std::uint64_t) mutable -> std::optional<SimFault> {
    if (left > 0) {
      --left;
      return {};
    }
    if (!std::exchange(fired, true)) report_.Fired(dies ? "died-in-a-call" : "disk-call-failed");
    if (!dies) left = std::numeric_limits<std::uint64_t>::max();
    return SimFault{.code = ErrorCode::kUnavailable, .pages_left_clean = clean};
  });
}

/// Soon there is no room for another file; what was refused then is sent again once there is.
void ProducerWorld::FillDisk() {
  const std::uint64_t used = (std::uint64_t{1} << 40) - *files_->FreeSpace("/");
  files_->SetCapacity(used + random_.Below(100'000));
  full_ = true;
  report_.Fired("disk-full");
}

void ProducerWorld::EmptyDisk() {
  files_->SetCapacity(std::nullopt);
  full_ = false;
}

bool ProducerWorld::Tolerated(const Error& error, std::string_view call) {
  report_.Event(fmt::format("{} failed: {}", call, error.ToString()));
  if (error.code() == ErrorCode::kOutOfSpace) {
    report_.Fired("no-room");
    return true;
  }
  report_.Fired("error");
  if (trouble_ || full_) return true;
  report_.Fail("unexpected-error", fmt::format("{}: {}", call, error.ToString()));
  return false;
}

// What producers do.

Batch ProducerWorld::DrawBatch(const Line& line, std::size_t index) {
  Batch batch{.epoch = line.epoch, .sequence = line.next, .records = {}, .receipt = {}};
  batch.records.resize(1 + random_.Below(3));
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    std::string value = fmt::format("{} {} {} ", line.producer, index, i);
    value.resize(value.size() + random_.Below(random_.OneIn(4) ? value_bytes_max_ : 100), 'v');
    batch.records[i].timestamp_ms = clock_.WallMs() + static_cast<std::int64_t>(i);
    batch.records[i].value = std::move(value);
  }
  return batch;
}

Result<AppendReceipt> ProducerWorld::Append(const Line& line, const Batch& batch) {
  return engine_->Append(line.to, batch.records,
                         {.durability = Durability::kDisk,
                          .producer = ProducerStamp{.id = line.id, .epoch = batch.epoch, .sequence = batch.sequence}});
}

void ProducerWorld::NoteReceipt(Line& line, std::size_t index, const AppendReceipt& receipt) {
  Batch& batch = line.batches[index];
  report_.Expect(receipt.reached >= Durability::kDisk, "durability-wrong", "the receipt says less than was asked");
  if (!batch.receipt) batch.receipt = receipt;
  report_.Expect(
      batch.receipt->base_offset == receipt.base_offset && batch.receipt->timestamp_ms == receipt.timestamp_ms,
      "repeated-elsewhere",
      fmt::format("batch {} of producer {} was told offset {} and then {}", index, line.producer,
                  batch.receipt->base_offset.value(), receipt.base_offset.value()));
}

void ProducerWorld::NoteFailure(Line& line, const Error& error, std::string_view call) {
  line.stalled = true;
  const bool refused = error.code() == ErrorCode::kOutOfSequence || error.code() == ErrorCode::kProducerFenced;
  if (refused) return report_.Fail("refused", fmt::format("{}: {}", call, error.ToString()));
  Tolerated(error, call);
}

/// As many as may be without an answer, none of which is waited for; or one, which is.
void ProducerWorld::SendNew(Line& line, Wait wait) {
  if (line.stalled) return SendAgain(line);
  if (line.batches.size() - line.unanswered() >= kInFlightMax) return;
  const std::size_t index = line.batches.size();
  line.batches.push_back(DrawBatch(line, index));
  const Batch& batch = line.batches.back();
  line.next = SequenceAfter(line.next, static_cast<std::int32_t>(batch.records.size()));
  report_.Event(fmt::format("{} sends batch {} numbered {} to {}", line.producer, index, batch.sequence,
                            line.to.partition.value()));
  if (wait == Wait::kAtTimes && random_.OneIn(3)) {
    const auto receipt = Append(line, batch);
    report_.Fired("append");
    return receipt ? NoteReceipt(line, index, *receipt) : NoteFailure(line, receipt.error(), "Append");
  }
  engine_->AppendAsync(line.to, batch.records,
                       {.durability = Durability::kDisk,
                        .producer = ProducerStamp{.id = line.id, .epoch = batch.epoch, .sequence = batch.sequence}},
                       [this, &line, index, life = life_](const Result<AppendReceipt>& receipt) {
                         if (!life->alive) return;  // the answer comes nowhere
                         report_.Fired("append-async");
                         receipt ? NoteReceipt(line, index, *receipt)
                                 : NoteFailure(line, receipt.error(), "AppendAsync");
                       });
}

/// All that has no answer, in order, whether it is on its way or not.
void ProducerWorld::SendAgain(Line& line) {
  for (std::size_t i = line.unanswered(); i < line.batches.size(); ++i) {
    report_.Fired("sent-again");
    const auto receipt = Append(line, line.batches[i]);
    if (!receipt) return NoteFailure(line, receipt.error(), "Append");
    if (receipt->repeated) report_.Fired("was-there");
    report_.Event(fmt::format("{} sends batch {} again: {}", line.producer, i, receipt->base_offset.value()));
    NoteReceipt(line, i, *receipt);
  }
  line.stalled = false;
}

/// What has an answer comes again, as after a timeout of the client's.
void ProducerWorld::Repeat(Line& line) {
  if (line.stalled || !line.all_answered() || line.epoch_begin == line.batches.size()) return;
  const std::size_t back = 1 + random_.Below(std::min<std::size_t>(line.batches.size(), 9));
  const std::size_t index = line.batches.size() - back;
  const auto receipt = Append(line, line.batches[index]);
  const std::string what = fmt::format("batch {} of producer {}, the last but {}", index, line.producer, back - 1);
  report_.Event(what + " comes again");
  const bool old_epoch = index < line.epoch_begin, is_known = !old_epoch && back <= ProducerWindow::kBatchesMax;
  if (is_known) {
    report_.Fired("repeated");
    if (!receipt) {
      if (receipt.error().code() == ErrorCode::kOutOfSequence) return report_.Fail("forgotten", what);
      return NoteFailure(line, receipt.error(), "Append");
    }
    report_.Expect(receipt->repeated, "appended-twice", what);
    return NoteReceipt(line, index, *receipt);
  }
  report_.Fired(old_epoch ? "old-epoch" : "older-than-five");
  if (receipt) return report_.Fail("appended-twice", what);
  const ErrorCode expected = old_epoch ? ErrorCode::kProducerFenced : ErrorCode::kOutOfSequence;
  if (receipt.error().code() != expected) Tolerated(receipt.error(), "Append");
}

void ProducerWorld::LeaveOut(Line& line) {
  if (line.stalled || !line.all_answered() || line.epoch_begin == line.batches.size()) return;
  Batch batch = DrawBatch(line, 1'000'000);
  batch.sequence = SequenceAfter(batch.sequence);
  report_.Fired("gap");
  report_.Event(fmt::format("{} leaves a number out", line.producer));
  const auto receipt = Append(line, batch);
  if (receipt) return report_.Fail("gap-taken", fmt::format("producer {} left a number out", line.producer));
  if (receipt.error().code() != ErrorCode::kOutOfSequence) Tolerated(receipt.error(), "Append");
}

void ProducerWorld::BumpEpoch(Line& line) {
  if (line.stalled || !line.all_answered() || line.epoch_begin == line.batches.size()) return;
  report_.Event(fmt::format("{} begins an epoch", line.producer));
  report_.Fired("epoch");
  ++line.epoch;
  line.next = 0;
  line.epoch_begin = line.batches.size();
  Batch batch = DrawBatch(line, 1'000'000);
  batch.sequence = 5;
  const auto receipt = Append(line, batch);
  if (receipt) return report_.Fail("gap-taken", "an epoch began with number 5");
  if (receipt.error().code() != ErrorCode::kOutOfSequence) Tolerated(receipt.error(), "Append");
}

/// Files of the WAL go whose batches are all in objects, while younger batches are staged and wait for their sync, and
/// then the power fails. What is told of producers from then on must be of what is still there.
void ProducerWorld::LosePowerBehindRecycling() {
  if (trouble_ || full_) return;
  value_bytes_max_ = kFillsFile;
  for (Line& line : lines_) SendNew(line);
  value_bytes_max_ = kValueBytesMax;
  Complete();
  clock_.Advance(milliseconds(1'000));
  UploadAll();
  for (Line& line : lines_) {
    if (!line.stalled && random_.OneIn(2)) SendNew(line, Wait::kNone);
  }
  const bool staged = std::ranges::any_of(lines_, [](const Line& line) { return !line.all_answered(); });
  const auto told_before = ToldByCheckpoint();
  Recycle();
  if (staged && ToldByCheckpoint() != told_before) report_.Fired("recycled-before-sync");
  Die(/*power=*/true);
  if (!engine_) return;
  for (Line& line : lines_) Repeat(line);
}

void ProducerWorld::Step() {
  Line& line = lines_[random_.Below(lines_.size())];
  const std::uint64_t dice = random_.Below(100);
  if (dice < 50) {
    SendNew(line);
  } else if (dice < 56) {
    SendAgain(line);
  } else if (dice < 66) {
    Repeat(line);
  } else if (dice < 68) {
    LeaveOut(line);
  } else if (dice < 70) {
    BumpEpoch(line);
  } else if (dice < 87) {
    BackgroundStep();
  } else if (dice < 88) {
    LosePowerBehindRecycling();
  } else if (dice < 92) {
    BreakDisk();
  } else if (dice < 94) {
    full_ ? EmptyDisk() : FillDisk();
  } else if (dice < 99) {
    Die(random_.OneIn(2));
  } else {
    CloseCleanly();
  }
  if (trouble_ && engine_ && random_.OneIn(8)) Die(random_.OneIn(2));
  if (full_ && random_.OneIn(20)) EmptyDisk();
}

// The rest.

void ProducerWorld::Complete() {
  const HousekeeperSteps steps = engine_.steps();
  for (int i = 0; i < 20; ++i) {
    const auto committed = steps.wal.CommitOnce();
    if (!committed) Tolerated(committed.error(), "CommitOnce");
    const bool told = steps.async.CompleteOnce();
    if (!(committed && *committed) && !told) return;
  }
}

void ProducerWorld::UploadAll() {
  for (int i = 0; i < 8; ++i) {
    const auto uploaded = engine_.steps().uploader.UploadOnce();
    if (!uploaded) return (void)Tolerated(uploaded.error(), "UploadOnce");
    if (!*uploaded) return;
  }
}

/// Which one lies on the disk.
std::optional<std::uint32_t> ProducerWorld::ToldByCheckpoint() const {
  const auto stored = ReadProducerCheckpoint(*files_, "/data/wal");
  return stored && *stored ? std::optional((*stored)->checksum) : std::nullopt;
}

void ProducerWorld::Recycle() {
  const auto recycled = engine_->Recycle();
  if (!recycled) return (void)Tolerated(recycled.error(), "Recycle");
  report_.Fired("recycled");
}

void ProducerWorld::BackgroundStep() {
  const HousekeeperSteps steps = engine_.steps();
  const auto judge = [this](const auto& result, std::string_view call) {
    if (!result) Tolerated(result.error(), call);
  };
  clock_.Advance(milliseconds(random_.Below(400)));
  switch (random_.Below(7)) {
    case 0:
      return judge(steps.wal.CommitOnce(), "CommitOnce");
    case 1:
      (void)steps.async.CompleteOnce();
      return;
    case 2:
      return Complete();
    case 3:
      UploadAll();
      return Recycle();
    case 4:
      return judge(steps.uploader.UploadOnce(), "UploadOnce");
    case 5:  // while batches wait for their sync
      return Recycle();
    default: {
      const TopicPartition& partition = lines_[random_.Below(lines_.size())].to;
      const auto offsets = engine_->Offsets(partition);
      if (!offsets) return judge(offsets, "Offsets");
      const auto span = static_cast<std::uint64_t>(offsets->durable_end - offsets->log_start);
      const auto before = offsets->log_start + static_cast<std::int64_t>(random_.Below(span + 1));
      const auto deleted = engine_->DeleteRecords(partition, before);
      judge(deleted, "DeleteRecords");
      if (deleted) report_.Fired("records-deleted");
    }
  }
}

void ProducerWorld::Judge(std::string_view when) {
  for (std::int32_t i = 0; i < kPartitions && !report_.enough(); ++i) JudgePartition({"t", PartitionId(i)}, when);
}

/// Every batch once, in its producer's order, whole, and where its receipt says.
void ProducerWorld::JudgePartition(const TopicPartition& partition, std::string_view when) {
  const auto offsets = engine_->Offsets(partition);
  if (!offsets) return (void)Tolerated(offsets.error(), "Offsets");
  struct Place {
    std::size_t batch = 0;
    std::size_t records = 0;
    Offset base;
  };
  std::map<std::size_t, std::vector<Place>> found;  // by producer
  for (Offset at = offsets->log_start; at < offsets->durable_end;) {
    const auto read = engine_->Read(partition, at, {.bytes_max = 1 << 20});
    if (!read) return (void)Tolerated(read.error(), "Read");
    if (read->records.empty()) return report_.Fail("hole", fmt::format("{}: nothing at {}", when, at.value()));
    for (const RecordView& record : read->records) {
      std::array<std::size_t, 3> numbers{};  // producer, batch, record
      const char* text = record.value->data();
      const char* const end = text + record.value->size();
      for (std::size_t& number : numbers) {
        text = std::from_chars(text, end, number).ptr;
        if (text != end) ++text;
      }
      auto& places = found[numbers[0]];
      if (numbers[2] == 0 || places.empty()) {
        places.push_back({.batch = numbers[1],
                          .records = numbers[2],
                          .base = record.offset - static_cast<std::int64_t>(numbers[2])});
      }
      report_.Expect(places.back().batch == numbers[1] && places.back().records == numbers[2], "half-batch",
                     fmt::format("{}: offset {} holds record {} of batch {}", when, record.offset.value(), numbers[2],
                                 numbers[1]));
      places.back().records = numbers[2] + 1;
    }
    at = read->next;
  }
  for (const Line& line : lines_) {
    if (line.to != partition) continue;
    const auto& places = found[line.producer];
    std::map<std::size_t, Offset> base_of;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::string what = fmt::format("{}: batch {} of producer {} at {}", when, places[i].batch, line.producer,
                                           places[i].base.value());
      report_.Expect(base_of.emplace(places[i].batch, places[i].base).second, "appended-twice", what);
      report_.Expect(i == 0 || places[i].batch == places[i - 1].batch + 1, "out-of-order", what);
    }
    for (std::size_t i = 0; i < line.batches.size(); ++i) {
      const auto& receipt = line.batches[i].receipt;
      if (!receipt || receipt->base_offset < offsets->log_start) continue;
      const auto there = base_of.find(i);
      report_.Expect(there != base_of.end() && there->second == receipt->base_offset, "acknowledged-lost",
                     fmt::format("{}: batch {} of producer {} was acknowledged at {}", when, i, line.producer,
                                 receipt->base_offset.value()));
    }
  }
}

/// Everything is answered in the end; and what was answered last is known over one more restart.
void ProducerWorld::HealAndJudge() {
  Die(random_.OneIn(2));
  if (!engine_) return;
  for (Line& line : lines_) {
    for (int i = 0; i < kRetriesMax && !line.all_answered(); ++i) {
      SendAgain(line);
      Complete();
    }
    report_.Expect(line.all_answered(), "not-live", fmt::format("producer {} waits for ever", line.producer));
  }
  Judge("healed");
  random_.OneIn(2) ? Die(true) : CloseCleanly();
  if (!engine_) return;
  for (Line& line : lines_) {
    for (int i = 0; i < 8; ++i) Repeat(line);
  }
  Judge("repeated");
  report_.Fired("healed");
}

}  // namespace

void RunProducerWorld(std::uint64_t seed, Report& report) { ProducerWorld(seed, report).Run(); }

}  // namespace millrace::sim
