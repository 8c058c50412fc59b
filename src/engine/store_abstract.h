// What an object store says of the log in it: whose it is, and who writes there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

struct StoreAbstract {
  std::string identity;
  std::int64_t made_ms = 0;  // wall time; 0: an earlier release made it, which did not say
  std::string made_by;
  std::uint32_t generation = 0;  // claimed last; 0: none
  std::string how;               // "first", "continues", "takes over", "releases", "moved to PLACE", "comes from PLACE"
  std::string host;              // of the process that claimed it
  std::int64_t claim_ms = 0;
  std::uint64_t snapshots = 0, snapshot_bytes = 0;  // how many; bytes of the newest
};

/// Looks at the store at `url` alone. kNotFound: there is no log; kInvalidArgument: a bad URL, or one of a place inside
/// a data directory.
Result<StoreAbstract> DescribeStore(const std::string& url, const std::string& name_space);

}  // namespace millrace
