// Every cursor there is and where it durably stands, in memory: what the position log says, by number and by name.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "cursor/position_log_format.h"
#include "millrace/result.h"

namespace millrace {

/// One thread at a time.
class PositionTable {
 public:
  /// kCorruption, and nothing happened: an id that is not there, or one that is there already.
  Result<void> Apply(const PositionEntry& entry);

  [[nodiscard]] std::optional<CursorId> Find(const CursorKey& key) const;
  /// None: there is no such cursor.
  [[nodiscard]] std::optional<Offset> Position(CursorId id) const;
  /// Of `partition`, by name.
  [[nodiscard]] std::vector<PositionDefine> Of(const PartitionKey& partition) const;
  /// Of all partitions, by partition and name.
  [[nodiscard]] std::vector<PositionDefine> All() const;
  /// The lowest position of any cursor of `partition`; none: it has no cursor.
  [[nodiscard]] std::optional<Offset> Lowest(const PartitionKey& partition) const;
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  /// The first id that was never given.
  [[nodiscard]] CursorId next_id() const { return next_id_; }
  void KeepIdsBelow(CursorId next);

 private:
  using ByKey = std::map<CursorKey, CursorId>;
  struct Standing {
    Offset position;
    ByKey::const_iterator name;
  };
  template <class Visit>
  void ForEachOf(const PartitionKey& partition, Visit visit) const;
  [[nodiscard]] PositionDefine Described(const ByKey::value_type& entry) const;

  ByKey by_key_;
  std::unordered_map<CursorId, Standing> by_id_;
  CursorId next_id_{1};
};

}  // namespace millrace
