#include "claim_row.h"

#include <fmt/format.h>

#include <optional>

#include "claim_model.h"

namespace millrace::sim {

void RunClaimModel(std::uint64_t /*seed*/, Report& report) {
  const ClaimExploration whole = ExploreClaims(std::nullopt);
  report.Event(fmt::format("with all guards: {} states", whole.states));
  report.Checked(whole.states);
  report.Expect(!whole.broken, "claims-broken", whole.broken.value_or(""));
  for (const ClaimGuard guard : kClaimGuards) {
    const ClaimExploration without = ExploreClaims(guard);
    report.Event(fmt::format("without {}: {} states, {}", NameOf(guard), without.states,
                             without.broken.value_or("holds all the same")));
    report.Checked(without.states);
    if (report.Expect(without.broken.has_value(), "guard-superfluous", NameOf(guard)))
      report.Fired(fmt::format("without-{}", NameOf(guard)));
  }
}

}  // namespace millrace::sim
