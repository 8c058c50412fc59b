// B79: a whole engine whose history lies in a simulated S3 that refuses, breaks, shortens, garbles and stalls: the same
// script is lived twice, over a good S3 and over a bad one, and must give the same bytes in little more time.
//
//   Engine ─► ProcessObjects ─► RetryingObjectStore ─► S3ObjectStore ─► LastWords ─► SimS3Transport ─► SimS3
//             (dies)            (in virtual time)                      (kills it within a put)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "engine/stepped_engine.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "partition_model.h"
#include "process_stores.h"
#include "report.h"
#include "test/s3/sim_s3.h"
#include "test/s3/sim_s3_transport.h"

namespace millrace::sim {

class S3World {
 public:
  enum class Weather { kFair, kChaos };
  S3World(std::uint64_t seed, Weather weather, Report& report);
  ~S3World();

  /// Appends, uploads, cold and hot reads with bytes fetched ahead of them, kills, one of them within a put whose
  /// outcome no process learns; then everything is uploaded and read again, cold, by this process and by a fresh one.
  void Live(int steps);
  /// Virtual time that went into the engine's calls, pauses between repeats included.
  [[nodiscard]] std::chrono::nanoseconds took() const { return took_; }
  [[nodiscard]] const SimS3& s3() const { return s3_; }

 private:
  class LastWords;
  /// What a step does is drawn before it does anything, so that both weathers live the same script.
  struct Step {
    std::uint64_t dice = 0, seed = 0;
  };

  bool Start();
  void Die();
  void Do(const Step& step);
  void Append(SeededRandom& random);
  [[nodiscard]] bool IsUploaded();
  void Upload();
  void UploadUnanswered();
  void UploadAndDie();
  void FetchAhead();
  void ReadSomewhere(SeededRandom& random);
  void ReadAll(std::int32_t partition);
  bool JudgeRead(std::int32_t partition, Offset begin, const ReadResult& read);
  /// Repeats what failed and may be repeated; none: it never worked, and the report knows.
  template <class Call>
  auto Insist(std::string_view what, Call&& call) -> std::optional<decltype(call())>;

  static constexpr std::int32_t kPartitions = 2;
  static TopicPartition Name(std::int32_t partition) { return {"events", PartitionId(partition)}; }

  Report& report_;
  const Weather weather_;
  SeededRandom script_;
  SimClock clock_;
  std::shared_ptr<SimFileSystem> files_;
  SimS3 s3_;
  SharedTruth truth_;
  SeededRandom jitter_;
  std::shared_ptr<ProcessLife> life_;
  std::shared_ptr<LastWords> wire_;
  SteppedEngine engine_;
  PartitionModel models_[kPartitions];
  std::uint64_t values_ = 0, process_ = 0, processes_seed_;
  std::chrono::nanoseconds took_{0};
};

/// Row 17: one script in both weathers.
void RunS3Chaos(std::uint64_t seed, Report& report);

}  // namespace millrace::sim
