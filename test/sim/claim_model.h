// Claim, proof, deletion and takeover as a model that is explored whole: one log, the process A that uploads, drops and
// deletes, and B that takes the log over at any moment. Puts and deletions may land late or never be answered. What it
// rests on are six guards; each of them can be left out, and must be missed.
//
//   A: put ─► answered ─► proof ─► commit = acknowledged ─► dropped ─► snapshot ─► proof ─► deleted
//   B: claim ─► snapshot ─► list ─► the log that goes on
//
// The code it speaks of: src/tier/store_claim.h, segment_uploader.cc, object_collector.cc, log_linking.cc.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::sim {

enum class ClaimGuard {
  kProofAfterPut,       // a commit rests on a proof that was sent after its put was answered
  kProofBeforeDelete,   // a deletion rests on a proof
  kDropInSnapshot,      // and its drop is in a snapshot that was answered before that proof was sent
  kGivenUpInSnapshot,   // so is the giving up of an attempt
  kClaimBeforeList,     // who takes over claims first and looks afterwards
  kGivenUpNeverLinked,  // and links nothing that its snapshot has as given up
};
inline constexpr std::array kClaimGuards = {ClaimGuard::kProofAfterPut,   ClaimGuard::kProofBeforeDelete,
                                            ClaimGuard::kDropInSnapshot,  ClaimGuard::kGivenUpInSnapshot,
                                            ClaimGuard::kClaimBeforeList, ClaimGuard::kGivenUpNeverLinked};
std::string_view NameOf(ClaimGuard guard);

struct ClaimExploration {
  std::size_t states = 0;
  /// None: no state breaks the promise, and all were looked at. Else what is broken in the first that does, and how it
  /// came to be, in the fewest steps.
  std::optional<std::string> broken;
};

/// `without`: a guard that is left out.
ClaimExploration ExploreClaims(std::optional<ClaimGuard> without);

}  // namespace millrace::sim
