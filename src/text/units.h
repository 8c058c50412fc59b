// Numbers with units, as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// Decimal, optional minus, nothing else around it.
std::optional<std::int64_t> ParseInteger(std::string_view text);
/// "100", "64KiB", "1GiB", "5MB" (powers of 1000), "1k", "2m", "1g" (powers of 1024).
std::optional<std::uint64_t> ParseSize(std::string_view text);
/// "5ms", "5s", "2m", "3h", "7d", "2w", "500" (milliseconds).
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);
/// Milliseconds since 1970: "2026-01-01", "2026-01-01T10", "2026-01-01T00:00Z", "2026-01-01T00:00:00.250+02:00",
/// "1767225600000", "now", "-5m" (before `now_ms`). Without a zone: UTC.
std::optional<std::int64_t> ParseTime(std::string_view text, std::int64_t now_ms);

/// "1.5 MiB"
std::string FormatBytes(std::uint64_t bytes);
/// "7d", "90m", "1.5s", "250ms": exact.
std::string FormatDuration(std::chrono::milliseconds duration);
/// "2026-01-01T00:00:00.000Z"
std::string FormatTime(std::int64_t time_ms);
/// "1,234,567"
std::string FormatCount(std::uint64_t count);
/// "1.2 µs", "3.40 ms", for latencies.
std::string FormatNanoseconds(std::uint64_t nanoseconds);

}  // namespace millrace
