// Cursors of a whole engine over a simulated disk and stores, on one thread: opened, read, moved, closed, deleted and
// killed in seeded order, while the log under them grows, is uploaded, recycled, consumed, damaged and re-created, and
// while writing their positions fails. Held against a model after every step. Small files and short lives, so that
// there can be many.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cursor_model.h"
#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/faulty_metadata_store.h"
#include "millrace/cursor.h"
#include "process_stores.h"
#include "report.h"
#include "store/faulty_object_store.h"

namespace millrace::sim {

/// What one call may take: payload bytes, and entries.
struct TakeLimits {
  std::uint64_t bytes_max = UINT64_MAX;
  std::uint64_t entries_max = 2'000;
};

class CursorWorld {
 public:
  CursorWorld(std::uint64_t seed, Report& report);
  ~CursorWorld();

  void Live(int steps);
  /// Everything heals; then every cursor reads to the end, and what all have consumed is given back.
  void HealAndJudge();

 private:
  static constexpr std::array<std::string_view, 2> kTopics = {"log", "queue"};  // the second is Cleanup::kConsumed
  static constexpr std::array<std::string_view, 3> kNames = {"a", "b", "c"};
  using CursorKey = std::pair<std::string, std::string>;  // topic, name
  struct Named {
    CursorModel model;
    std::vector<std::unique_ptr<Cursor>> handles;
  };
  enum class Fault { kNone, kOnce, kUntilHealed };

  // Processes (cursor_world_processes.cc).
  bool Start();
  void Die(bool power);
  void CloseCleanly();
  void AfterRecovery(const std::string& topic, bool power);
  void CreateTopic(std::string_view name);
  void RecreateTopic();
  void BreakPositions(Fault fault);
  void BreakStores(bool broken);
  void DieSoon();
  void ChangeBytesOfAnObject();

  // The log (cursor_world_log.cc).
  void Append(std::uint64_t count_max);
  void BackgroundStep();
  void DeleteRecords();
  void NoteOutcome(bool known);
  void JudgeLog();

  // Cursors (cursor_world_cursors.cc).
  void Open(const CursorKey& key);
  void Close();
  void Delete();
  void List();
  void ReadNext(bool checkpoint);
  void ReadBatch(bool checkpoint);
  void Seek();
  void SeekToTime();
  bool JudgeTaken(Named& cursor, const std::string& topic, std::span<const Record> records, const TakeLimits& limits,
                  bool checkpoint);
  void JudgeReadError(const CursorKey& key, Named& cursor, const Error& error, Offset end_max, bool checkpoint);
  static void DoubtUpTo(Named& cursor, Offset end);
  void JudgeMove(Named& cursor, const Result<void>& moved, Offset target, std::string_view call);
  void LeaveDamage(const CursorKey& key, Named& cursor, const Error& error);
  void JudgeStanding(const CursorKey& key, Named& cursor);
  void Drain(const CursorKey& key);

  void Step();
  Named* DrawOpen();
  /// Before a call that may write positions, and after it: true if it was told of the disk what it may answer for.
  void BeginCall() { faults_in_call_ = 0; }
  [[nodiscard]] bool dying() const { return dying_; }
  bool Tolerated(const Error& error, std::string_view call);
  void Settle();
  [[nodiscard]] OffsetBounds Bounds(const std::string& topic);
  [[nodiscard]] CursorKey DrawKey();
  [[nodiscard]] static TopicPartition At(std::string_view topic) { return {std::string(topic), PartitionId(0)}; }

  Report& report_;
  SeededRandom random_;
  const SyncPolicy sync_;
  const bool damages_;
  SimClock clock_;
  std::shared_ptr<SimFileSystem> files_;
  SharedTruth truth_;
  std::shared_ptr<FaultyObjectStore> objects_;
  std::shared_ptr<FaultyMetadataStore> metadata_;
  std::map<std::string, LogModel, std::less<>> logs_;
  std::map<CursorKey, Named> cursors_;
  CursorKey drawn_;
  std::shared_ptr<ProcessLife> life_;
  SteppedEngine engine_;
  std::uint64_t values_ = 0, process_ = 0, processes_seed_;
  Fault positions_fault_ = Fault::kNone;
  std::uint64_t calls_until_fault_ = 0, calls_until_death_ = 0;
  std::uint64_t faults_in_call_ = 0;
  bool stores_faulty_ = false, row_in_doubt_ = false, dying_ = false, healing_ = false;
};

}  // namespace millrace::sim
