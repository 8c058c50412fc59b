// Cleanup::kConsumed: how far the groups of consumers have come, the library's and Kafka's alike.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A moment of the committed positions in some topics. One thread.
class GroupsPassed {
 public:
  /// Of `topics`, which may be named more than once. Blocks. Errors: those of the store; what groups have passed is
  /// then not known, and nothing may go. Cost: for no topics none, else O(positions of all groups).
  static Result<GroupsPassed> Read(MetadataStore& metadata, const std::vector<TopicId>& topics);

  /// All below was committed by every group that reads the topic; none: no group does. A group reads a topic once it
  /// has a position in one of its partitions; of those where it has none everything is kept. So it is of a topic that
  /// was not read.
  [[nodiscard]] std::optional<Offset> Of(const PartitionKey& partition) const;

 private:
  struct Lowest {
    Offset position;
    std::size_t groups = 0;
  };
  struct Readers {
    std::string last;  // positions come group after group
    std::size_t groups = 0;
  };
  std::map<TopicId, Readers> readers_;
  std::map<PartitionKey, Lowest> lowest_;
};

}  // namespace millrace
