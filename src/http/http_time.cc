#include "http/http_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::sys_days;

// The number in `count` digits at `at`, or nothing.
std::optional<int> Digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int number = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

struct Clock24 {
  int hour = 0, minute = 0, second = 0;
};

std::optional<Clock24> TimeOfDayAt(std::string_view text, std::size_t at) {
  const auto hour = Digits(text, at, 2), minute = Digits(text, at + 3, 2), second = Digits(text, at + 6, 2);
  if (!hour || !minute || !second || text[at + 2] != ':' || text[at + 5] != ':') return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return Clock24{*hour, *minute, *second};
}

std::optional<std::int64_t> Moment(int year, int month, int day, const Clock24& time) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const seconds since = sys_days(date).time_since_epoch() + std::chrono::hours(time.hour) +
                        std::chrono::minutes(time.minute) + seconds(time.second);
  return milliseconds(since).count();
}

}  // namespace

std::string FormatSigningTime(std::int64_t wall_ms) {
  const std::chrono::sys_time<milliseconds> at{milliseconds(wall_ms)};
  const sys_days day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<seconds>(at - day));
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

std::string FormatTimeOfDay(std::int64_t wall_ms) {
  const std::string text = FormatSigningTime(wall_ms);
  return fmt::format("{}:{}:{}Z", text.substr(9, 2), text.substr(11, 2), text.substr(13, 2));
}

std::optional<std::int64_t> ParseHttpTime(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || !text.ends_with(" GMT") || text.substr(3, 2) != ", ") return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  const auto day = Digits(text, 5, 2), year = Digits(text, 12, 4);
  const auto time = TimeOfDayAt(text, 17);
  if (month == kMonths.end() || !day || !year || !time) return std::nullopt;
  return Moment(*year, static_cast<int>(month - kMonths.begin()) + 1, *day, *time);
}

std::optional<std::int64_t> ParseIsoTime(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text.back() != 'Z') {
    return std::nullopt;
  }
  const auto year = Digits(text, 0, 4), month = Digits(text, 5, 2), day = Digits(text, 8, 2);
  const auto time = TimeOfDayAt(text, 11);
  if (!year || !month || !day || !time) return std::nullopt;
  auto moment = Moment(*year, *month, *day, *time);
  if (!moment || text.size() == 20) return moment;
  // A fraction: milliseconds of it count.
  const std::string_view fraction = text.substr(20, text.size() - 21);
  if (text[19] != '.' || fraction.empty()) return std::nullopt;
  int milli = 0, weight = 100;
  for (const char c : fraction) {
    if (c < '0' || c > '9') return std::nullopt;
    milli += (c - '0') * weight;
    weight /= 10;
  }
  return *moment + milli;
}

}  // namespace millrace
