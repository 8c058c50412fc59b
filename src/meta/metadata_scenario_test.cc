#include "meta/metadata_scenario.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/try.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "meta/metadata_rows.h"

namespace millrace {
namespace {

template <class T>
Result<void> Done(const Result<T>& result) {
  if (!result) return result.error();
  return {};
}

PartitionKey Key(std::int64_t topic, std::int32_t partition) { return {TopicId(topic), PartitionId(partition)}; }

ObjectRow Object(int n) {
  ObjectRow row;
  row.id.fill(static_cast<std::uint8_t>(n));
  row.id[0] = static_cast<std::uint8_t>(n >> 8);
  row.key = fmt::format("objects/{:04x}/{}", n, std::string(40, 'k'));
  row.size_bytes = 1 << 20;
  row.changed_ms = 1000 + n;
  return row;
}

MetadataStep Create(std::string name, std::int32_t partitions) {
  return [=](MetadataStore& store) {
    TopicOptions options;
    options.partitions = partitions;
    options.retention_bytes = 1 << 30;
    return Done(Catalog(store).CreateTopic(name, options, "00112233445566778899aabbccddeeff", 77));
  };
}

MetadataStep Prepare(int n) {
  return [=](MetadataStore& store) { return Catalog(store).PrepareObject(Object(n)); };
}

/// One object with ten offsets of partition 0 and ten of partition 1 of topic 1.
MetadataStep Commit(int n, std::int64_t base) {
  return [=](MetadataStore& store) {
    const ObjectRow object = Object(n);
    std::vector<SegmentCommit> commits;
    for (std::int32_t p = 0; p < 2; ++p) {
      commits.push_back({{Key(1, p), Offset(base), Offset(base + 10), object.id, 100u * static_cast<unsigned>(p), 100,
                          10, base, base + 9},
                         LeaderEpoch(1)});
    }
    return Done(Catalog(store).CommitSegments(object, commits));
  };
}

MetadataStep Positions(std::string group, std::int64_t at) {
  return [=](MetadataStore& store) {
    const PositionRow rows[] = {{{group, Key(1, 0)}, Offset(at)}, {{group, Key(1, 1)}, Offset(at + 1)}};
    return Catalog(store).CommitPositions(rows);
  };
}

}  // namespace

std::vector<MetadataStep> MetadataScenario() {
  std::vector<MetadataStep> steps;
  steps.push_back([](MetadataStore& store) { return Catalog(store).SetIdentity("0123456789abcdef"); });
  steps.push_back(Create("orders", 3));
  for (std::int32_t p = 0; p < 2; ++p) {
    steps.push_back([=](MetadataStore& store) { return Done(Catalog(store).AcquireEpoch(Key(1, p))); });
  }
  for (int n = 0; n < 12; ++n) {
    steps.push_back(Prepare(n));
    steps.push_back(Commit(n, n * 10));
    if (n % 3 == 0) steps.push_back(Positions(std::string("group\0", 6) + std::to_string(n), n * 10));
  }
  steps.push_back(Create("short-lived", 2));
  steps.push_back([](MetadataStore& store) {
    return Done(Catalog(store).AdvanceLogStart(Key(1, 0), LeaderEpoch(1), Offset(25), 9000));
  });
  steps.push_back([](MetadataStore& store) {
    return Done(Catalog(store).AdvanceLogStart(Key(1, 1), LeaderEpoch(1), Offset(45), 9001));
  });
  steps.push_back([](MetadataStore& store) { return Catalog(store).ForgetObject(Object(0).id); });
  steps.push_back(Prepare(100));
  steps.push_back([](MetadataStore& store) { return Catalog(store).AbandonObject(Object(100).id, 9002); });
  steps.push_back([](MetadataStore& store) {
    TopicOptions options;
    options.partitions = 5;
    options.durability = Durability::kObject;
    return Catalog(store).AlterTopic(TopicId(1), options);
  });
  steps.push_back([](MetadataStore& store) { return Catalog(store).DeleteTopic(TopicId(2), 9003); });
  steps.push_back([](MetadataStore& store) -> Result<void> {
    MR_TRY(Catalog(store).DeleteGroup(std::string("group\0", 6) + "3"));
    return {};
  });
  steps.push_back(Create("short-lived", 1));
  return steps;
}

Result<std::string> DumpMetadata(MetadataStore& store) {
  std::string text;
  MR_ASSIGN_OR_RETURN(const std::string identity, Catalog(store).Identity());
  text += "identity " + identity + "\n";
  MR_ASSIGN_OR_RETURN(const std::vector<TopicRow> topics, Catalog(store).Topics());
  for (const TopicRow& topic : topics) {
    text += fmt::format("topic {} {} {} {} {} {} {}\n", topic.id.value(), topic.name, topic.uuid, topic.created_ms,
                        topic.options.partitions, topic.options.retention_bytes.value_or(0),
                        static_cast<int>(topic.options.durability));
    MR_ASSIGN_OR_RETURN(const std::vector<PartitionRow> partitions, Catalog(store).Partitions(topic.id));
    for (const PartitionRow& row : partitions) {
      text += fmt::format(" {} epoch {} [{}, {}) {} {}\n", PartitionText(row.key), row.epoch.value(),
                          row.log_start.value(), row.tiered_end.value(), row.segments, row.segment_bytes);
      MR_ASSIGN_OR_RETURN(const std::vector<SegmentRow> segments,
                          Catalog(store).Segments(row.key, Offset(0), SIZE_MAX));
      for (const SegmentRow& segment : segments) {
        text += fmt::format("  [{}, {}) {} {} {} {} {} {}\n", segment.base.value(), segment.end.value(),
                            ObjectIdText(segment.object), segment.byte_begin, segment.byte_size, segment.records,
                            segment.timestamp_min_ms, segment.timestamp_max_ms);
      }
    }
  }
  for (const ObjectState state : {ObjectState::kPrepared, ObjectState::kCommitted, ObjectState::kDeleting}) {
    MR_ASSIGN_OR_RETURN(const std::vector<ObjectRow> objects, Catalog(store).ObjectsIn(state, INT64_MAX, SIZE_MAX));
    for (const ObjectRow& object : objects) {
      text += fmt::format("object {} {} {} {} {}\n", ObjectIdText(object.id), object.key, object.size_bytes,
                          static_cast<int>(object.state), object.changed_ms);
      MR_ASSIGN_OR_RETURN(const std::optional<ObjectRow> found, Catalog(store).FindObject(object.id));
      if (found != object) text += "  not found by its id\n";
    }
  }
  MR_ASSIGN_OR_RETURN(const std::vector<std::string> groups, Catalog(store).Groups());
  for (const std::string& group : groups) {
    MR_ASSIGN_OR_RETURN(const std::vector<PositionRow> positions, Catalog(store).Positions(group));
    for (const PositionRow& row : positions) {
      text += fmt::format("position {} {} {}\n", row.key.group, PartitionText(row.key.partition), row.position.value());
    }
  }
  return text;
}

std::vector<std::string> ModelDumps(const std::vector<MetadataStep>& steps) {
  MemoryMetadataStore model;
  std::vector<std::string> dumps = {*DumpMetadata(model)};
  for (const MetadataStep& step : steps) {
    auto done = step(model);
    EXPECT_TRUE(done) << done.error().ToString();
    dumps.push_back(*DumpMetadata(model));
  }
  return dumps;
}

}  // namespace millrace
