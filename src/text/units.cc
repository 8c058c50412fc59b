#include "text/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace millrace {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 16> kSizeUnits{{
    {"", 1},
    {"b", 1},
    {"k", 1ull << 10},
    {"m", 1ull << 20},
    {"g", 1ull << 30},
    {"t", 1ull << 40},
    {"kib", 1ull << 10},
    {"mib", 1ull << 20},
    {"gib", 1ull << 30},
    {"tib", 1ull << 40},
    {"kb", 1'000},
    {"mb", 1'000'000},
    {"gb", 1'000'000'000},
    {"tb", 1'000'000'000'000},
    {"pib", 1ull << 50},
    {"pb", 1'000'000'000'000'000},
}};

constexpr std::array<std::pair<std::string_view, std::int64_t>, 8> kDurationUnits{{
    {"", 1},
    {"ms", 1},
    {"s", 1'000},
    {"m", 60'000},
    {"min", 60'000},
    {"h", 3'600'000},
    {"d", 86'400'000},
    {"w", 7 * 86'400'000},
}};

/// Splits "64MiB" into 64 and "mib".
std::optional<std::pair<std::uint64_t, std::string>> SplitUnit(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  std::string unit(text.substr(static_cast<std::size_t>(end - text.data())));
  std::ranges::transform(unit, unit.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::pair(number, unit);
}

template <class Table>
auto FindUnit(const Table& table, std::string_view unit) -> std::optional<typename Table::value_type::second_type> {
  for (const auto& [name, factor] : table) {
    if (name == unit) return factor;
  }
  return std::nullopt;
}

/// Takes digits off the front of a time; the cursor of one small grammar.
class TimeText {
 public:
  explicit TimeText(std::string_view text) : rest_(text) {}

  std::optional<int> Digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool Done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> ParseDate(TimeText& text) {
  auto year = text.Digits(4);
  if (!year || !text.Take('-')) return std::nullopt;
  auto month = text.Digits(2);
  if (!month || !text.Take('-')) return std::nullopt;
  auto day = text.Digits(2);
  if (!day) return std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return milliseconds(std::chrono::sys_days(date).time_since_epoch()).count();
}

std::optional<std::int64_t> ParseHourMinute(TimeText& text) {
  auto hour = text.Digits(2);
  if (!hour || *hour > 23) return std::nullopt;
  if (!text.Take(':')) return *hour * 3'600'000LL;
  auto minute = text.Digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  return (*hour * 60 + *minute) * 60'000LL;
}

std::optional<std::int64_t> ParseTimeOfDay(TimeText& text) {
  auto total = ParseHourMinute(text);
  if (!total || !text.Take(':')) return total;
  auto second = text.Digits(2);
  if (!second || *second > 59) return std::nullopt;
  *total += *second * 1'000LL;
  if (!text.Take('.')) return total;
  auto fraction = text.Digits(3);
  if (!fraction) return std::nullopt;
  return *total + *fraction;
}

/// What has to be taken off to come to UTC.
std::optional<std::int64_t> ParseZone(TimeText& text) {
  if (text.Done() || text.Take('Z')) return 0;
  std::int64_t sign = text.Take('+') ? 1 : text.Take('-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  auto distance = ParseHourMinute(text);
  if (!distance) return std::nullopt;
  return sign * *distance;
}

}  // namespace

std::optional<std::int64_t> ParseInteger(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.empty() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> ParseSize(std::string_view text) {
  auto split = SplitUnit(text);
  if (!split) return std::nullopt;
  auto factor = FindUnit(kSizeUnits, split->second);
  if (!factor || split->first > UINT64_MAX / *factor) return std::nullopt;
  return split->first * *factor;
}

std::optional<milliseconds> ParseDuration(std::string_view text) {
  auto split = SplitUnit(text);
  if (!split) return std::nullopt;
  auto factor = FindUnit(kDurationUnits, split->second);
  if (!factor || split->first > static_cast<std::uint64_t>(INT64_MAX / *factor)) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(split->first) * *factor);
}

std::optional<std::int64_t> ParseTime(std::string_view text, std::int64_t now_ms) {
  if (text.starts_with('-')) {
    auto before = ParseDuration(text.substr(1));
    if (!before) return std::nullopt;
    return now_ms - before->count();
  }
  if (text == "now") return now_ms;
  if (auto plain = ParseInteger(text)) return plain;
  TimeText rest(text);
  auto date = ParseDate(rest);
  if (!date || rest.Done()) return date;
  if (!rest.Take('T') && !rest.Take(' ')) return std::nullopt;
  auto time = ParseTimeOfDay(rest);
  if (!time) return std::nullopt;
  auto zone = ParseZone(rest);
  if (!zone || !rest.Done()) return std::nullopt;
  return *date + *time - *zone;
}

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string FormatDuration(milliseconds duration) {
  std::int64_t count = duration.count();
  for (auto [unit, name] : {std::pair(86'400'000LL, "d"), {3'600'000LL, "h"}, {60'000LL, "m"}, {1'000LL, "s"}}) {
    if (count >= unit && count % unit == 0) return fmt::format("{}{}", count / unit, name);
  }
  return fmt::format("{}ms", count);
}

std::string FormatTime(std::int64_t time_ms) {
  using namespace std::chrono;
  sys_time<milliseconds> time{milliseconds(time_ms)};
  auto day = floor<days>(time);
  year_month_day date(day);
  hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string FormatCount(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string FormatNanoseconds(std::uint64_t nanoseconds) {
  double value = static_cast<double>(nanoseconds);
  if (value < 1e3) return fmt::format("{} ns", nanoseconds);
  if (value < 1e6) return fmt::format("{:.1f} µs", value / 1e3);
  if (value < 1e9) return fmt::format("{:.2f} ms", value / 1e6);
  return fmt::format("{:.2f} s", value / 1e9);
}

}  // namespace millrace
