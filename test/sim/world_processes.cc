#include <fmt/format.h>

#include <algorithm>

#include "env/random.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "store/memory_object_store.h"
#include "world.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGrace(5'000);

}  // namespace

WorldOptions DrawWorldOptions(std::uint64_t seed) {
  SeededRandom random(seed ^ 0x301d);
  WorldOptions options;
  if (random.OneIn(4)) options.sync = random.OneIn(2) ? SyncPolicy::None() : SyncPolicy::Interval(milliseconds(20));
  options.traits = {.direct = !random.OneIn(4), .allocate = !random.OneIn(4), .map = !random.OneIn(4)};
  options.faults = !random.OneIn(4);
  return options;
}

World::World(std::uint64_t seed, const WorldOptions& options, Report& report)
    : options_(options),
      report_(report),
      random_(seed),
      files_(std::make_shared<SimFileSystem>(seed, options.traits)),
      processes_seed_(SeededRandom::Mix(seed)) {
  truth_.objects = std::make_shared<MemoryObjectStore>(&clock_);
  truth_.metadata = std::make_shared<MemoryMetadataStore>();
  truth_.delete_grace = kGrace;
  truth_.clock = &clock_;
  objects_ = std::make_shared<FaultyObjectStore>(truth_.objects, seed + 1,
                                                 [this](std::chrono::nanoseconds by) { clock_.Advance(by); });
  metadata_ = std::make_shared<FaultyMetadataStore>(truth_.metadata, seed + 2);
  if (!Start()) return;
  for (const std::string_view topic : kTopics) CreateTopic(topic);
}

World::~World() {
  if (engine_) Die(false);
}

std::string World::Name(const TopicPartition& partition) const {
  return fmt::format("{}-{}", partition.topic, partition.partition.value());
}

bool World::Start() {
  life_ = std::make_shared<ProcessLife>();
  poisoned_ = fenced_ = false;
  ++process_;
  EngineOptions options;
  options.data_dir = "/data";
  options.sync = options_.sync;
  options.wal_bytes_max = 16 << 20;
  options.append_wait_max = milliseconds(0);
  options.read.block_cache_max_size = 1 << 20;
  options.read.read_memory_max = 8 << 20;
  options.read.prefetch_enabled = false;
  options.upload.segment_bytes_max = 1 << 20;
  options.upload.segment_age_max = milliseconds(1'000);
  options.upload.delete_grace = kGrace;
  // The engine owns what it is given; these are ours and outlive it.
  options.clock = std::shared_ptr<Clock>(std::shared_ptr<void>(), &clock_);
  options.file_system = files_;
  options.objects = ObjectsOfProcess(objects_, truth_, life_, report_);
  options.metadata = MetadataOfProcess(metadata_, truth_, life_, report_);
  auto opened = SteppedEngine::Open(std::move(options), std::make_shared<SeededRandom>(processes_seed_ + process_));
  if (!opened) {
    life_->alive = false;
    files_->KillProcess();
    report_.Event(fmt::format("open failed: {}", ErrorCodeName(opened.error().code())));
    if (!faulty_) report_.Fail("open-failed", opened.error().ToString());
    return false;
  }
  engine_ = std::move(*opened);
  report_.Event("open");
  return true;
}

void World::Die(bool power) {
  report_.Event(power ? "power loss" : "kill");
  report_.Fired(power ? "power-loss" : "kill");
  life_->alive = false;
  if (power) {
    files_->Crash();
  } else {
    files_->KillProcess();
  }
  // What the destructors still do, the dead process does not: disk and stores answer nothing.
  group_.consumer.reset();
  engine_.reset();
  const bool after_errors = poisoned_;
  while (!Start()) SetFaults(false);
  for (auto& [partition, model] : models_) AfterRecovery(partition, power || after_errors);
}

/// The log is what recovery found, from now on; it must hold what was promised.
void World::AfterRecovery(const TopicPartition& partition, bool power) {
  const auto offsets = engine_->Offsets(partition);
  if (!offsets) {
    if (!Tolerated(offsets.error(), "Offsets")) report_.Fail("partition-lost", offsets.error().ToString());
    return;
  }
  PartitionModel& model = Model(partition);
  const Offset end = offsets->log_end;
  const Offset promised = power ? model.acknowledged_disk : model.acknowledged_os;
  report_.Event(fmt::format("{} recovered to {}", Name(partition), end.value()));
  if (!report_.Expect(
          end >= promised, "acknowledged-lost",
          fmt::format("{} ends at {}, acknowledged to {}", Name(partition), end.value(), promised.value()))) {
    return;
  }
  const bool each = options_.sync.kind == SyncPolicy::Kind::kEach;
  report_.Expect(!each || end >= model.seen_end, "read-then-lost",
                 fmt::format("{} ends at {}, was read to {}", Name(partition), end.value(), model.seen_end.value()));
  if (end < model.end()) {
    report_.Expect(model.batch_ends.contains(end), "half-batch",
                   fmt::format("{} ends at {}", Name(partition), end.value()));
    report_.Fired("unacknowledged-lost");
    model.Cut(end);
  }
  // These offsets are given again, to other records: a group that stood past them goes on at the end.
  if (const auto committed = group_.committed.find(partition);
      committed != group_.committed.end() && committed->second > end) {
    committed->second = end;
    report_.Fired("group-moved-back");
  }
  AdoptMaybe(partition, end);
  report_.Expect(end <= model.end(), "offset-invented",
                 fmt::format("{} ends at {}, {} were appended", Name(partition), end.value(), model.end().value()));
  model.seen_end = std::min(model.seen_end, end);
}

TopicOptions World::OptionsOf(std::string_view name) {
  TopicOptions options{.partitions = kPartitions};
  if (name == kTopics[1]) options.retention_bytes = 300'000;
  return options;
}

void World::CreateTopic(std::string_view name) {
  const auto created = engine_->CreateTopic(name, OptionsOf(name));
  if (!created && created.error().code() != ErrorCode::kAlreadyExists) {
    Tolerated(created.error(), "CreateTopic");
    if (!TopicInMetadata(name)) return;  // it may exist all the same: an unknown outcome
  }
  BeginTopic(name);
}

/// A topic that is new and empty.
void World::BeginTopic(std::string_view name) {
  for (std::int32_t i = 0; i < kPartitions; ++i) {
    PartitionModel& model = models_[{std::string(name), PartitionId(i)}];
    model = {};
    model.forgets = OptionsOf(name).retention_bytes.has_value();
    model.incarnation = ++incarnations_;
  }
}

std::optional<TopicId> World::TopicInMetadata(std::string_view name) const {
  const auto topics = Catalog(*truth_.metadata).Topics();
  for (const TopicRow& row : topics ? *topics : std::vector<TopicRow>())
    if (row.name == name) return row.id;
  return std::nullopt;
}

/// What a change of topics says of itself, against what metadata has. `wanted`: whether the topic should be there now.
bool World::JudgeTopicChange(std::string_view name, const Result<void>& changed, ErrorCode done_before, bool wanted) {
  const bool is_there = TopicInMetadata(name).has_value();
  if (changed || changed.error().code() == done_before) {
    report_.Expect(is_there == wanted, "topic-outcome-wrong",
                   fmt::format("{} {} after a change that was told as done", name, is_there ? "is there" : "is gone"));
    return true;
  }
  report_.Event(fmt::format("change of {} failed: {}", name, ErrorCodeName(changed.error().code())));
  report_.Fired("topic-change-in-doubt");
  if (is_there) return false;
  const auto receipt = engine_->Append({std::string(name), PartitionId(0)}, DrawRecords(), {});
  report_.Expect(!receipt, "acknowledged-in-deleted-topic", name);
  return false;
}

/// Deleted, and made again under its name: a new topic that shares nothing with the old one. Metadata may fail before
/// or after the effect of a call; then the change is repeated, at last without faults.
void World::RecreateTopic() {
  const std::string name(kTopics[random_.Below(kTopics.size())]);
  report_.Event("recreate " + name);
  group_.consumer.reset();
  const bool was_faulty = faulty_;
  SetFaults(false);
  const auto until_done = [&](ErrorCode done_before, bool wanted, const auto& change) {
    for (int tries = 0;; ++tries) {
      const bool fails = was_faulty && tries < 3;
      metadata_->SetPlan(fails ? MetadataFaultPlan{.before_per_million = 250'000,
                                                   .after_per_million = 250'000,
                                                   .commits_only = tries > 0}
                               : MetadataFaultPlan{});
      const Result<void> changed = change();
      if (JudgeTopicChange(name, changed, done_before, wanted)) return true;
      if (!fails) return Tolerated(changed.error(), "a change of topics") && false;
    }
  };
  const bool gone = until_done(ErrorCode::kNotFound, false, [&] { return engine_->DeleteTopic(name); });
  if (gone) {
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      models_.erase({name, PartitionId(i)});
      group_.committed.erase({name, PartitionId(i)});
    }
    if (until_done(ErrorCode::kAlreadyExists, true, [&] { return engine_->CreateTopic(name, OptionsOf(name)); }))
      BeginTopic(name);
    report_.Fired("topic-recreated");
  }
  SetFaults(was_faulty);
}

/// Another owner takes a partition in metadata: what this process still commits there must fail. Then it dies, as it
/// should.
void World::TakeOver() {
  const auto topics = Catalog(*truth_.metadata).Topics();
  if (!topics || topics->empty()) return;
  report_.Event("taken over");
  for (const TopicRow& topic : *topics) {
    for (std::int32_t i = 0; i < topic.options.partitions; ++i) {
      (void)Catalog(*truth_.metadata).AcquireEpoch({topic.id, PartitionId(i)});
    }
  }
  fenced_ = life_->fenced = true;
  report_.Fired("taken-over");
  clock_.Advance(milliseconds(2'000));
  for (int i = 0; i < 4; ++i) (void)engine_.steps().uploader.UploadOnce();
  for (auto& [partition, model] : models_) (void)engine_->DeleteRecords(partition, model.acknowledged_disk);
  Die(random_.OneIn(2));
}

void World::SetFaults(bool on) {
  faulty_ = on && options_.faults;
  ObjectFaultPlan objects;
  MetadataFaultPlan metadata;
  if (faulty_) {
    objects.Set(ObjectFault::kErrorBefore, 120'000)
        .Set(ObjectFault::kErrorAfter, 80'000)
        .Set(ObjectFault::kShortBody, 30'000)
        .Set(ObjectFault::kCorruptBody, 40'000)
        .Set(ObjectFault::kStaleList, 200'000)
        .Set(ObjectFault::kDelay, 50'000);
    objects.delay = milliseconds(300);
    // At times so many that no retry helps.
    if (random_.OneIn(3)) {
      objects.Set(ObjectFault::kErrorBefore, 900'000);
      report_.Fired("store-down");
    }
    metadata = {.before_per_million = 60'000, .after_per_million = 60'000};
    if (random_.OneIn(3)) {
      metadata.before_per_million = 600'000;
      report_.Fired("metadata-down");
    }
  }
  if (faulty_) BreakDisk();
  objects_->SetPlan(objects);
  metadata_->SetPlan(metadata);
  if (!faulty_) {
    files_->SetFaultPlan(nullptr);
    files_->SetCapacity(std::nullopt);
  }
}

/// One of the next calls of the disk fails, or the disk is nearly full.
void World::BreakDisk() {
  if (random_.OneIn(3)) {
    const std::uint64_t used = (std::uint64_t{1} << 40) - *files_->FreeSpace("/");
    files_->SetCapacity(used + random_.Below(3 << 20));
    report_.Fired("disk-nearly-full");
    // Whatever met the end of the space counts as failed from here on.
    poisoned_ = true;
    return;
  }
  if (random_.OneIn(2)) return;
  files_->SetFaultPlan(
      [this, left = random_.Below(40), full = random_.OneIn(3), clean = random_.OneIn(2),
       bytes = random_.Below(3) * 4096](SimOperation, const auto&, std::uint64_t) mutable -> std::optional<SimFault> {
        if (left-- != 0) return {};
        poisoned_ = true;
        report_.Fired("disk-call-failed");
        return SimFault{.code = full ? ErrorCode::kOutOfSpace : ErrorCode::kUnavailable,
                        .bytes_written = bytes,
                        .pages_left_clean = clean};
      });
}

bool World::Tolerated(const Error& error, std::string_view call) {
  report_.Event(fmt::format("{} failed: {}", call, ErrorCodeName(error.code())));
  report_.Fired("error");
  if (InTrouble()) return true;
  report_.Fail("unexpected-error", fmt::format("{}: {}", call, error.ToString()));
  return false;
}

}  // namespace millrace::sim
