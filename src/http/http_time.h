// The ways in which headers, bodies and signatures write a moment of wall time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// "20150830T123600Z", as signatures carry it; the first 8 characters are the day.
[[nodiscard]] std::string FormatSigningTime(std::int64_t wall_ms);
/// "12:36:00Z", for people.
[[nodiscard]] std::string FormatTimeOfDay(std::int64_t wall_ms);
/// "Sun, 30 Aug 2015 12:36:00 GMT", as in the headers date and last-modified. None: anything else.
[[nodiscard]] std::optional<std::int64_t> ParseHttpTime(std::string_view text);
/// "2015-08-30T12:36:00Z" with or without a fraction, as in XML and JSON. None: anything else.
[[nodiscard]] std::optional<std::int64_t> ParseIsoTime(std::string_view text);

}  // namespace millrace
