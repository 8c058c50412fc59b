// What the tests of the engine share: engines on a directory of their own, records, and reading everything back.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "env/temporary_directory.h"
#include "millrace/millrace.h"

namespace millrace {

class EngineFixture : public ::testing::Test {
 protected:
  /// Options over this test's directory, with small tiers.
  EngineOptions Options() const;
  /// The same on a simulated disk of its own, with objects and metadata in memory.
  EngineOptions OnSimulatedDisk() const;
  std::unique_ptr<Engine> Open() { return Open(Options()); }
  static std::unique_ptr<Engine> Open(EngineOptions options);
  static TopicPartition At(std::string topic, std::int32_t partition = 0) {
    return {std::move(topic), PartitionId(partition)};
  }
  static Record Value(std::string value) { return {.value = std::move(value)}; }
  /// "0", "1", … in one batch each; the last receipt.
  static AppendReceipt AppendNumbers(Engine& engine, const TopicPartition& partition, int count, int first = 0,
                                     AppendOptions options = {});
  /// All values from `begin` to the end, checked for gaps.
  static std::vector<std::string> ReadAll(Engine& engine, const TopicPartition& partition, Offset begin = Offset(0));
  static std::vector<std::string> Numbers(int begin, int end);

  TemporaryDirectory directory_;
};

/// For EXPECT_…: the error's text, or "ok".
template <class T>
std::string Told(const Result<T>& result) {
  return result ? "ok" : result.error().ToString();
}
/// The code, or none for success.
template <class T>
std::optional<ErrorCode> CodeOf(const Result<T>& result) {
  if (result) return {};
  return result.error().code();
}

}  // namespace millrace
