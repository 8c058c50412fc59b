#include "tier/claim_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::string_view kLogMagic = "millrace log ", kClaimMagic = "millrace claim ";
constexpr std::string_view kEarlierMagic = "millrace identity ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kLaterVersion = "2";  // of claims that an earlier release would misunderstand

std::string WithCrc(const std::string& body) { return fmt::format("{}crc {:08x}\n", body, Crc32c(AsBytes(body))); }

/// What comes from outside takes one line and a bounded length.
std::string OneLine(std::string_view text) {
  constexpr std::size_t kLettersMax = 255;
  std::string line(text.substr(0, kLettersMax));
  for (char& letter : line)
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  return line;
}

Error Damaged(std::string_view what, std::size_t bytes) {
  return Error(ErrorCode::kCorruption, fmt::format("the {} in the object store is damaged: it fails its CRC", what))
      .WithDamage({.place = std::string(what), .byte_begin = 0, .byte_end = bytes});
}

/// The lines before the one with the CRC. kCorruption: it is not theirs.
Result<std::vector<std::string_view>> LinesOf(std::string_view what, std::string_view text) {
  const std::size_t crc_at = text.rfind("crc ");
  if (text.size() > kClaimBytesMax || crc_at == std::string_view::npos ||
      WithCrc(std::string(text.substr(0, crc_at))) != text)
    return Damaged(what, text.size());
  std::vector<std::string_view> lines;
  for (std::string_view rest = text.substr(0, crc_at); !rest.empty();) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return Damaged(what, text.size());
    lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return lines;
}

std::optional<std::string_view> Behind(std::string_view line, std::string_view words) {
  if (!line.starts_with(words)) return {};
  return line.substr(words.size());
}

template <class Number>
bool Parse(std::string_view text, int base, Number& number) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number, base);
  return parsed.ec == std::errc() && parsed.ptr == end && !text.empty();
}

std::string HowText(const ClaimText& claim) {
  switch (claim.how) {
    case ClaimText::How::kFirst:
      return "first";
    case ClaimText::How::kContinues:
      return fmt::format("continues {:08x}", claim.nonce_before);
    case ClaimText::How::kTakesOver:
      return fmt::format("takes over {:08x}", claim.nonce_before);
    case ClaimText::How::kReleases:
      return fmt::format("releases {:08x}", claim.nonce_before);
    case ClaimText::How::kMovedTo:
      return "moved to " + OneLine(claim.place);
    case ClaimText::How::kComesFrom:
      return "comes from " + OneLine(claim.place);
  }
  return "";
}

Result<void> CheckVersion(std::string_view what, std::string_view version, std::string_view newest = kVersion) {
  if (version == kVersion || version == newest) return {};
  return Error(
      ErrorCode::kUnsupported,
      fmt::format("the {} in the object store has format version {}, this release knows {}", what, version, newest),
      "use a release that reads it");
}

std::optional<std::int64_t> ParseTime(std::string_view text) {
  std::tm fields{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  if (end == nullptr || *end != '\0') return {};
  return static_cast<std::int64_t>(::timegm(&fields)) * 1'000;
}

bool ParseHow(std::string_view line, ClaimText& claim) {
  if (line == "first") return true;
  for (const auto& [words, how] : {std::pair(std::string_view("continues "), ClaimText::How::kContinues),
                                   std::pair(std::string_view("takes over "), ClaimText::How::kTakesOver),
                                   std::pair(std::string_view("releases "), ClaimText::How::kReleases)}) {
    const auto nonce = Behind(line, words);
    if (!nonce) continue;
    claim.how = how;
    return Parse(*nonce, 16, claim.nonce_before);
  }
  for (const auto& [words, how] : {std::pair(std::string_view("moved to "), ClaimText::How::kMovedTo),
                                   std::pair(std::string_view("comes from "), ClaimText::How::kComesFrom)}) {
    const auto place = Behind(line, words);
    if (!place) continue;
    claim.how = how;
    claim.place = *place;
    return true;
  }
  return false;
}

bool ParseNumbers(std::string_view line, ClaimText& claim) {
  const auto rest = Behind(line, "generation ");
  if (!rest) return false;
  const std::size_t end = rest->find(" nonce ");
  if (end == std::string_view::npos) return false;
  return Parse(rest->substr(0, end), 10, claim.generation) && Parse(rest->substr(end + 7), 16, claim.nonce);
}

}  // namespace

std::string TimeText(std::int64_t time_ms) {
  // Years of four digits: what a wall clock says beyond them is no time of a claim.
  const std::int64_t seconds = std::clamp<std::int64_t>(time_ms / 1'000, 0, 253'402'300'799);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string Encode(const LogText& log) {
  return WithCrc(fmt::format("{}{}\nidentity {}\nmade {} by {}\n", kLogMagic, kVersion, log.identity,
                             TimeText(log.made_ms), OneLine(log.host)));
}

std::string Encode(const ClaimText& claim) {
  const std::string_view version = claim.how > ClaimText::How::kTakesOver ? kLaterVersion : kVersion;
  return WithCrc(fmt::format("{}{}\nidentity {}\ngeneration {} nonce {:08x}\n{}\nhost {}\nat {}\n", kClaimMagic,
                             version, claim.identity, claim.generation, claim.nonce, HowText(claim),
                             OneLine(claim.host), TimeText(claim.at_ms)));
}

Result<LogText> ParseLogText(std::string_view text) {
  if (const auto identity = Behind(text, kEarlierMagic)) {
    LogText log{.identity = std::string(identity->substr(0, identity->find('\n')))};
    const std::string whole =
        fmt::format("{}{}\ncrc {:08x}\n", kEarlierMagic, log.identity, Crc32c(AsBytes(log.identity)));
    if (whole != text) return Damaged("identity", text.size());
    return log;
  }
  MR_ASSIGN_OR_RETURN(const auto lines, LinesOf("log", text));
  const auto version = lines.empty() ? std::nullopt : Behind(lines[0], kLogMagic);
  if (!version) return Damaged("log", text.size());
  MR_TRY(CheckVersion("log", *version));
  const auto identity = lines.size() == 3 ? Behind(lines[1], "identity ") : std::nullopt;
  const auto made = lines.size() == 3 ? Behind(lines[2], "made ") : std::nullopt;
  const std::size_t by = made ? made->find(" by ") : std::string_view::npos;
  if (!identity || by == std::string_view::npos) return Damaged("log", text.size());
  const auto time = ParseTime(made->substr(0, by));
  if (!time) return Damaged("log", text.size());
  return LogText{.identity = std::string(*identity), .made_ms = *time, .host = std::string(made->substr(by + 4))};
}

Result<ClaimText> ParseClaimText(std::string_view text) {
  MR_ASSIGN_OR_RETURN(const auto lines, LinesOf("claim", text));
  const auto version = lines.empty() ? std::nullopt : Behind(lines[0], kClaimMagic);
  if (!version) return Damaged("claim", text.size());
  MR_TRY(CheckVersion("claim", *version, kLaterVersion));
  if (lines.size() != 6) return Damaged("claim", text.size());
  ClaimText claim;
  const auto identity = Behind(lines[1], "identity ");
  const auto host = Behind(lines[4], "host "), at = Behind(lines[5], "at ");
  const auto time = at ? ParseTime(*at) : std::nullopt;
  if (!identity || !host || !time || !ParseNumbers(lines[2], claim) || !ParseHow(lines[3], claim))
    return Damaged("claim", text.size());
  claim.identity = *identity;
  claim.host = *host;
  claim.at_ms = *time;
  return claim;
}

}  // namespace millrace
