// What a simulated power loss took, counted: so that a test can tell that its crashes did lose something.
#pragma once

#include <cstdint>

namespace millrace {

/// What the power losses behind a disk did to what was not synced, for counting that they did.
struct SimLosses {
  std::uint64_t blocks_kept = 0, blocks_lost = 0, blocks_torn = 0, blocks_overtaken = 0;  // overtaken: an older version
  std::uint64_t names_kept = 0, names_lost = 0, sizes_kept = 0, sizes_lost = 0;
};

}  // namespace millrace
