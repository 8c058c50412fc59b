#include "group/subscription.h"

#include <cstdint>

#include "base/coding.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

/// A number off the front; none: too few bytes.
template <class Number>
std::optional<Number> Take(std::string_view& rest) {
  if (rest.size() < sizeof(Number)) return std::nullopt;
  const auto number = GetBe<Number>(AsBytes(rest).data());
  rest.remove_prefix(sizeof(Number));
  return number;
}

}  // namespace

/// subscription = version:i16 count:i32 topic* …        topic = length:i16 bytes
std::optional<std::vector<std::string_view>> SubscribedTopics(std::string_view metadata) {
  const auto version = Take<std::int16_t>(metadata);
  if (!version || *version < 0) return std::nullopt;
  const auto count = Take<std::int32_t>(metadata);
  if (!count || *count < 0) return std::nullopt;
  std::vector<std::string_view> topics;
  for (std::int32_t i = 0; i < *count; ++i) {
    const auto length = Take<std::int16_t>(metadata);
    if (!length || *length < 0 || static_cast<std::size_t>(*length) > metadata.size()) return std::nullopt;
    topics.push_back(metadata.substr(0, static_cast<std::size_t>(*length)));
    metadata.remove_prefix(static_cast<std::size_t>(*length));
  }
  return topics;
}

}  // namespace millrace
