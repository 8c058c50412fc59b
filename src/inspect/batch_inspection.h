// Record batches and their records, wherever they lie.
#pragma once

#include <cstdint>

#include "inspect/inspection_report.h"
#include "millrace/bytes.h"

namespace millrace {

enum class RecordsShown { kNo, kYes };

/// Where batches stand: at `range` of the file, or inflated from what stands there, with no place of their own.
struct BatchPlace {
  FileRange range;
  bool inflated = false;
};

/// Reports the batches that `bytes` is made of; stops at the first that cannot be parsed.
void InspectBatches(const SharedBytes& bytes, const BatchPlace& place, RecordsShown records, InspectionReport& report);

}  // namespace millrace
