// A fixed run of metadata calls and what the store must hold after each, told by the memory store as the model. For
// suites that break something between or inside the calls.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "millrace/metadata_store.h"

namespace millrace {

using MetadataStep = std::function<Result<void>(MetadataStore&)>;

/// Every kind of change at least once; enough rows for several pages of the file.
std::vector<MetadataStep> MetadataScenario();

/// Everything a caller can ask, as text. The first error ends it.
Result<std::string> DumpMetadata(MetadataStore& store);

/// DumpMetadata of the model after 0, 1, 2, … steps.
std::vector<std::string> ModelDumps(const std::vector<MetadataStep>& steps);

}  // namespace millrace
