// One object from one store to another, as it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

struct ObjectTransfer {
  bool missing = false;       // it is not in `from`
  std::vector<Error> damage;  // of its segments, as they were in `from`: brought along as they are
};

/// Reads `object` whole, checks every block of `segments` (byte ranges in it) and puts it under the same key. Bytes
/// that come damaged are read again twice, since once it may be the way that they came. Errors: those of the stores;
/// kCorruption: it is shorter than its row says. Memory: the object.
Result<ObjectTransfer> TransferObject(ObjectStore& from, ObjectStore& to, const ObjectRow& object,
                                      std::span<const ByteRange> segments);

}  // namespace millrace
