#include "kafka/api_ranges.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kafka/messages/api_keys.h"

namespace millrace::kafka {
namespace {

struct Served {
  ApiKey key;
  VersionRange advertised, accepted;
};

constexpr std::array kServed = std::to_array<Served>({
    // v0 is shown and refused: librdkafka before 2.11.1 takes its absence to mean that compression is not known.
    {ApiKey::kProduce, {0, 11}, {3, 11}},       {ApiKey::kFetch, {4, 17}, {4, 17}},
    {ApiKey::kListOffsets, {1, 10}, {1, 10}},   {ApiKey::kMetadata, {0, 12}, {0, 12}},
    {ApiKey::kOffsetCommit, {2, 9}, {2, 9}},    {ApiKey::kOffsetFetch, {1, 9}, {1, 9}},
    {ApiKey::kFindCoordinator, {0, 6}, {0, 6}}, {ApiKey::kJoinGroup, {0, 9}, {0, 9}},
    {ApiKey::kHeartbeat, {0, 4}, {0, 4}},       {ApiKey::kLeaveGroup, {0, 5}, {0, 5}},
    {ApiKey::kSyncGroup, {0, 5}, {0, 5}},       {ApiKey::kDescribeGroups, {0, 6}, {0, 6}},
    {ApiKey::kListGroups, {0, 5}, {0, 5}},      {ApiKey::kApiVersions, {0, 4}, {0, 4}},
    {ApiKey::kCreateTopics, {2, 7}, {2, 7}},    {ApiKey::kDeleteTopics, {1, 6}, {1, 6}},
    {ApiKey::kInitProducerId, {0, 5}, {0, 5}},  {ApiKey::kOffsetForLeaderEpoch, {2, 4}, {2, 4}},
    {ApiKey::kDescribeConfigs, {1, 4}, {1, 4}}, {ApiKey::kCreatePartitions, {0, 3}, {0, 3}},
    {ApiKey::kDeleteGroups, {0, 2}, {0, 2}},    {ApiKey::kOffsetDelete, {0, 0}, {0, 0}},
    {ApiKey::kDescribeCluster, {0, 2}, {0, 2}},
});

/// Joins the rows above with the names, and holds them to the tables: the same keys in the same order, nothing accepted
/// that no table can read, nothing accepted that is not advertised.
consteval auto JoinTables() {
  static_assert(kServed.size() == kApiTables.size());
  std::array<ApiRange, kServed.size()> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool fits = kServed[i].key == kApiTables[i].key && kApiTables[i].versions.Contains(kServed[i].accepted) &&
                      kServed[i].advertised.Contains(kServed[i].accepted);
    if (!fits) throw "a row that does not fit its table";
    rows[i] = {std::to_underlying(kServed[i].key), kApiTables[i].name, kServed[i].advertised, kServed[i].accepted};
  }
  return rows;
}

constexpr auto kRows = JoinTables();

}  // namespace

std::span<const ApiRange> ApiRanges() { return kRows; }

const ApiRange* FindApiRange(std::int16_t key) {
  const auto row = std::ranges::find(kRows, key, &ApiRange::key);
  return row == kRows.end() ? nullptr : &*row;
}

}  // namespace millrace::kafka
