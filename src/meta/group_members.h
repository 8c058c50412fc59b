// The rows of a group's members.
#pragma once

#include <string_view>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// The members that are kept of `group`, by their ids.
Result<std::vector<GroupMemberRow>> MembersOf(MetadataStore& store, std::string_view group);

}  // namespace millrace
