// The two kinds of small text in an object store that say whose it is. docs/format/claim.md.
//
//   log   = "millrace log 1\nidentity " hex32 "\nmade " time " by " host "\ncrc " hex8 "\n"
//   claim = "millrace claim " version "\nidentity " hex32 "\ngeneration " n " nonce " hex8 "\n" how "\nhost " text
//           "\nat " time "\ncrc " hex8 "\n"
//   how   = "first" | "continues " nonce | "takes over " nonce              nonce: of generation n - 1
//         | "releases " nonce | "moved to " place | "comes from " place
//   version = "1"; with the three last ones "2", which earlier releases refuse by name
//
// The CRC is the CRC-32C of the lines above it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

inline constexpr std::size_t kClaimBytesMax = 4'096;

struct LogText {
  std::string identity;
  std::int64_t made_ms = 0;  // wall time
  std::string host;
};

struct ClaimText {
  /// kReleases: nothing was put under the generation before that its last snapshot does not know, and nothing will be.
  /// kMovedTo: the log is over here for good. kComesFrom: it was elsewhere before, up to the generation before.
  enum class How { kFirst, kContinues, kTakesOver, kReleases, kMovedTo, kComesFrom };
  std::string identity;
  std::uint32_t generation = 0, nonce = 0;
  How how = How::kFirst;
  std::uint32_t nonce_before = 0;  // of the generation before; kFirst, kMovedTo, kComesFrom: none
  std::string place = {};          // kMovedTo, kComesFrom: as ObjectStore::Describe tells it
  std::string host;
  std::int64_t at_ms = 0;  // wall time
};

std::string Encode(const LogText& log);
std::string Encode(const ClaimText& claim);
/// Also takes the text of earlier releases, which has the identity alone. kCorruption; kUnsupported: a newer version.
Result<LogText> ParseLogText(std::string_view text);
Result<ClaimText> ParseClaimText(std::string_view text);

/// "2026-01-01T09:14:00Z"
std::string TimeText(std::int64_t time_ms);

}  // namespace millrace
