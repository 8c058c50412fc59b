// Flips each bit of segments: blocks, index and footer.
#pragma once

#include "flip_report.h"

namespace millrace {

void FlipSegments(FlipReport& report);

}  // namespace millrace
