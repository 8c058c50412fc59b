// What topics there are, as of one moment: immutable, so that any number of threads answer from it without a lock and
// without a query. A change of topics makes a new one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "millrace/options.h"
#include "millrace/types.h"

namespace millrace {

class GroupAccess;
class Partition;
class PartitionAccess;

/// The 128 bits that name a topic for good; a topic that is made again under its name has others. All zeros: none.
struct TopicUuid {
  std::array<std::uint8_t, 16> bytes{};

  /// From 32 hexadecimal digits; none if they are not that.
  static std::optional<TopicUuid> FromHex(std::string_view hex);
  friend auto operator<=>(const TopicUuid&, const TopicUuid&) = default;
};

/// A partition that was found: one pointer. Valid until its engine is destroyed: a partition whose topic was deleted
/// stays in memory, and calls on it answer kNotFound. Default: none.
class PartitionHandle {
 public:
  PartitionHandle() = default;
  [[nodiscard]] explicit operator bool() const { return partition_ != nullptr; }
  /// Precondition: not none.
  [[nodiscard]] const TopicPartition& name() const;
  friend bool operator==(const PartitionHandle&, const PartitionHandle&) = default;

 private:
  friend class GroupAccess;
  friend class PartitionAccess;
  friend class MetadataImageCell;
  explicit PartitionHandle(Partition* partition) : partition_(partition) {}
  Partition* partition_ = nullptr;
};

struct PartitionImage {
  PartitionHandle handle;
  LeaderEpoch epoch;
  bool broken = false;  // recovery found it broken: its calls answer with that
};

struct TopicImage {
  std::string name;
  TopicUuid uuid;
  TopicOptions options;
  std::vector<PartitionImage> partitions;  // by number
  std::uint64_t changes = 0;               // how often the topic had changed
};

/// Safe from any thread: nothing in it changes.
class MetadataImage {
 public:
  /// Null: there is none. Cost: one hash.
  [[nodiscard]] const TopicImage* Find(std::string_view topic) const;
  [[nodiscard]] const TopicImage* Find(const TopicUuid& uuid) const;
  /// All, by name.
  [[nodiscard]] const std::vector<std::shared_ptr<const TopicImage>>& topics() const { return topics_; }
  /// Grows with every change of topics.
  [[nodiscard]] std::uint64_t version() const { return version_; }

 private:
  friend class MetadataImageCell;
  struct UuidHash {
    std::size_t operator()(const TopicUuid& uuid) const noexcept;
  };

  void Index();
  [[nodiscard]] std::shared_ptr<const TopicImage> Share(const TopicUuid& uuid) const;

  std::uint64_t version_ = 0;
  std::vector<std::shared_ptr<const TopicImage>> topics_;
  std::unordered_map<std::string_view, const TopicImage*> by_name_;
  std::unordered_map<TopicUuid, std::shared_ptr<const TopicImage>, UuidHash> by_uuid_;
};

}  // namespace millrace
