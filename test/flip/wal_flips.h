// Flips bits of every file the WAL keeps, in two states of the disk: after a clean close, and after a power loss.
#pragma once

#include "flip_report.h"

namespace millrace {

/// Recovery over each flipped disk, against the frames that were acknowledged.
void FlipWalBeforeOpen(FlipReport& report);
/// Reading by position while the log is open.
void FlipWalWhileOpen(FlipReport& report);

}  // namespace millrace
