#include "tier/arrived_objects.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "base/try.h"
#include "meta/home_catalog.h"
#include "meta/segment_catalog.h"
#include "tier/chain_ways.h"
#include "tier/object_tail.h"
#include "tier/offset_ceiling.h"
#include "tier/segment_commit.h"

namespace millrace {
namespace {

constexpr std::size_t kPreparedMax = 10'000;  // of one process: more than it has under way at once

}  // namespace

ArrivedObjects::ArrivedObjects(StoreClaim& claim, ObjectStore& objects, MetadataStore& metadata, TrustedTime& time)
    : claim_(claim), objects_(objects), metadata_(metadata), time_(time), taking_(time) {}

Result<void> ArrivedObjects::TakeOnce(TieredPartitions& partitions) {
  if (done_.load(std::memory_order_acquire)) return {};
  const auto taken = taking_.Run("linking what had arrived in the object store", [&]() -> Result<bool> {
    if (done_.load(std::memory_order_acquire)) return false;
    auto took = Take(partitions);
    if (took) done_.store(true, std::memory_order_release);
    return took;
  });
  if (!taken) return taken.error();
  return {};
}

Result<bool> ArrivedObjects::Take(TieredPartitions& partitions) {
  MR_ASSIGN_OR_RETURN(const std::vector<Arrived> arrived, Find());
  if (arrived.empty()) return false;
  MR_ASSIGN_OR_RETURN(Partitions going, Sort(partitions, arrived));
  for (auto& [key, partition] : going) KeepChain(partition);
  // All of them were seen before this look: so are they by whoever takes the log over.
  MR_TRY(claim_.Prove());
  for (const Arrived& object : arrived) MR_TRY(Commit(object, going));
  return true;
}

/// Those of earlier generations that were prepared, and are there with their own directory, by name.
Result<std::vector<ArrivedObjects::Arrived>> ArrivedObjects::Find() {
  constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();
  MR_ASSIGN_OR_RETURN(const auto prepared,
                      SegmentCatalog(metadata_).ObjectsIn(ObjectState::kPrepared, kEver, kPreparedMax));
  std::vector<Arrived> arrived;
  if (prepared.empty()) return arrived;
  MR_TRY(claim_.Hold());
  MR_ASSIGN_OR_RETURN(const std::uint32_t taken_over, HomeCatalog(metadata_).TakenOver());
  for (const ObjectRow& row : prepared) {
    const auto name = claim_.keys().ObjectIn(row.key);
    // What was put by another directory, before this one took the log over, was judged then.
    if (!name || name->generation <= taken_over || name->generation >= claim_.generation().number) continue;
    auto directory = ReadObjectDirectory(objects_, row.key, row.size_bytes);
    if (!directory && (directory.error().retryable() || directory.error().code() == ErrorCode::kClosed))
      return directory.error().WithContext("looking for what had arrived in the object store");
    if (!directory || !*directory) continue;  // it never came, or is of no use
    const ObjectDirectory& read = **directory;
    const bool its = read.identity == StoredIdOf(claim_.keys().identity()) && read.generation == name->generation &&
                     read.nonce == name->nonce && read.sequence == name->sequence;
    if (its) arrived.push_back({row, {*name, row.key, row.size_bytes, **std::move(directory)}});
  }
  std::ranges::sort(arrived, {}, [](const Arrived& one) { return one.found.name; });
  return arrived;
}

Result<ArrivedObjects::Partitions> ArrivedObjects::Sort(TieredPartitions& partitions,
                                                        const std::vector<Arrived>& arrived) {
  Partitions all, going;
  partitions.ForEach([&](TieredPartition& partition) {
    PartitionLog& log = partition.log();
    if (!log.broken()) all[log.key()] = {.partition = &partition, .at = log.offsets().tiered_end, .entries = {}};
  });
  for (const Arrived& object : arrived) {
    const ObjectDirectory& directory = object.found.directory;
    for (const ObjectEntry& entry : directory.entries) {
      const DirectoryTopic& topic = directory.topics[entry.topic];
      const auto partition = all.find({topic.number, entry.partition});
      if (partition == all.end() || entry.byte_size == 0 || entry.rewritten) continue;
      const bool within =
          entry.byte_begin <= object.row.size_bytes && entry.byte_size <= object.row.size_bytes - entry.byte_begin;
      // The log goes on from what is on its disk: what lies beyond is not its own.
      const Offset durable_end = partition->second.partition->log().offsets().durable_end;
      if (!within || entry.end > durable_end) continue;
      partition->second.entries.push_back({&object, &entry});
    }
  }
  for (auto& [key, partition] : all)
    if (!partition.entries.empty()) going.emplace(key, std::move(partition));
  return going;
}

/// Only the entries of the chain that reaches farthest stay.
void ArrivedObjects::KeepChain(Going& going) {
  std::ranges::sort(going.entries, [](const Entry& one, const Entry& other) {
    return std::tie(one.entry->base, one.entry->end, one.object->found.name) <
           std::tie(other.entry->base, other.entry->end, other.object->found.name);
  });
  std::vector<ChainPiece> pieces;
  for (const Entry& entry : going.entries) pieces.push_back({entry.entry->base, entry.entry->end});
  const ChainWays ways(pieces);
  std::vector<Entry> chain;
  for (auto next = ways.At(going.at); next; next = ways.At(pieces[*next].end)) chain.push_back(going.entries[*next]);
  going.entries = std::move(chain);
}

/// What of it goes on where its partitions end by now. An object can be committed once: what comes too early in it is
/// uploaded again.
Result<void> ArrivedObjects::Commit(const Arrived& object, Partitions& partitions) {
  std::vector<SegmentCommit> commits;
  for (auto& [key, going] : partitions) {
    for (const Entry& each : going.entries) {
      if (each.object != &object || each.entry->base != going.at) continue;
      const ObjectEntry& entry = *each.entry;
      commits.push_back({.segment = {.partition = key,
                                     .base = entry.base,
                                     .end = entry.end,
                                     .object = object.row.id,
                                     .byte_begin = entry.byte_begin,
                                     .byte_size = entry.byte_size,
                                     .records = entry.records,
                                     .timestamp_min_ms = entry.timestamp_min_ms,
                                     .timestamp_max_ms = entry.timestamp_max_ms,
                                     .committed_ms = time_.CommitMs()},
                         .epoch = going.partition->log().epoch()});
      going.at = entry.end;
    }
  }
  if (commits.empty()) return {};
  const auto rows = CommitAndKnow(metadata_, object.row, commits);
  if (!rows && !CommitIsKnown(rows.error())) return rows.error().WithContext("committing " + object.row.key);
  for (std::size_t i = 0; i < commits.size(); ++i) {
    Going& going = partitions.at(commits[i].segment.partition);
    if (!rows) {
      going.at = going.partition->log().offsets().tiered_end;  // not from it: a copy may do
      continue;
    }
    going.partition->OnSegment(commits[i].segment);
    going.partition->OnRow((*rows)[i]);
    going.partition->log().RaiseCeiling(CeilingOver(commits[i].segment.end));
  }
  if (rows) taken_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace millrace
