// A real WAL over a simulated disk and clock, driven on one thread by a seed, with a model beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "planted_file_system.h"
#include "report.h"
#include "wal/disk_wal.h"
#include "wal_model.h"

namespace millrace::sim {

struct WalMachineOptions {
  SyncPolicy sync = SyncPolicy::Each();
  SimTraits traits;
  std::uint64_t file_bytes = 64 << 10, staging_bytes = 16 << 10, wal_bytes_max = 16 << 20;
};

/// Options drawn from a seed, so that every sync policy and every kind of file system has its turn.
WalMachineOptions DrawWalMachineOptions(std::uint64_t seed);
WalOptions WalOptionsOf(const WalMachineOptions& options);

class WalMachine {
 public:
  WalMachine(std::uint64_t seed, const WalMachineOptions& options, Report& report);
  ~WalMachine();

  /// One operation, chosen by the seed.
  void Step();
  // Operations, also for scripts. False: it failed. All but Reopen need an open WAL.
  bool Append(std::uint64_t payload_bytes);
  bool AwaitDurable(WalPosition end);
  void Watch(WalPosition end);
  /// Another appender appends while a call is at work on the disk: for an observer of that disk.
  void AppendMeanwhile();
  void Commit();
  void LetTimePass(std::chrono::milliseconds by);
  void PrepareFiles();
  void ReadBack();
  void Recycle();
  void Close();
  /// Closes with a note of the frames; now and then an appender still appends after the note was made.
  void CloseNoted();
  /// Opens what the disk has now and compares. `After` says what must be there.
  bool Reopen(WalModel::After after);
  void KillAndReopen();
  void LosePowerAndReopen();

  [[nodiscard]] SimFileSystem& files() { return files_; }
  [[nodiscard]] SimClock& clock() { return clock_; }
  [[nodiscard]] const WalModel& model() const { return model_; }
  [[nodiscard]] const WalMachineOptions& options() const { return options_; }
  [[nodiscard]] DiskWal* wal() { return wal_.get(); }
  [[nodiscard]] SeededRandom& random() { return random_; }
  /// Whether an error is an answer or a failure of the run.
  void AllowErrors(bool allowed) { errors_allowed_ = allowed; }
  [[nodiscard]] std::uint64_t errors() const { return errors_; }
  void CountVerdicts(const WalRecoveryReport& recovery);

 private:
  bool Allowed(const Result<void>& result, std::string_view call);
  std::vector<std::byte> Payload(std::uint64_t bytes);
  void NoteDurable();

  const WalMachineOptions options_;
  Report& report_;
  SeededRandom random_;
  SimFileSystem files_;
  PlantedFileSystem disk_;  // what the WAL writes to
  SimClock clock_;
  WalModel model_;
  std::unique_ptr<DiskWal> wal_;
  std::shared_ptr<std::multiset<WalPosition>> watched_;  // OnDurable not yet answered, of this life
  std::uint64_t payloads_ = 0, errors_ = 0, errors_of_earlier_lives_ = 0;
  WalModel::After last_death_ = WalModel::After::kPowerLoss;
  bool errors_allowed_ = false;
};

}  // namespace millrace::sim
