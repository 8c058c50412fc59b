#include <fmt/format.h>

#include <array>

#include "wal_machine.h"
#include "wal_rows.h"

namespace millrace::sim {
namespace {

constexpr std::uint64_t kCrashesEach = 4;

/// Heals the disk and looks at it: as it is, and after several power losses.
void Judge(WalMachine& machine, Report& report, std::string_view what) {
  machine.files().SetFaultPlan(nullptr);
  machine.files().SetCapacity(std::nullopt);
  const auto image = machine.files().Snapshot();
  for (std::uint64_t crash = 0; crash < kCrashesEach; ++crash) {
    const auto disk = SimFileSystem::AfterPowerLoss(*image, crash < 2 ? crash : machine.random().Next());
    RecoveredFrames found;
    report.Checked();
    auto wal = DiskWal::Open(WalOptionsOf(machine.options()), *disk, machine.clock(), found);
    if (!wal) {
      report.Fail("open-failed", fmt::format("{}: {}", what, wal.error().ToString()));
      continue;
    }
    const auto violation = machine.model().Compare(found, WalModel::After::kPowerLoss, WalModel::Bytes::kSound);
    if (violation) report.Fail(violation->property, fmt::format("{}: {}", what, violation->detail));
    disk->KillProcess();
  }
}

/// The log works again: a frame goes in and becomes durable.
void ExpectAlive(WalMachine& machine, Report& report, std::string_view what) {
  machine.AllowErrors(false);
  if (machine.wal() == nullptr && !machine.Reopen(WalModel::After::kPowerLoss)) return;
  const bool alive = machine.Append(500) && machine.AwaitDurable(machine.wal()->end());
  report.Expect(alive, "not-healed", what);
}

struct Fault {
  std::uint64_t at = 0;  // which call, from 1, of those that count
  SimFault effect;
  bool only_syncs = false;
};

/// A seeded run in which one call fails. True: the fault was reached.
bool RunWithFault(std::uint64_t seed, const Fault& fault, std::string_view what, Report& report) {
  std::uint64_t counted = 0;  // before the machine, whose last calls still ask the plan
  bool fired = false;
  WalMachine machine(seed, DrawWalMachineOptions(seed), report);
  machine.files().SetFaultPlan([&](SimOperation operation, const auto& path, auto) -> std::optional<SimFault> {
    if (fault.only_syncs && operation != SimOperation::kSync && operation != SimOperation::kSyncDirectory) return {};
    if (++counted != fault.at) return {};
    fired = true;
    report.Event(fmt::format("fault in operation {} of {}", static_cast<int>(operation), path.native()));
    machine.AllowErrors(true);
    report.Fired(fault.only_syncs ? (fault.effect.pages_left_clean ? "sync-failed-clean" : "sync-failed-dirty")
                                  : (fault.effect.code == ErrorCode::kOutOfSpace ? "call-full" : "call-failed"));
    return fault.effect;
  });
  machine.Reopen(WalModel::After::kPowerLoss);
  for (int step = 0; step < 24 && !report.enough(); ++step) machine.Step();
  if (!fired) return false;
  Judge(machine, report, what);
  if (machine.wal() != nullptr) {
    // A failed write or sync ends this log's life; the next one starts from the disk.
    machine.LosePowerAndReopen();
  }
  ExpectAlive(machine, report, what);
  return true;
}

}  // namespace

void RunWalNthFailure(std::uint64_t seed, Report& report) {
  for (std::uint64_t n = 1; !report.enough(); ++n) {
    const bool full = (n + seed) % 3 == 0;
    const Fault fault{.at = n,
                      .effect = {.code = full ? ErrorCode::kOutOfSpace : ErrorCode::kUnavailable,
                                 .bytes_written = (n % 4) * 4096,
                                 .pages_left_clean = n % 2 == 0}};
    if (!RunWithFault(seed, fault, fmt::format("call {} {}", n, full ? "ENOSPC" : "EIO"), report)) return;
  }
}

void RunWalFailedSync(std::uint64_t seed, Report& report) {
  for (const bool clean : {true, false}) {
    for (std::uint64_t n = 1; !report.enough(); ++n) {
      const Fault fault{.at = n, .effect = {.pages_left_clean = clean}, .only_syncs = true};
      if (!RunWithFault(seed, fault, fmt::format("sync {} pages {}", n, clean ? "clean" : "dirty"), report)) break;
    }
  }
}

void RunWalFullDisk(std::uint64_t seed, Report& report) {
  auto options = DrawWalMachineOptions(seed);
  WalMachine machine(seed, options, report);
  if (!machine.Reopen(WalModel::After::kPowerLoss)) return;
  for (int cycle = 0; cycle < 4 && !report.enough(); ++cycle) {
    const std::uint64_t free = machine.random().Below(6) * options.file_bytes / 4;
    const std::uint64_t used = (std::uint64_t{1} << 40) - *machine.files().FreeSpace("/wal");
    machine.files().SetCapacity(used + free);
    machine.AllowErrors(true);
    const std::uint64_t errors = machine.errors();
    for (int step = 0; step < 30 && machine.errors() < errors + 3 && machine.wal() != nullptr; ++step) {
      machine.Append(1 + machine.random().Below(9000));
      if (machine.random().OneIn(3)) machine.Commit();
      if (machine.random().OneIn(5)) machine.PrepareFiles();
      if (machine.random().OneIn(4)) machine.AwaitDurable(machine.wal()->end());
    }
    if (machine.errors() > errors) report.Fired("disk-full");
    machine.files().SetCapacity(std::nullopt);
    ExpectAlive(machine, report, fmt::format("cycle {}", cycle));
    machine.AllowErrors(false);
    if (machine.random().OneIn(2)) machine.LosePowerAndReopen();
  }
  if (machine.wal() != nullptr) machine.Close();
}

}  // namespace millrace::sim
