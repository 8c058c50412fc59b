// A whole engine over a simulated disk, clock and stores, on one thread: the same steps its threads would run, called
// in seeded order, against a model. It is killed, loses power, meets faults everywhere, and must heal.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "meta/faulty_metadata_store.h"
#include "millrace/consumer.h"
#include "partition_model.h"
#include "process_stores.h"
#include "report.h"
#include "store/faulty_object_store.h"

namespace millrace::sim {

struct WorldOptions {
  SyncPolicy sync = SyncPolicy::Each();
  SimTraits traits;
  bool faults = true;  // of stores and disk; crashes come either way
  bool deletes_topics = true;
};

WorldOptions DrawWorldOptions(std::uint64_t seed);

class World {
 public:
  World(std::uint64_t seed, const WorldOptions& options, Report& report);
  ~World();

  /// Safety: operations, steps, crashes and faults in seeded order.
  void Live(int steps);
  /// Liveness: everything heals; then all is uploaded, orphans go, and every record is read again: hot, cold, and by a
  /// process that knows nothing.
  void HealAndJudge();

 private:
  static constexpr std::array<std::string_view, 2> kTopics = {"orders", "clicks"};
  static constexpr std::int32_t kPartitions = 2;
  struct Group {
    std::unique_ptr<Consumer> consumer;
    std::map<TopicPartition, Offset> committed;  // known to be durable
    bool unsure = false;                         // a commit failed: either is right
    bool polled_in_trouble = false;              // the Poll before this one
  };

  // Processes (world_processes.cc).
  bool Start();
  void Die(bool power);
  void AfterRecovery(const TopicPartition& partition, bool power);
  void CreateTopic(std::string_view name);
  void BeginTopic(std::string_view name);
  void RecreateTopic();
  bool JudgeTopicChange(std::string_view name, const Result<void>& changed, ErrorCode done_before, bool wanted);
  [[nodiscard]] std::optional<TopicId> TopicInMetadata(std::string_view name) const;
  [[nodiscard]] static TopicOptions OptionsOf(std::string_view name);
  void TakeOver();
  void SetFaults(bool on);
  void BreakDisk();
  bool Tolerated(const Error& error, std::string_view call);
  [[nodiscard]] bool InTrouble() const { return faulty_ || poisoned_ || fenced_; }

  // Operations (world_operations.cc).
  void Step();
  std::vector<Record> DrawRecords();
  void Append();
  void AppendAsync();
  void ReadSomewhere();
  void JudgeRead(PartitionModel& model, const TopicPartition& partition, Offset begin, const ReadResult& read);
  void AdoptMaybe(const TopicPartition& partition, Offset end);
  void ReadAll(const TopicPartition& partition, std::string_view when);
  void FindTime();
  void Consume();
  void OpenConsumer();
  void DeleteRecords();
  void Recycle();
  void BackgroundStep();
  void RunTimers();
  void JumpWall();
  void JudgeOffsets();
  void JudgeRows();
  void NoteLogEnd(const TopicPartition& partition, std::span<const std::uint64_t> batch, bool acknowledged_os,
                  bool acknowledged_disk, std::optional<Offset> base);

  TopicPartition DrawPartition();
  [[nodiscard]] PartitionModel& Model(const TopicPartition& partition) { return models_[partition]; }
  [[nodiscard]] std::string Name(const TopicPartition& partition) const;

  const WorldOptions options_;
  Report& report_;
  SeededRandom random_;
  SimClock clock_;
  std::shared_ptr<SimFileSystem> files_;
  SharedTruth truth_;
  std::shared_ptr<FaultyObjectStore> objects_;
  std::shared_ptr<FaultyMetadataStore> metadata_;
  std::map<TopicPartition, PartitionModel> models_;
  Group group_;
  std::shared_ptr<ProcessLife> life_;
  SteppedEngine engine_;
  std::uint64_t values_ = 0, process_ = 0, incarnations_ = 0, processes_seed_;
  bool faulty_ = false, poisoned_ = false, fenced_ = false, years_ahead_ = false;
};

}  // namespace millrace::sim
