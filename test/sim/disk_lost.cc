// One log, one store, machine after machine. Each appends, uploads, trims, collects; then its disk is gone, at a
// request drawn from the seed, and the next machine restores the log from the store. Some machines are only thought
// lost: they live on, and go on writing until they are told.
//
//   machine 0 ──loss──► restore ──► machine 1 ──loss──► …        the zombies beside it take steps of their own
//
// The model: which value was given at which offset, ever, by any machine; what of it is below a tiered_end that a
// machine told while it was the log's. What is restored must hold the latter and must never give an offset of the
// former again.
#include "disk_lost.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/log_restore.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/memory_metadata_store.h"
#include "store/faulty_object_store.h"
#include "store/forwarding_object_store.h"
#include "store/memory_object_store.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr int kMachines = 4;
constexpr int kStepsMax = 40;
constexpr int kRestoresMax = 30;
constexpr std::int32_t kPartitions = 2;
const std::string kTopic = "t";

/// The store as one machine sees it. Dead, nothing it asks for happens; armed, it dies around one of the next requests.
class Wire final : public ForwardingObjectStore {
 public:
  explicit Wire(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  void DieWithin(std::uint64_t requests, bool after) {
    left_ = requests;
    after_ = after;
  }
  void Die() { alive_ = false; }
  [[nodiscard]] bool alive() const { return alive_; }

 private:
  static Error Dead() { return Error(ErrorCode::kUnavailable, "the machine is dead").WithRetryable(false); }
  Result<void> Around(const Subject&, const std::function<Result<void>()>& request) override {
    if (!alive_) return Dead();
    if (!left_ || (*left_)-- > 0) return request();
    alive_ = false;
    if (after_) (void)request();
    return Dead();
  }
  bool alive_ = true, after_ = false;
  std::optional<std::uint64_t> left_;
};

struct Machine {
  int number = 0;
  std::shared_ptr<SimFileSystem> disk;
  std::shared_ptr<MemoryMetadataStore> rows;
  std::shared_ptr<Wire> wire;
  SteppedEngine engine;
  std::map<PartitionId, Offset> promised;  // tiered_end, as it told
};

class DiskLost {
 public:
  DiskLost(std::uint64_t seed, Report& report) : report_(report), random_(SeededRandom::Mix(seed)), seed_(seed) {
    faulty_ = std::make_shared<FaultyObjectStore>(memory_, seed + 1,
                                                  [this](std::chrono::nanoseconds by) { clock_.Advance(by); });
  }

  void Run() {
    auto machine = NewMachine();
    owner_ = machine.get();
    if (!Open(*machine) || !Create(*machine)) return;
    for (int number = 1; number < kMachines && !report_.enough(); ++number) {
      Live(*machine);
      Lose(std::move(machine));
      machine = Restored();
      if (!machine) return;
      Check(*machine);
    }
  }

 private:
  std::unique_ptr<Machine> NewMachine() {
    auto machine = std::make_unique<Machine>();
    machine->number = machines_++;
    machine->disk = std::make_shared<SimFileSystem>(seed_ + static_cast<std::uint64_t>(machine->number) * 1'000);
    machine->rows = std::make_shared<MemoryMetadataStore>(&clock_);
    machine->wire = std::make_shared<Wire>(faulty_);
    return machine;
  }

  [[nodiscard]] EngineOptions OptionsOf(const Machine& machine) {
    EngineOptions options;
    options.data_dir = "/data";
    options.wal_bytes_max = 16 << 20;
    options.append_wait_max = milliseconds(0);
    options.read.block_cache_max_size = 1 << 20;
    options.read.read_memory_max = 8 << 20;
    options.read.cache_max_size = 0;
    options.read.prefetch_enabled = false;
    options.upload.segment_age_max = milliseconds(500);
    options.upload.delete_grace = milliseconds(2'000);
    options.clock = std::shared_ptr<Clock>(std::shared_ptr<void>(), &clock_);
    options.file_system = machine.disk;
    options.objects = machine.wire;
    options.metadata = machine.rows;
    return options;
  }

  bool Open(Machine& machine) {
    auto engine = SteppedEngine::Open(OptionsOf(machine), std::make_shared<SeededRandom>(random_.Next()));
    if (!engine) {
      report_.Fail("open-failed", engine.error().ToString());
      return false;
    }
    machine.engine = *std::move(engine);
    report_.Event(fmt::format("machine {} opens", machine.number));
    return true;
  }

  bool Create(Machine& machine) {
    const auto created = machine.engine->CreateTopic(kTopic, {.partitions = kPartitions});
    if (!created) report_.Fail("unexpected-error", created.error().ToString());
    return created.has_value();
  }

  void Live(Machine& machine) {
    SetFaults(random_.OneIn(2));
    const auto steps = static_cast<int>(random_.Below(kStepsMax));
    for (int step = 0; step < steps && machine.wire->alive(); ++step) {
      Step(machine);
      for (const auto& zombie : zombies_)
        if (random_.OneIn(3)) Step(*zombie);
    }
    if (machine.wire->alive() && random_.OneIn(2)) {
      machine.wire->DieWithin(random_.Below(12), random_.OneIn(2));
      for (int step = 0; step < 20 && machine.wire->alive(); ++step) Step(machine);
      report_.Fired("died-within-request", machine.wire->alive() ? 0 : 1);
    }
  }

  void Step(Machine& machine) {
    clock_.Advance(milliseconds(random_.Below(700)));
    const TopicPartition at{kTopic, PartitionId(static_cast<std::int32_t>(random_.Below(kPartitions)))};
    switch (random_.Below(10)) {
      case 0:
        return Trim(machine, at);
      case 1:
        (void)machine.engine.steps().collector.CollectStep();
        return;
      case 2:
        if (random_.OneIn(2)) (void)machine.engine.steps().snapshots.Put();
        return;
      case 3:
      case 4:
      case 5:
        return Upload(machine);
      default:
        return Append(machine, at);
    }
  }

  void Append(Machine& machine, const TopicPartition& at) {
    std::vector<Record> records(1 + random_.Below(5));
    for (Record& record : records) record.value = fmt::format("{}/{}", machine.number, ++values_);
    const auto receipt = machine.engine->Append(at, records, {.durability = Durability::kOs});
    if (!receipt) return Expected(receipt.error(), "Append");
    for (std::size_t i = 0; i < records.size(); ++i) {
      const Offset offset = receipt->base_offset + static_cast<std::int64_t>(i);
      const bool fresh = given_[at.partition].emplace(offset, *records[i].value).second;
      report_.Expect(fresh, "offset-twice", fmt::format("offset {} of {}", offset.value(), at.partition.value()));
    }
  }

  void Upload(Machine& machine) {
    const bool zombie = &machine != owner_;
    (void)machine.engine.steps().uploader.UploadOnce();
    for (std::int32_t number = 0; number < kPartitions; ++number) {
      const PartitionId partition(number);
      const auto offsets = machine.engine->Offsets({kTopic, partition});
      if (!offsets) continue;
      Offset& promised = machine.promised[partition];
      if (offsets->tiered_end <= promised) continue;
      report_.Expect(
          !zombie, "zombie-acknowledged",
          fmt::format("machine {} told {} after it was taken over", machine.number, offsets->tiered_end.value()));
      for (auto value = given_[partition].lower_bound(promised);
           value != given_[partition].end() && value->first < offsets->tiered_end; ++value)
        acknowledged_[partition].insert(value->first);
      promised = offsets->tiered_end;
      report_.Event(fmt::format("machine {}: {} is uploaded to {}", machine.number, number, promised.value()));
      report_.Fired("uploaded");
    }
  }

  void Trim(Machine& machine, const TopicPartition& at) {
    const auto offsets = machine.engine->Offsets(at);
    if (!offsets || offsets->tiered_end <= offsets->log_start) return;
    const auto room = static_cast<std::uint64_t>(std::min<std::int64_t>(offsets->tiered_end - offsets->log_start, 8));
    const Offset before = offsets->log_start + static_cast<std::int64_t>(random_.Below(room + 1));
    const auto trimmed = machine.engine->DeleteRecords(at, before);
    if (!trimmed) return Expected(trimmed.error(), "DeleteRecords");
    report_.Fired("trimmed");
    report_.Event(fmt::format("machine {}: {} begins at {}", machine.number, at.partition.value(), trimmed->value()));
    // What was trimmed may come back; it is not owed any more. By a zombie nothing is trimmed but its own rows.
    if (&machine != owner_) return;
    auto& owed = acknowledged_[at.partition];
    owed.erase(owed.begin(), owed.lower_bound(*trimmed));
  }

  /// The disk is gone; the machine with it, or it lives on and has not heard.
  void Lose(std::unique_ptr<Machine> machine) {
    if (machine->wire->alive() && random_.OneIn(2)) {
      report_.Event(fmt::format("machine {} is thought lost", machine->number));
      report_.Fired("thought-lost");
      zombies_.push_back(std::move(machine));
      return;
    }
    report_.Event(fmt::format("machine {} is lost", machine->number));
    report_.Fired("lost");
    owner_ = nullptr;
    machine->wire->Die();
    machine->disk->KillProcess();
    dead_.push_back(std::move(machine));
  }

  std::unique_ptr<Machine> Restored() {
    for (int tries = 0; tries < kRestoresMax; ++tries) {
      if (tries > 3) SetFaults(false);
      auto machine = NewMachine();
      if (tries < 3 && random_.OneIn(3)) machine->wire->DieWithin(random_.Below(15), random_.OneIn(2));
      auto report =
          RestoreLog(OptionsOf(*machine), {.requests_at_once = 1,
                                           .pause = [this](std::chrono::nanoseconds by) { clock_.Advance(by); },
                                           .random = std::make_shared<SeededRandom>(random_.Next())});
      if (!report && NothingWasPut(report.error())) return nullptr;
      machine->wire->DieWithin(~std::uint64_t{0}, false);
      if (!report || !machine->wire->alive()) {
        if (!report) report_.Event(fmt::format("restore failed: {}", report.error().ToString()));
        report_.Fired("restore-failed");
        for (const auto& zombie : zombies_) Step(*zombie);
        machine->disk->KillProcess();
        continue;
      }
      for (const LostRange& range : report->lost)
        report_.Expect(range.reserved, "hole-invented",
                       fmt::format("offsets {} to {} of {}", range.begin.value(), range.end.value(),
                                   range.partition.partition.value()));
      for (const SurveyFinding& finding : report->unusable)
        report_.Fail("called-unusable", finding.key + ": " + finding.error.ToString());
      report_.Fired("restored");
      report_.Event(fmt::format("machine {} restores {} records, {} objects behind a snapshot, {} left",
                                machine->number, report->records, report->linked, report->unlinked));
      report_.Fired("from-snapshot", report->snapshot_ms == 0 ? 0 : 1);
      report_.Fired("from-objects-alone", report->snapshot_ms == 0 ? 1 : 0);
      owner_ = machine.get();
      if (!Open(*machine)) return nullptr;
      for (std::int32_t number = 0; number < kPartitions; ++number)
        if (const auto offsets = machine->engine->Offsets({kTopic, PartitionId(number)}))
          machine->promised[PartitionId(number)] = offsets->tiered_end;
      return machine;
    }
    report_.Fail("not-live", "the log cannot be restored although nothing fails any more");
    return nullptr;
  }

  /// The first machine was lost before it had claimed the store: there is no log, and nothing is owed.
  bool NothingWasPut(const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kUnsupported) return false;
    for (const auto& [partition, offsets] : acknowledged_)
      report_.Expect(offsets.empty(), "acknowledged-lost", error.ToString());
    report_.Fired("lost-at-once");
    return true;
  }

  void Check(Machine& machine) {
    SetFaults(false);
    for (const auto& zombie : zombies_)
      for (int i = 0; i < 4; ++i) Step(*zombie);
    if (acknowledged_.empty()) return;
    for (std::int32_t number = 0; number < kPartitions; ++number) {
      const TopicPartition at{kTopic, PartitionId(number)};
      const auto offsets = machine.engine->Offsets(at);
      if (!offsets) {
        report_.Expect(acknowledged_[at.partition].empty(), "acknowledged-lost", offsets.error().ToString());
        continue;
      }
      std::map<Offset, std::string> found;
      for (Offset position = offsets->log_start;;) {
        const auto read = machine.engine->Read(at, position);
        if (!read) {
          report_.Fail("unreadable", fmt::format("offset {}: {}", position.value(), read.error().ToString()));
          return;
        }
        for (const RecordView& record : read->records) found[record.offset] = *record.value;
        if (read->next == position) break;
        position = read->next;
      }
      for (const Offset offset : acknowledged_[at.partition]) {
        const auto value = found.find(offset);
        const bool there = value != found.end() && value->second == given_[at.partition][offset];
        if (!report_.Expect(
                there, "acknowledged-lost",
                fmt::format("offset {} of {}, which begins at {}", offset.value(), number, offsets->log_start.value())))
          break;
      }
      for (const auto& [offset, value] : found)
        if (!report_.Expect(given_[at.partition][offset] == value, "wrong-record", fmt::format("{}", offset.value())))
          break;
    }
  }

  void Expected(const Error& error, std::string_view call) {
    report_.Event(fmt::format("{} failed: {}", call, ErrorCodeName(error.code())));
    if (error.code() == ErrorCode::kFenced) {
      report_.Fired("fenced");
      return;
    }
    // The topic may not have come along: no object of it had arrived.
    if (error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kUnavailable) return;
    report_.Fail("unexpected-error", fmt::format("{}: {}", call, error.ToString()));
  }

  void SetFaults(bool on) {
    ObjectFaultPlan plan;
    if (on) {
      plan.Set(ObjectFault::kErrorBefore, 60'000)
          .Set(ObjectFault::kErrorAfter, 60'000)
          .Set(ObjectFault::kShortBody, 20'000)
          .Set(ObjectFault::kStaleList, 200'000)
          .Set(ObjectFault::kDelay, 50'000);
      plan.delay = milliseconds(100);
    }
    faulty_->SetPlan(plan);
  }

  Report& report_;
  SeededRandom random_;
  const std::uint64_t seed_;
  SimClock clock_;
  const std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>(&clock_);
  std::shared_ptr<FaultyObjectStore> faulty_;
  std::map<PartitionId, std::map<Offset, std::string>> given_;  // by any machine, ever
  std::map<PartitionId, std::set<Offset>> acknowledged_;        // and owed by whoever has the log
  int machines_ = 0;
  std::uint64_t values_ = 0;
  const Machine* owner_ = nullptr;  // whose log it is: until the next one has restored it
  std::vector<std::unique_ptr<Machine>> zombies_, dead_;
};

}  // namespace

void RunDiskLost(std::uint64_t seed, Report& report) { DiskLost(seed, report).Run(); }

}  // namespace millrace::sim
