#include "meta/group_members.h"

#include <limits>
#include <string>

#include "meta/find_row.h"

namespace millrace {

Result<std::vector<GroupMemberRow>> MembersOf(MetadataStore& store, std::string_view group) {
  // Behind the group: no name lies between `group` and `group` with a zero byte.
  return ScanRows(store, GroupMemberKey{std::string(group), {}}, GroupMemberKey{std::string(group) + '\0', {}},
                  std::numeric_limits<std::size_t>::max());
}

}  // namespace millrace
