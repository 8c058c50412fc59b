// A WAL file, field by field, damaged or not.
#pragma once

#include "inspect/batch_inspection.h"
#include "inspect/inspection_report.h"
#include "millrace/bytes.h"

namespace millrace {

void InspectWal(const SharedBytes& bytes, RecordsShown records, InspectionReport& report);

}  // namespace millrace
