// What a follower knows of a log that somebody else writes, and the rows that follow from it. No I/O: snapshot and
// directories in, rows out.
//
//   snapshot's segments ─► chain of objects behind it (followed_chain.h) ─► the end that is shown
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "millrace/metadata_store.h"
#include "tier/followed_chain.h"
#include "tier/log_survey.h"
#include "tier/snapshot_format.h"
#include "tier/store_keys.h"
#include "tier/told_settings.h"

namespace millrace {

/// A partition's row as it is now, and all its segments that end past `from`.
struct FollowedPartition {
  PartitionRow row;
  Offset from;
  std::vector<SegmentRow> segments;
};

/// What is new, as rows.
struct FollowedNews {
  bool afresh = false;                 // all there is: rows of any other key are gone
  bool topics_changed = false;         // and `topics` are all there are
  std::vector<StoreRow> store;         // afresh alone, as are the positions
  std::vector<PositionRow> positions;  // they may lie past the end that is shown
  std::vector<TopicRow> topics;
  std::vector<ObjectRow> objects;
  std::vector<FollowedPartition> partitions;

  [[nodiscard]] bool empty() const { return !afresh && !topics_changed && partitions.empty(); }
};

/// Not thread-safe. Memory: what the objects behind the snapshot say of themselves.
class FollowedCatalog {
 public:
  /// First, if there is one. Its segments and objects are not kept: they are in what it returns, beside its positions.
  FollowedNews TakeSnapshot(Snapshot snapshot);
  /// Each once, in the order of names where they come together. A directory of this log.
  void TakeObject(const FoundObject& object);
  [[nodiscard]] bool has_news() const { return topics_changed_ || !touched_.empty(); }
  /// What follows from the objects that were taken since the last call, behind the snapshot.
  FollowedNews Link();
  /// Whether the last Link had to bridge a hole: something is not there that was once.
  [[nodiscard]] bool has_gap() const { return has_gap_; }
  /// The news of the last Link come again with the next.
  void LinkAgain();

  /// Attempts of this generation below it have ended, as far as is known.
  [[nodiscard]] std::uint64_t settled(std::uint32_t generation, std::uint32_t nonce) const;
  [[nodiscard]] std::int64_t next_topic() const { return next_topic_; }
  [[nodiscard]] std::uint64_t objects() const { return objects_.size(); }

 private:
  struct Base {
    PartitionRow row;  // of the snapshot
    Offset log_start;  // as objects tell it, if it is further
    std::vector<FollowedPiece> pieces;
  };
  static void TakeBounds(Base& base, std::vector<SegmentRow>& segments);
  std::optional<TopicId> TakeTopic(const FoundObject& object, const DirectoryTopic& topic);
  bool MakeTopic(TopicRow row);
  void TakePartitions(const TopicRow& topic);
  void TakeEntry(const FoundObject& object, const ObjectEntry& entry, TopicId topic);
  FollowedPartition LinkPartition(Base& base);

  std::int64_t snapshot_topic_ = 0, next_topic_ = 0;
  std::map<TopicId, TopicRow> topics_;
  ToldSettings settings_;
  std::map<PartitionKey, Base> partitions_;
  std::map<ObjectId, ObjectRow> objects_;  // behind the snapshot
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> settled_;
  std::set<TopicId> touched_, linked_;
  bool topics_changed_ = false, topics_told_ = false, has_gap_ = false;
};

}  // namespace millrace
