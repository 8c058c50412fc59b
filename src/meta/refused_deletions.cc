#include "meta/refused_deletions.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/try.h"
#include "meta/find_row.h"
#include "meta/home_catalog.h"
#include "meta/transition.h"

namespace millrace {

/// A text that nobody here wrote says nothing: it is told again with the next refusal.
Result<RefusedDeletions> ReadRefusedDeletions(MetadataStore& store) {
  MR_ASSIGN_OR_RETURN(const auto row, FindRow(store, StoreKey{std::string(kRefusedDeletionsName)}));
  RefusedDeletions refused;
  if (!row) return refused;
  const char* end = row->text.data() + row->text.size();
  const auto parsed = std::from_chars(row->text.data(), end, refused.objects);
  if (parsed.ec != std::errc() || refused.objects == 0 || parsed.ptr == end) return RefusedDeletions();
  refused.since_ms = row->number;
  refused.why.assign(parsed.ptr + 1, end);
  return refused;
}

Result<void> KeepRefusedDeletions(MetadataStore& store, const RefusedDeletions& refused) {
  StoreRow row{.name = std::string(kRefusedDeletionsName)};
  if (refused.objects > 0) {
    row.number = refused.since_ms;
    row.text = fmt::format("{} {}", refused.objects, refused.why);
  }
  return CarryOut(store, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto present, FindRow(store, StoreKey{row.name}));
    Transition to;
    if (present || refused.objects > 0) PutStoreRow(to, present, row);
    return to;
  });
}

}  // namespace millrace
