// Row 10 for the whole engine: one topic's damage is no other's, its evidence outlives recycling, as a hole and as a
// gap in metadata, and a partition that cannot be recovered loses nothing while it waits for the right metadata.
#include "engine_rot.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "process_stores.h"
#include "store/memory_object_store.h"

namespace millrace::sim {
namespace {

constexpr StorageSizes kSmallFiles{.wal_file_bytes = 32 << 10, .wal_staging_bytes = 16 << 10};

class RottenEngine {
 public:
  RottenEngine(std::uint64_t seed, Report& report)
      : report_(report), random_(seed), files_(std::make_shared<SimFileSystem>(seed)) {
    right_.objects = other_.objects = std::make_shared<MemoryObjectStore>(&clock_);
    right_.metadata = std::make_shared<MemoryMetadataStore>();
    other_.metadata = std::make_shared<MemoryMetadataStore>();
  }
  ~RottenEngine() { Kill(); }

  void Start(SharedTruth& truth) {
    life_ = std::make_shared<ProcessLife>();
    EngineOptions options;
    options.data_dir = "/data";
    options.wal_bytes_max = 16 << 20;
    options.append_wait_max = std::chrono::milliseconds(0);
    options.read.prefetch_enabled = false;
    options.clock = std::shared_ptr<Clock>(std::shared_ptr<void>(), &clock_);
    options.file_system = files_;
    options.objects = ObjectsOfProcess(truth.objects, truth, life_, report_);
    options.metadata = MetadataOfProcess(truth.metadata, truth, life_, report_);
    auto opened = SteppedEngine::Open(std::move(options), std::make_shared<SeededRandom>(random_.Next()), kSmallFiles);
    if (!opened) return report_.Fail("open-failed", opened.error().ToString());
    engine_ = std::move(*opened);
  }
  void Kill() {
    if (!engine_) return;
    life_->alive = false;
    files_->KillProcess();
    engine_.reset();
  }
  void Must(const Result<void>& done, std::string_view what) {
    if (!done) report_.Fail("unexpected-error", fmt::format("{}: {}", what, done.error().ToString()));
  }
  void Append(const std::string& topic, const std::string& value) {
    const Record record{.value = value};
    const auto appended = engine_->Append({topic, PartitionId(0)}, {&record, 1}, {});
    if (!appended) report_.Fail("unexpected-error", appended.error().ToString());
  }
  [[nodiscard]] std::int64_t EndOf(const std::string& topic) {
    const auto offsets = engine_->Offsets({topic, PartitionId(0)});
    return offsets ? offsets->log_end.value() : -1;
  }
  /// How many records can be read from `at` on; the error that ended it, if one did.
  std::int64_t Count(const std::string& topic, std::int64_t at, std::optional<Error>& error) {
    std::int64_t count = 0;
    for (Offset next(at);;) {
      const auto read = engine_->Read({topic, PartitionId(0)}, next, {});
      if (!read) error = read.error();
      if (!read || read->records.empty()) return count;
      count += static_cast<std::int64_t>(read->records.size());
      next = read->next;
    }
  }

  /// As the uploaders do under pressure, until nothing is left or it comes to nothing.
  void UploadAll() {
    engine_.steps().uploader.schedule().SetPressure(UploadPressure{});
    for (int tries = 0; tries < 20; ++tries) {
      const auto uploaded = engine_.steps().uploader.UploadOnce();
      if (uploaded && !*uploaded) return;
      clock_.Advance(std::chrono::minutes(1));
    }
  }

  void OneFlippedBit();
  void OlderMetadata();

 private:
  void FlipABitOf(const std::string& text);
  /// Of the topic's `records` records all but the victim are there, and it is told.
  void JudgeEvidence(std::int64_t records, std::int64_t victim, std::string_view when);
  void CommitTheGap(std::int64_t records, std::int64_t victim);

  Report& report_;
  SeededRandom random_;
  SimClock clock_;
  std::shared_ptr<SimFileSystem> files_;
  SharedTruth right_, other_;
  std::shared_ptr<ProcessLife> life_;
  SteppedEngine engine_;
};

void RottenEngine::FlipABitOf(const std::string& text) {
  for (const auto& path : files_->Files()) {
    if (!path.native().ends_with(".wal")) continue;
    const auto contents = files_->Contents(path);
    const std::string_view bytes(reinterpret_cast<const char*>(contents.data()), contents.size());
    const std::size_t at = bytes.find(text);
    if (at == std::string_view::npos) continue;
    files_->FlipBit(path, at + random_.Below(text.size()), static_cast<unsigned>(random_.Below(8)));
    report_.Fired("flip");
    return;
  }
}

void RottenEngine::JudgeEvidence(std::int64_t records, std::int64_t victim, std::string_view when) {
  std::optional<Error> error;
  const std::int64_t before = Count("lost", 0, error);
  const bool told = error && error->code() == ErrorCode::kCorruption && error->damage() != nullptr &&
                    error->damage()->begin == Offset(victim) && error->damage()->end == Offset(victim + 1);
  report_.Expect(
      told, "evidence-lost",
      fmt::format("{}: of the lost record {} reads tell {}", when, victim, error ? error->ToString() : "nothing"));
  error.reset();
  const std::int64_t behind = victim + 1 < records ? Count("lost", victim + 1, error) : 0;
  report_.Expect(before == victim && behind == records - victim - 1, "acknowledged-lost",
                 fmt::format("{}: {} records before the lost one and {} behind it, not {} and {}", when, before, behind,
                             victim, records - victim - 1));
}

/// What is lost is told in metadata, and goes on being told once the WAL that showed it is gone.
void RottenEngine::CommitTheGap(std::int64_t records, std::int64_t victim) {
  for (int opening = 0; opening < 2 && !report_.enough(); ++opening) {
    Start(right_);
    if (!engine_) return;
    report_.Checked();
    JudgeEvidence(records, victim, fmt::format("gap, opening {}", opening));
    if (opening == 0) {
      UploadAll();
      const auto offsets = engine_->Offsets({"lost", PartitionId(0)});
      report_.Expect(offsets && offsets->tiered_end == Offset(records), "not-live",
                     "a hole keeps records from the store");
      Must(engine_->Recycle(), "Recycle");
      JudgeEvidence(records, victim, "gap, recycled");
    } else {
      report_.Expect(engine_->Stats().damaged_partitions == 0, "wal-kept", "a committed gap goes on pinning its WAL");
    }
    Kill();
  }
  report_.Fired("recycled-behind-gap");
}

void RottenEngine::OneFlippedBit() {
  Start(right_);
  for (const char* topic : {"lost", "idle", "never"}) Must(engine_->CreateTopic(topic, {}), "CreateTopic");
  Append("idle", "first");
  const std::uint64_t records = 1 + random_.Below(4), victim = random_.Below(records);
  for (std::uint64_t n = 0; n < records; ++n) Append("lost", fmt::format("precious-{}-", n));
  for (int n = 0; n < 30; ++n) Append("idle", std::string(1'500, 'x'));  // the ring moves on
  Kill();
  FlipABitOf(fmt::format("precious-{}-", victim));
  for (int opening = 0; opening < 2 && !report_.enough(); ++opening) {
    Start(right_);
    if (!engine_) return;
    report_.Checked();
    report_.Expect(EndOf("never") == 0, "damage-spread",
                   fmt::format("a topic without records ends at {}", EndOf("never")));
    report_.Expect(EndOf("idle") == 31, "damage-spread",
                   fmt::format("a topic of 31 records ends at {}", EndOf("idle")));
    report_.Expect(EndOf("lost") == static_cast<std::int64_t>(records), "offset-invented",
                   fmt::format("a topic of {} records ends at {}", records, EndOf("lost")));
    for (int look = 0; look < 2; ++look) {
      JudgeEvidence(static_cast<std::int64_t>(records), static_cast<std::int64_t>(victim),
                    fmt::format("opening {}, look {}", opening, look));
      if (look == 0) {
        (void)engine_->DeleteRecords({"idle", PartitionId(0)}, Offset(31));
        Must(engine_->Recycle(), "Recycle");
      }
    }
    Kill();
  }
  report_.Fired("recycled-behind-damage");
  CommitTheGap(static_cast<std::int64_t>(records), static_cast<std::int64_t>(victim));
}

void RottenEngine::OlderMetadata() {
  Start(right_);
  Must(engine_->CreateTopic("t", {}), "CreateTopic");
  const std::int64_t records = 40;
  for (std::int64_t n = 0; n < records; ++n) {
    Append("t", std::string(1'500, 'x'));
    if (n != 10) continue;
    Must(engine_->Upload(), "Upload");
    Must(engine_->Recycle(), "Recycle");
  }
  Kill();
  const auto identity = Catalog(*right_.metadata).Identity();
  if (!identity) return;
  Must(Catalog(*other_.metadata).SetIdentity(*identity), "SetIdentity");
  if (!Catalog(*other_.metadata).CreateTopic("t", {}, "older", 0)) return;
  Start(other_);
  if (!engine_) return;
  std::optional<Error> error;
  (void)Count("t", 0, error);
  report_.Expect(error && error->code() == ErrorCode::kCorruption, "unexpected-answer",
                 "a partition that was not recovered is read");
  Must(engine_->Recycle(), "Recycle");
  Kill();
  Start(right_);
  if (!engine_) return;
  report_.Checked();
  error.reset();
  const std::int64_t found = Count("t", 0, error);
  report_.Expect(found == records, "acknowledged-lost",
                 fmt::format("{} of {} records are there: {}", found, records, error ? error->ToString() : "no error"));
  Kill();
  report_.Fired("older-metadata");
}

}  // namespace

void RunEngineRot(std::uint64_t seed, Report& report) {
  RottenEngine(seed, report).OneFlippedBit();
  RottenEngine(seed + 1, report).OlderMetadata();
}

}  // namespace millrace::sim
