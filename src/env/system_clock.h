// The clock of the machine.
#pragma once

#include "millrace/clock.h"

namespace millrace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t WallMs() const override;
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override;
};

}  // namespace millrace
