#include <fmt/format.h>

#include <algorithm>

#include "wal/frame.h"
#include "wal_machine.h"
#include "wal_rows.h"

namespace millrace::sim {
namespace {

constexpr int kSteps = 36;
constexpr std::uint64_t kStatesPerBoundary = 8;

std::uint64_t PayloadBytesOf(const WalExtent& extent) {
  return static_cast<std::uint64_t>(extent.end - extent.begin) - kWalFrameHeaderBytes;
}

/// One crash state after another of the machine's disk, each recovered and compared.
class CrashStates {
 public:
  CrashStates(WalMachine& machine, std::uint64_t seed, Report& report)
      : machine_(machine), options_(WalOptionsOf(machine.options())), random_(seed ^ 0xc4a54), report_(report) {}

  void Enumerate() {
    const auto image = machine_.files().Snapshot();
    report_.Fired("boundary");
    for (std::uint64_t i = 0; i < kStatesPerBoundary && !report_.enough(); ++i) {
      // Nothing, everything, and parts.
      Examine(*image, i < 2 ? i : 2 + (random_.Next() >> 1));
    }
  }

 private:
  void Examine(const SimFileSystem::Image& image, std::uint64_t crash_seed) {
    const auto disk = SimFileSystem::AfterPowerLoss(image, crash_seed);
    CountLosses(disk->losses());
    std::shared_ptr<const SimFileSystem::Image> second_crash;
    if (random_.OneIn(8)) {
      // Power is lost again while recovery is at work.
      std::uint64_t at = random_.Below(6);
      disk->SetObserver([&second_crash, at, raw = disk.get()](SimOperation, const auto&) mutable {
        if (at-- == 0) second_crash = raw->Snapshot();
      });
    }
    const auto recovered = Recover(*disk, machine_.model(), crash_seed, "state");
    disk->SetObserver(nullptr);
    if (second_crash && !report_.enough()) {
      report_.Fired("crash-in-recovery");
      const auto again = SimFileSystem::AfterPowerLoss(*second_crash, random_.Next());
      Recover(*again, machine_.model(), crash_seed, "state after a crash in recovery");
    }
    if (recovered && random_.OneIn(8)) {
      // Of the old frames only those found count as acknowledged; durable_end is at a block's end, past the last one.
      const auto& frames = recovered->frames();
      const WalPosition last = frames.empty() ? WalPosition(0) : frames.back().extent.end;
      LiveOn(*disk, std::min(last, recovered->acknowledged()), crash_seed);
    }
  }

  /// Opens `disk`, compares it with `model`, closes. The model of what was found; none if it was wrong.
  std::optional<WalModel> Recover(SimFileSystem& disk, const WalModel& model, std::uint64_t crash_seed,
                                  std::string_view what) {
    RecoveredFrames found;
    report_.Checked();
    auto opened = DiskWal::Open(options_, disk, machine_.clock(), found);
    if (!opened) {
      report_.Fail("open-failed", fmt::format("{} {}: {}", what, crash_seed, opened.error().ToString()));
      return std::nullopt;
    }
    machine_.CountVerdicts((*opened)->recovery());
    WalModel after = model;
    auto violation = model.Compare(found, WalModel::After::kPowerLoss, WalModel::Bytes::kSound);
    if (!violation && (*opened)->end() < model.acknowledged()) {
      violation = {"position-fell", "the line goes on below what was acknowledged"};
    }
    if (violation) report_.Fail(violation->property, fmt::format("{} {}: {}", what, crash_seed, violation->detail));
    after.Adopt(found);
    after.Acknowledge((*opened)->durable_end());
    disk.KillProcess();
    if (violation) return std::nullopt;
    return after;
  }

  /// The log goes on after the crash, and power is lost once more: old and new acknowledgements hold.
  void LiveOn(SimFileSystem& disk, WalPosition acknowledged, std::uint64_t crash_seed) {
    RecoveredFrames found;
    auto wal = DiskWal::Open(options_, disk, machine_.clock(), found);
    if (!wal) return report_.Fail("open-failed", wal.error().ToString());
    // Until something new is appended, a frame that was never acknowledged may still appear; what the first recovery
    // called durable stays.
    WalModel model = machine_.model();
    model.Acknowledge(acknowledged);
    if (const auto violation = model.Compare(found, WalModel::After::kPowerLoss, WalModel::Bytes::kSound)) {
      report_.Fail(violation->property, fmt::format("second opening of state {}: {}", crash_seed, violation->detail));
    }
    model.Adopt(found);
    model.Acknowledge((*wal)->durable_end());
    // As long as the last one that was lost, if there is one: an appender without an answer tries again, and its new
    // frame may come to lie where the old one lay.
    const auto& before = machine_.model().frames();
    const bool again = before.size() > found.frames().size() && random_.OneIn(2);
    std::vector<std::byte> payload(again ? PayloadBytesOf(before[found.frames().size()].extent)
                                         : 1 + random_.Below(3000));
    std::ranges::fill(payload, static_cast<std::byte>(1 + random_.Below(255)));
    const std::span<const std::byte> piece(payload);
    std::optional<std::pair<std::shared_ptr<const SimFileSystem::Image>, WalModel>> crash;
    disk.SetObserver([&, at = random_.Below(12)](SimOperation, const auto&) mutable {
      if (at-- == 0) crash.emplace(disk.Snapshot(), model);
    });
    for (int i = 0; i < 2; ++i) {
      model.BeginAppend(WalStream(9), HashOf(payload));
      const auto extent = (*wal)->TryAppend(WalStream(9), std::span(&piece, 1));
      model.EndAppend(extent);
      if (!extent && extent.error().code() == ErrorCode::kUnavailable) break;  // no room: nothing to learn
      if (!extent) report_.Fail("append-failed", extent.error().ToString());
      if (!extent || i == 1) break;
      const auto durable = (*wal)->AwaitDurable(extent->end);
      if (!durable) report_.Fail("append-failed", durable.error().ToString());
      if (durable) model.Acknowledge(extent->end);
    }
    report_.Fired("lived-on");
    disk.SetObserver(nullptr);
    for (int i = 0; crash && i < 2; ++i) {
      report_.Fired("crash-in-second-life");
      const auto crashed = SimFileSystem::AfterPowerLoss(*crash->first, random_.Next());
      Recover(*crashed, crash->second, crash_seed, "crash within the second life of state");
    }
    disk.Crash();
    Recover(disk, model, crash_seed, "second life of state");
  }

  void CountLosses(const SimLosses& losses) {
    report_.Fired("block-lost", losses.blocks_lost);
    report_.Fired("block-kept", losses.blocks_kept);
    report_.Fired("block-torn", losses.blocks_torn);
    report_.Fired("block-overtaken", losses.blocks_overtaken);
    report_.Fired("name-lost", losses.names_lost);
    report_.Fired("name-kept", losses.names_kept);
    report_.Fired("size-lost", losses.sizes_lost);
    report_.Fired("size-kept", losses.sizes_kept);
  }

  WalMachine& machine_;
  const WalOptions options_;
  SeededRandom random_;
  Report& report_;
};

}  // namespace

void RunWalCrashStates(std::uint64_t seed, Report& report) {
  WalMachine machine(seed, DrawWalMachineOptions(seed), report);
  CrashStates states(machine, seed, report);
  machine.files().SetObserver([&](SimOperation operation, const std::filesystem::path&) {
    if (operation == SimOperation::kSync && machine.random().OneIn(4)) machine.AppendMeanwhile();
    states.Enumerate();
  });
  if (!machine.Reopen(WalModel::After::kPowerLoss)) return;
  for (int step = 0; step < kSteps && !report.enough(); ++step) machine.Step();
  if (machine.wal() != nullptr) machine.Close();
  machine.files().SetObserver(nullptr);
}

}  // namespace millrace::sim
