// Gives producers their ids, each once: in blocks from metadata, so that most cost nothing.
//
//   id = 0 · block:24 · random:23 · count:16        block: of metadata, never given twice
//                                                   random: drawn with the block; a clone or an older copy of metadata
//                                                   gives the same blocks, and still other ids
#pragma once

#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class Random;

/// Safe from any thread.
class ProducerIds {
 public:
  /// Collaborators outlive it.
  ProducerIds(MetadataStore& metadata, Random& random) : metadata_(metadata), random_(random) {}

  /// None: a block has to be taken first, by Take. Cost: a lock.
  [[nodiscard]] std::optional<std::int64_t> TryTake();
  /// Blocks for metadata once in 65,536 calls, and at the first one. Errors: those of metadata; kOutOfSpace: there are
  /// no more.
  Result<std::int64_t> Take();

 private:
  std::optional<std::int64_t> TakeLocked() MR_REQUIRES(mutex_);

  MetadataStore& metadata_;
  Random& random_;
  Mutex mutex_;
  std::int64_t next_ MR_GUARDED_BY(mutex_) = 0, end_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
