// The offsets of a partition and the order they keep at every moment:
//
//   log_start <= tiered_end <= durable_end <= log_end        hot_start <= tiered_end
#pragma once

#include "base/check.h"
#include "millrace/offsets.h"

namespace millrace {

/// Not thread-safe. Every change is checked against the order; each offset but hot_start only grows.
class LogOffsets {
 public:
  [[nodiscard]] const PartitionOffsets& all() const { return offsets_; }
  [[nodiscard]] Offset log_start() const { return offsets_.log_start; }
  [[nodiscard]] Offset hot_start() const { return offsets_.hot_start; }
  [[nodiscard]] Offset tiered_end() const { return offsets_.tiered_end; }
  [[nodiscard]] Offset durable_end() const { return offsets_.durable_end; }
  [[nodiscard]] Offset log_end() const { return offsets_.log_end; }

  /// All at once, as recovery found them.
  void Start(const PartitionOffsets& offsets) {
    offsets_ = offsets;
    Check();
  }
  void MoveLogEnd(Offset to) { Move(offsets_.log_end, to); }
  void MoveDurableEnd(Offset to) { Move(offsets_.durable_end, to); }
  void MoveTieredEnd(Offset to) { Move(offsets_.tiered_end, to); }
  void MoveHotStart(Offset to) { Move(offsets_.hot_start, to); }
  /// Takes tiered_end along when it passes it.
  void MoveLogStart(Offset to) {
    if (to > offsets_.tiered_end) offsets_.tiered_end = to;
    Move(offsets_.log_start, to);
  }

 private:
  void Move(Offset& offset, Offset to) {
    MR_CHECK(to >= offset, offset.value(), to.value());
    offset = to;
    Check();
  }
  void Check() const {
    const PartitionOffsets& o = offsets_;
    MR_CHECK(o.log_start <= o.tiered_end && o.tiered_end <= o.durable_end && o.durable_end <= o.log_end &&
                 o.hot_start <= o.tiered_end,
             o.log_start.value(), o.hot_start.value(), o.tiered_end.value(), o.durable_end.value(), o.log_end.value());
  }

  PartitionOffsets offsets_;
};

}  // namespace millrace
