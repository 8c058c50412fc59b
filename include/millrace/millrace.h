// The whole public surface of Millrace.
#pragma once

#include "millrace/bytes.h"           // IWYU pragma: export
#include "millrace/clock.h"           // IWYU pragma: export
#include "millrace/consumer.h"        // IWYU pragma: export
#include "millrace/cursor.h"          // IWYU pragma: export
#include "millrace/description.h"     // IWYU pragma: export
#include "millrace/engine.h"          // IWYU pragma: export
#include "millrace/events.h"          // IWYU pragma: export
#include "millrace/file_system.h"     // IWYU pragma: export
#include "millrace/metadata_store.h"  // IWYU pragma: export
#include "millrace/object_store.h"    // IWYU pragma: export
#include "millrace/offsets.h"         // IWYU pragma: export
#include "millrace/options.h"         // IWYU pragma: export
#include "millrace/read.h"            // IWYU pragma: export
#include "millrace/receipt.h"         // IWYU pragma: export
#include "millrace/record.h"          // IWYU pragma: export
#include "millrace/request_scope.h"   // IWYU pragma: export
#include "millrace/result.h"          // IWYU pragma: export
#include "millrace/statistics.h"      // IWYU pragma: export
#include "millrace/types.h"           // IWYU pragma: export
