// An engine in a fresh folder with one topic, and how a benchmark talks to it: every receipt is checked, every error
// ends the program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/harness/suite.h"
#include "millrace/millrace.h"

namespace millrace::bench {

template <class T>
T OrDie(Result<T> result, std::string_view what) {
  if (!result) Die(std::string(what) + ": " + result.error().ToString());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Options under which nothing is uploaded unless asked for, so that only the named work is measured.
EngineOptions QuietOptions(const std::filesystem::path& directory);

class OpenedEngine {
 public:
  /// Opens (and makes) the engine and, if it is not there, the topic "t".
  OpenedEngine(EngineOptions options, std::int32_t partitions);
  ~OpenedEngine();

  [[nodiscard]] Engine& operator*() { return *engine_; }
  [[nodiscard]] Engine* operator->() { return engine_.get(); }
  [[nodiscard]] static TopicPartition Partition(std::size_t i) {
    return {"t", PartitionId(static_cast<std::int32_t>(i))};
  }
  /// One batch; ends the program unless the receipt reached `durability` and covers all records.
  AppendReceipt Append(const TopicPartition& partition, std::span<const Record> records, Durability durability);
  /// Everything appended so far is forgotten and its WAL files are free again.
  void Forget(std::size_t partitions);

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace millrace::bench
