// What an object store refuses to delete, kept for whoever asks before the next process has tried again: a row of the
// table `store`.
//
//   refused_deletions   number: wall time since which there are some; text: how many, a space, and why
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::string_view kRefusedDeletionsName = "refused_deletions";

struct RefusedDeletions {
  std::uint64_t objects = 0;
  std::int64_t since_ms = 0;
  std::string why;  // of the first one
  friend bool operator==(const RefusedDeletions&, const RefusedDeletions&) = default;
};

/// None of them: nothing was refused, or all of it has gone since. Errors: those of the store.
Result<RefusedDeletions> ReadRefusedDeletions(MetadataStore& store);
Result<void> KeepRefusedDeletions(MetadataStore& store, const RefusedDeletions& refused);

}  // namespace millrace
