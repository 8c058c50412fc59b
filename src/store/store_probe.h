// Whether an object store does what the engine needs, found out by doing it, under keys of its own that are removed
// again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "env/random.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"

namespace millrace {

class S3ObjectStore;

enum class FindingLevel { kOk, kWarn, kFail };

struct Finding {
  FindingLevel level = FindingLevel::kOk;
  std::string check;   // "put-if-absent"
  std::string text;    // what was found, and what follows from it
  std::string remedy;  // "" if there is nothing to do
};

/// What stores of one protocol do differently.
struct StoreTraits {
  std::optional<bool> put_if_absent;  // a taken key is refused; none: not found out
  bool takes_checksums = true;        // false: refuses their headers, and has what is put signed instead
};

struct StoreProbe {
  std::vector<Finding> findings;
  StoreTraits traits;
  std::optional<Error> unreachable;  // nothing further was tried
};

/// kOne: the store's URL says that no other process writes there (single_writer=1).
enum class StoreWriters { kMany, kOne };

/// Makes about twenty small requests. Leaves nothing behind if deletes work. Findings in the order of the checks:
/// reachable, absent, put, read-after-put, clock, head, ranged-get, checksum, put-if-absent, list, delete; of an S3
/// also versions, object-lock, lifecycle, encryption.
/// `s3`: what is below `store`, if it is an S3; what it learns of the store meanwhile is told as well.
StoreProbe ProbeStore(ObjectStore& store, Random& random, const Clock& clock, S3ObjectStore* s3 = nullptr,
                      StoreWriters writers = StoreWriters::kMany);

}  // namespace millrace
