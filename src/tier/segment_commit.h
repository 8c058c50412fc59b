// Publishing an object's segments, or gaps, when the answer may get lost: an unknown outcome is looked up by object id
// or by the gaps' own rows, never guessed.
#pragma once

#include <span>
#include <vector>

#include "meta/metadata_rows.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// The segments are visible (the partitions' new rows), or they are not and never will be as this object: kFenced,
/// kOutOfRange, kNotFound and others for which `CommitIsKnown` holds; any other error: the outcome is unknown yet.
Result<std::vector<PartitionRow>> CommitAndKnow(MetadataStore& metadata, const ObjectRow& object,
                                                std::span<const SegmentCommit> segments);

/// Whether an error of CommitAndKnow says for certain that nothing was committed.
bool CommitIsKnown(const Error& error);

}  // namespace millrace
