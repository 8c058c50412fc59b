#include "kafka/consumer_protocol.h"

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/check.h"
#include "base/coding.h"
#include "millrace/bytes.h"

namespace millrace::kafka {
namespace {

constexpr std::int16_t kVersion = 0;
constexpr std::int32_t kNoData = -1;

template <class Number>
void Put(std::string& out, Number number) {
  std::byte bytes[sizeof(Number)];
  PutBe(bytes, number);
  out.append(AsText(bytes));
}

void PutText(std::string& out, std::string_view text) {
  MR_CHECK(text.size() <= INT16_MAX, text.size());
  Put(out, static_cast<std::int16_t>(text.size()));
  out.append(text);
}

/// A number off the front; none: too few bytes.
template <class Number>
std::optional<Number> Take(std::string_view& rest) {
  if (rest.size() < sizeof(Number)) return std::nullopt;
  const auto number = GetBe<Number>(AsBytes(rest).data());
  rest.remove_prefix(sizeof(Number));
  return number;
}

std::optional<std::string_view> TakeText(std::string_view& rest) {
  const auto length = Take<std::int16_t>(rest);
  if (!length || *length < 0 || static_cast<std::size_t>(*length) > rest.size()) return std::nullopt;
  const std::string_view text = rest.substr(0, static_cast<std::size_t>(*length));
  rest.remove_prefix(text.size());
  return text;
}

/// The version and a count, which both begin with. The count is not believed: each of what it counts takes bytes.
std::optional<std::int32_t> TakeHead(std::string_view& rest) {
  const auto version = Take<std::int16_t>(rest);
  if (!version || *version < 0) return std::nullopt;
  const auto count = Take<std::int32_t>(rest);
  if (!count || *count < 0) return std::nullopt;
  return count;
}

}  // namespace

/// subscription = version:i16 count:i32 topic* data:bytes      topic = length:i16 bytes
std::string EncodeSubscription(std::span<const std::string> topics) {
  std::string out;
  Put(out, kVersion);
  Put(out, static_cast<std::int32_t>(topics.size()));
  for (const std::string& topic : topics) PutText(out, topic);
  Put(out, kNoData);
  return out;
}

std::optional<std::vector<std::string>> ReadSubscription(std::string_view bytes) {
  const auto count = TakeHead(bytes);
  if (!count) return std::nullopt;
  std::vector<std::string> topics;
  for (std::int32_t i = 0; i < *count; ++i) {
    const auto topic = TakeText(bytes);
    if (!topic) return std::nullopt;
    topics.emplace_back(*topic);
  }
  return topics;
}

/// assignment = version:i16 count:i32 (topic count:i32 partition:i32*)* data:bytes
std::string EncodeAssignment(std::span<const TopicPartition> partitions) {
  std::map<std::string_view, std::vector<std::int32_t>> topics;
  for (const TopicPartition& one : partitions) topics[one.topic].push_back(one.partition.value());
  std::string out;
  Put(out, kVersion);
  Put(out, static_cast<std::int32_t>(topics.size()));
  for (const auto& [topic, numbers] : topics) {
    PutText(out, topic);
    Put(out, static_cast<std::int32_t>(numbers.size()));
    for (const std::int32_t number : numbers) Put(out, number);
  }
  Put(out, kNoData);
  return out;
}

std::optional<std::vector<TopicPartition>> ReadAssignment(std::string_view bytes) {
  std::vector<TopicPartition> partitions;
  if (bytes.empty()) return partitions;
  const auto count = TakeHead(bytes);
  if (!count) return std::nullopt;
  for (std::int32_t i = 0; i < *count; ++i) {
    const auto topic = TakeText(bytes);
    const auto numbers = topic ? Take<std::int32_t>(bytes) : std::nullopt;
    if (!numbers || *numbers < 0) return std::nullopt;
    for (std::int32_t j = 0; j < *numbers; ++j) {
      const auto number = Take<std::int32_t>(bytes);
      if (!number || *number < 0) return std::nullopt;
      partitions.push_back({std::string(*topic), PartitionId(*number)});
    }
  }
  return partitions;
}

}  // namespace millrace::kafka
