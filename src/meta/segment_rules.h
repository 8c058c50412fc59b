// The rules of objects, segments and log starts: pure functions from rows to what is to be written.
//
//   PrepareObject ──► prepared ── put in the store ──► CommitSegments ──► committed
//                        │                                                   │ its last segment is dropped
//                        └── AbandonObject ──► being deleted ◄───────────────┘
//                                                  │ grace, delete in the store
//                                                  └──► ForgetObject ──► no row
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "meta/metadata_rows.h"
#include "meta/transition.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// `present`: the row of `object`'s id. kAlreadyExists: it is prepared under another key.
Result<Transition> PrepareObjectRule(const std::optional<ObjectRow>& present, const ObjectRow& object);

/// What a commit of segments rests on.
struct CommitGround {
  std::optional<ObjectRow> object;       // of a commit of gaps alone: none
  std::vector<PartitionRow> partitions;  // those that are there of the segments' partitions, each once
  std::vector<SegmentRow> same_ends;     // of a commit of gaps alone: rows that end where they end
};
/// Checked epochs and bases, rows inserted, tiered_end moved. No writes: it was done before. Errors: kFenced,
/// kOutOfRange with bounds, kNotFound (no such partition; the object was not prepared, or given up).
Result<Transition> CommitSegmentsRule(const CommitGround& ground, const ObjectRow& object,
                                      std::span<const SegmentCommit> segments);

/// `page`: the first segments that end at or below `log_start`, at most `page_max`. As far as they reach the log start
/// moves, in `partition`. kFenced. kCorruption: a segment whose object is missing.
Result<Transition> AdvanceLogStartRule(PartitionRow& partition, LeaderEpoch epoch, Offset log_start,
                                       std::span<const SegmentRow> page, std::size_t page_max,
                                       std::span<const ObjectRow> objects, std::int64_t now_ms);

/// Adds to `to` what removes these segments, and what gives up each object that holds none any more.
Result<void> DropSegments(Transition& to, std::span<const SegmentRow> segments, std::span<const ObjectRow> objects,
                          std::int64_t now_ms);

/// kNotFound, kAlreadyExists: it is committed. No writes: it is given up already.
Result<Transition> AbandonObjectRule(const std::optional<ObjectRow>& present, const ObjectId& id, std::int64_t now_ms);
/// kInternal: a segment lies in it; kInvalidArgument: it is not given up. No writes: it is forgotten.
Result<Transition> ForgetObjectRule(const std::optional<ObjectRow>& present);

}  // namespace millrace
