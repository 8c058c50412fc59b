#include "cli/records/pacing.h"

#include "text/units.h"

namespace millrace {

std::optional<std::uint64_t> ParseRate(std::string_view text) {
  if (text.ends_with("/s")) text.remove_suffix(2);
  auto rate = ParseInteger(text);
  // A slice's due time is counted in nanoseconds: 10^9 keeps the product in 64 bits.
  if (!rate || *rate <= 0 || *rate > 1'000'000'000) return std::nullopt;
  return static_cast<std::uint64_t>(*rate);
}

}  // namespace millrace
