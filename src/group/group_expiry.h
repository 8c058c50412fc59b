// Which groups and positions nobody has used for so long that they go.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "group/group_calls.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// A look over all positions.
struct GroupExpiry {
  static constexpr std::int64_t kInUse = -1;  // it has members, or waits for one
  std::int64_t now_ms = 0, retention_ms = 0;
  std::map<std::string, std::int64_t, std::less<>> empty_since_ms;  // of groups that are known

  /// Groups of which something goes. Blocks. Cost: O(positions of all groups).
  Result<std::vector<std::string>> FindDue(MetadataStore& metadata) const;
};

struct ExpiryTimes {
  std::int64_t empty_since_ms = 0;  // 0: positions alone, of no group
  std::int64_t now_ms = 0, retention_ms = 0;
};

/// A position that a Kafka client committed, of a group that has been empty for as long. Those that the library stored
/// do not expire.
[[nodiscard]] bool IsExpired(const PositionRow& position, const ExpiryTimes& times);

/// What has expired of `group` goes; true: all of it, and the group. Blocks.
Result<bool> ExpireGroup(MetadataStore& metadata, const std::string& group, const ExpiryTimes& times);

/// The positions of these keys go. kGroupIdNotFound: there is no such group, unless it is `known`. Blocks.
GroupError ForgetPositions(MetadataStore& metadata, const std::string& group, std::span<const PositionKey> keys,
                           bool known);

}  // namespace millrace
