#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cursor_world.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "store/memory_object_store.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

/// Small enough that a few dozen appends fill several files, and that opening them costs little.
constexpr StorageSizes kSmall{
    .wal_file_bytes = 64 << 10, .wal_staging_bytes = 16 << 10, .position_file_bytes_min = 16 << 10};

SyncPolicy DrawSync(std::uint64_t seed) {
  return SeededRandom(seed ^ 0x501c).OneIn(4) ? SyncPolicy::None() : SyncPolicy::Each();
}

}  // namespace

CursorWorld::CursorWorld(std::uint64_t seed, Report& report)
    : report_(report),
      random_(seed),
      sync_(DrawSync(seed)),
      damages_(SeededRandom(seed ^ 0xda).OneIn(6)),
      files_(std::make_shared<SimFileSystem>(seed, SimTraits{.map = SeededRandom(seed ^ 0x3a9).OneIn(4)})),
      processes_seed_(SeededRandom::Mix(seed)) {
  truth_.objects = std::make_shared<MemoryObjectStore>(&clock_);
  truth_.metadata = std::make_shared<MemoryMetadataStore>();
  objects_ = std::make_shared<FaultyObjectStore>(truth_.objects, seed + 1);
  metadata_ = std::make_shared<FaultyMetadataStore>(truth_.metadata, seed + 2);
  files_->SetFaultPlan([this](SimOperation operation, const auto& path, std::uint64_t) -> std::optional<SimFault> {
    if (dying_ || (calls_until_death_ > 0 && --calls_until_death_ == 0)) {
      if (!dying_) report_.Event(fmt::format("dies in call {} of {}", static_cast<int>(operation), path.string()));
      dying_ = true;
      return SimFault{.bytes_written = random_.Below(3) * 2'048, .pages_left_clean = false};
    }
    if (positions_fault_ == Fault::kNone || path.string().find("/positions") == std::string::npos) return {};
    if (operation == SimOperation::kList || (calls_until_fault_ > 0 && --calls_until_fault_ > 0)) return {};
    if (positions_fault_ == Fault::kOnce) positions_fault_ = Fault::kNone;
    ++faults_in_call_;
    report_.Fired("position-call-failed");
    report_.Event(fmt::format("call {} of {} fails", static_cast<int>(operation), path.filename().string()));
    return SimFault{.code = random_.OneIn(3) ? ErrorCode::kOutOfSpace : ErrorCode::kUnavailable,
                    .bytes_written = random_.Below(3) * 2'048,
                    .pages_left_clean = random_.OneIn(2)};
  });
  if (!Start()) return;
  for (const std::string_view topic : kTopics) CreateTopic(topic);
}

CursorWorld::~CursorWorld() {
  for (auto& [key, cursor] : cursors_) cursor.handles.clear();
  engine_.reset();
  files_->SetFaultPlan(nullptr);
}

bool CursorWorld::Start() {
  life_ = std::make_shared<ProcessLife>();
  ++process_;
  EngineOptions options;
  options.data_dir = "/data";
  options.sync = sync_;
  options.wal_bytes_max = 16 << 20;
  options.batch_bytes_max = 256 << 10;
  options.record_bytes_max = 64 << 10;
  options.append_wait_max = milliseconds(0);
  options.read.block_cache_max_size = random_.OneIn(2) ? 1 << 20 : 0;
  options.read.read_memory_max = 8 << 20;
  options.read.prefetch_enabled = false;
  options.upload.segment_bytes_max = 16 << 10;
  options.upload.segment_age_max = milliseconds(1'000);
  options.upload.delete_grace = milliseconds(0);
  // The engine owns what it is given; these are ours and outlive it.
  options.clock = std::shared_ptr<Clock>(std::shared_ptr<void>(), &clock_);
  options.file_system = files_;
  options.objects = ObjectsOfProcess(objects_, truth_, life_, report_);
  options.metadata = MetadataOfProcess(metadata_, truth_, life_, report_);
  BeginCall();
  auto opened =
      SteppedEngine::Open(std::move(options), std::make_shared<SeededRandom>(processes_seed_ + process_), kSmall);
  if (!opened) {
    life_->alive = false;
    files_->KillProcess();
    report_.Expect(faults_in_call_ > 0, "open-failed", opened.error().ToString());
    report_.Fired("open-refused");
    BreakPositions(Fault::kNone);
    return !report_.enough() && Start();
  }
  engine_ = std::move(*opened);
  row_in_doubt_ = false;
  report_.Event("open");
  return true;
}

void CursorWorld::Die(bool power) {
  report_.Event(power ? "power loss" : "kill");
  report_.Fired(power ? "power-loss" : "kill");
  if (dying_) report_.Fired("died-in-a-call");
  life_->alive = false;
  if (power) {
    files_->Crash();
  } else {
    files_->KillProcess();
  }
  // What the destructors still try, the dead process does not.
  dying_ = true;
  for (auto& [key, cursor] : cursors_) cursor.handles.clear();
  engine_.reset();
  dying_ = false;
  calls_until_death_ = 0;
  BreakStores(false);
  BreakPositions(!healing_ && random_.OneIn(8) ? Fault::kOnce : Fault::kNone);
  if (!Start()) return;
  for (const std::string_view topic : kTopics) AfterRecovery(std::string(topic), power);
}

/// The log is what recovery found, from now on; it must hold what was promised.
void CursorWorld::AfterRecovery(const std::string& topic, bool power) {
  const auto found = logs_.find(topic);
  if (found == logs_.end()) return;
  LogModel& log = found->second;
  const auto offsets = engine_->Offsets(At(topic));
  if (!offsets) return report_.Fail("partition-lost", offsets.error().ToString());
  const Offset end = offsets->log_end;
  report_.Event(fmt::format("{} recovered to {}", topic, end.value()));
  const auto in_doubt = std::exchange(log.in_doubt, {});
  const Offset whole = log.end() + static_cast<std::int64_t>(in_doubt ? in_doubt->size() : 0);
  if (in_doubt && end == whole) log.Add(*in_doubt);
  const Offset promised = power ? log.synced : log.end();
  report_.Expect(
      end >= promised && end <= log.end(), "acknowledged-lost",
      fmt::format("{} ends at {}, must be in [{}, {}]", topic, end.value(), promised.value(), whole.value()));
  if (end < log.end()) {
    report_.Expect(log.batch_ends.contains(end), "half-batch", fmt::format("{} ends at {}", topic, end.value()));
    report_.Fired("tail-lost");
    log.Cut(end);
  }
  log.synced = std::min(std::max(log.synced, offsets->durable_end), end);
  for (auto& [key, cursor] : cursors_)
    if (key.first == topic) cursor.model.Died(end);
}

/// Nothing is lost, whatever the policy; what cursors have returned is durable.
void CursorWorld::CloseCleanly() {
  report_.Event("close");
  for (auto& [key, cursor] : cursors_) {
    if (random_.OneIn(2)) continue;
    for (auto& handle : cursor.handles) {
      BeginCall();
      const auto closed = handle->Close();
      if (!closed) Tolerated(closed.error(), "Close");
      cursor.model.Closed(closed ? CursorModel::Outcome::kDone : CursorModel::Outcome::kFailed);
      if (dying() || (!closed && faults_in_call_ > 1)) cursor.model.Doubt(cursor.model.position());
    }
    cursor.handles.clear();
  }
  BeginCall();
  const auto closed = engine_->Close();
  if (!closed) Tolerated(closed.error(), "Engine::Close");
  for (auto& [key, cursor] : cursors_) {
    if (cursor.handles.empty()) continue;
    cursor.model.Closed(closed ? CursorModel::Outcome::kDone : CursorModel::Outcome::kFailed);
    if (!closed) cursor.model.Doubt(cursor.model.position());
    const auto refused = cursor.handles.front()->ReadNext(true);
    report_.Expect(!refused && refused.error().code() == ErrorCode::kClosed, "handle-outlives-engine", key.second);
    cursor.handles.clear();
  }
  if (dying_) return Die(random_.OneIn(2));
  report_.Fired("closed");
  engine_.reset();
  life_->alive = false;
  calls_until_death_ = 0;
  BreakStores(false);
  if (!Start()) return;
  for (const std::string_view topic : kTopics) AfterRecovery(std::string(topic), false);
}

void CursorWorld::CreateTopic(std::string_view name) {
  const bool consumed = name == kTopics[1];
  TopicOptions options;
  if (consumed) options.cleanup = Cleanup::kConsumed;
  if (const auto created = engine_->CreateTopic(name, options); !created)
    return report_.Fail("unexpected-error", created.error().ToString());
  LogModel& log = logs_[std::string(name)];
  log = {};
  log.consumed = consumed;
}

/// Deleted, and made again under its name: its cursors are gone with it.
void CursorWorld::RecreateTopic() {
  const std::string name(kTopics[random_.Below(kTopics.size())]);
  report_.Event("recreate " + name);
  BreakStores(false);
  calls_until_death_ = 0;
  if (const auto deleted = engine_->DeleteTopic(name); !deleted)
    return report_.Fail("unexpected-error", deleted.error().ToString());
  for (auto& [key, cursor] : cursors_) {
    if (key.first != name || cursor.handles.empty()) continue;
    const auto refused = cursor.handles.front()->ReadBatch(1, true);
    report_.Expect(!refused && refused.error().code() == ErrorCode::kNotFound, "handle-outlives-topic", key.second);
  }
  std::erase_if(cursors_, [&](const auto& cursor) { return cursor.first.first == name; });
  CreateTopic(name);
  report_.Fired("topic-recreated");
}

void CursorWorld::BreakPositions(Fault fault) {
  positions_fault_ = fault;
  calls_until_fault_ = random_.Below(5);
}

/// Bodies come damaged or cut short, and metadata does not answer. Errors of the object store itself are for others:
/// they are repeated after a pause, and the whole engine is simulated under them elsewhere.
void CursorWorld::BreakStores(bool broken) {
  stores_faulty_ = broken;
  ObjectFaultPlan objects;
  MetadataFaultPlan metadata;
  if (broken) {
    objects.Set(ObjectFault::kShortBody, 200'000).Set(ObjectFault::kCorruptBody, 300'000);
    metadata = {.before_per_million = 200'000, .after_per_million = 60'000};
  }
  objects_->SetPlan(objects);
  metadata_->SetPlan(metadata);
}

/// The process dies in one of the next calls of the disk, in the middle of whatever it does then.
void CursorWorld::DieSoon() { calls_until_death_ = 1 + random_.Below(12); }

/// Rot in the object store: some bytes of some object that is referred to.
void CursorWorld::ChangeBytesOfAnObject() {
  const auto topics = Catalog(*truth_.metadata).Topics();
  if (!topics || topics->empty()) return;
  const TopicRow& topic = (*topics)[random_.Below(topics->size())];
  const auto segments = Catalog(*truth_.metadata).Segments({topic.id, PartitionId(0)}, Offset(0), 100);
  if (!segments || segments->empty()) return;
  const SegmentRow& segment = (*segments)[random_.Below(segments->size())];
  const auto object = Catalog(*truth_.metadata).FindObject(segment.object);
  if (!object || !*object) return;
  const auto whole = truth_.objects->Get((*object)->key, {0, (*object)->size_bytes});
  if (!whole || whole->bytes().empty()) return;
  std::vector<std::byte> bytes(whole->bytes().begin(), whole->bytes().end());
  bytes[random_.Below(bytes.size())] ^= static_cast<std::byte>(1 + random_.Below(255));
  const SharedBytes changed = SharedBytes::Copy(bytes);
  if (!truth_.objects->Put((*object)->key, {&changed, 1}, PutMode::kOverwrite)) return;
  // It may hold segments of others too.
  for (const TopicRow& each_topic : *topics) {
    const auto all = Catalog(*truth_.metadata).Segments({each_topic.id, PartitionId(0)}, Offset(0), 100);
    const auto log = logs_.find(each_topic.name);
    if (!all || log == logs_.end()) continue;
    for (const SegmentRow& each : *all)
      if (each.object == segment.object) log->second.broken.emplace_back(each.base, each.end);
  }
  report_.Event(fmt::format("rot in {} at {}", topic.name, segment.base.value()));
  report_.Fired("object-rotten");
}

}  // namespace millrace::sim
