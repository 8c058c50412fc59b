// Which object store a verb that looks at one is to look at: the one named by URL, or the home of the user's log.
#pragma once

#include "cli/parse/command.h"
#include "engine/store_report.h"
#include "millrace/result.h"

namespace millrace {

/// Of the positional URL if there is one, else of the log's directory.
Result<StoreReport> ReportChosenStore(Session& session);
/// One line on standard error: whose store, and what was compared.
void NoteStore(Session& session, const StoreReport& report);

}  // namespace millrace
