#include "tier/found_producers.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

namespace millrace {
namespace {

/// Whether `batch` is in the log: in a segment that has bytes, or gone below its start.
bool IsHeld(const ProducedBatch& batch, const PartitionRow& partition, std::span<const SegmentRow> segments) {
  if (batch.end() <= partition.log_start) return true;
  const auto end_of = [](const SegmentRow& row) { return std::tuple(row.partition, row.end); };
  const auto segment =
      std::ranges::lower_bound(segments, std::tuple(partition.key, batch.end()), {}, end_of);  // the first that may
  return segment != segments.end() && segment->partition == partition.key && !segment->is_gap() &&
         segment->base <= batch.base;
}

}  // namespace

void FoundProducers::Add(OfPlace& place, const ProducerWindow& window, std::int64_t heard_ms) {
  // Whether what was dropped of it was newer is not known any more.
  if (heard_ms <= dropped_ms_ && !place.producers.contains(window.id)) return;
  const auto [found, is_new] = place.producers.try_emplace(window.id);
  if (is_new) ++count_;
  Producer& producer = found->second;
  producer.heard_ms = std::max(producer.heard_ms, heard_ms);
  const auto base_of = [](const Batch& batch) { return batch.produced.base; };
  for (const ProducedBatch& produced : window.known()) {
    const auto at = std::ranges::lower_bound(producer.batches, produced.base, {}, base_of);
    if (at != producer.batches.end() && at->produced.base == produced.base) continue;
    producer.batches.insert(at, {window.epoch, produced});
  }
  if (producer.batches.size() > ProducerWindow::kBatchesMax)
    producer.batches.erase(producer.batches.begin(),
                           producer.batches.end() - static_cast<std::ptrdiff_t>(ProducerWindow::kBatchesMax));
}

void FoundProducers::Add(const Snapshot& snapshot) {
  std::map<TopicId, StoredId> topics;
  for (const TopicRow& topic : snapshot.topics) topics.emplace(topic.id, StoredIdOf(topic.uuid));
  for (const KnownProducer& known : snapshot.producers) {
    const auto topic = topics.find(known.partition.topic);
    if (topic == topics.end()) continue;
    Add(places_[{known.partition.topic, topic->second, known.partition.partition}], known.window, known.touched_ms);
  }
  DropOldest();
}

void FoundProducers::Add(const ObjectDirectory& directory) {
  for (const DirectoryShare& share : directory.shares) {
    const ObjectEntry& entry = directory.entries[share.entry];
    const DirectoryTopic& topic = directory.topics[entry.topic];
    OfPlace& place = places_[{topic.number, topic.uuid, entry.partition}];
    if (share.told.left_out > 0) place.left_out_from = std::max(place.left_out_from, entry.base);
    for (const ProducerWindow& producer : share.told.producers) Add(place, producer, directory.written_ms);
  }
  DropOldest();
}

/// Half of them go at once, so that it costs little for each.
void FoundProducers::DropOldest() {
  if (count_ <= 2 * kProducersKept) return;
  std::vector<std::int64_t> heard;
  heard.reserve(count_);
  for (const auto& [place, of_place] : places_)
    for (const auto& [id, producer] : of_place.producers) heard.push_back(producer.heard_ms);
  const auto oldest_kept = heard.end() - static_cast<std::ptrdiff_t>(kProducersKept);
  std::ranges::nth_element(heard, oldest_kept);
  const std::int64_t oldest_ms = *oldest_kept;
  // Of those heard of in that very moment, as many as there is room for.
  std::size_t room = kProducersKept - static_cast<std::size_t>(std::ranges::count_if(
                                          heard, [&](std::int64_t each_ms) { return each_ms > oldest_ms; }));
  for (auto& [place, of_place] : places_)
    std::erase_if(of_place.producers, [&](const auto& each) {
      if (each.second.heard_ms != oldest_ms) return each.second.heard_ms < oldest_ms;
      if (room == 0) return true;
      --room;
      return false;
    });
  count_ = kProducersKept;
  dropped_ms_ = std::max(dropped_ms_, oldest_ms);
}

std::vector<KnownProducer> FoundProducers::HeldIn(std::span<const TopicRow> topics,
                                                  std::span<const PartitionRow> partitions,
                                                  std::span<const SegmentRow> segments) const {
  std::map<TopicId, StoredId> uuids;
  for (const TopicRow& topic : topics) uuids.emplace(topic.id, StoredIdOf(topic.uuid));
  std::vector<KnownProducer> held;
  for (const auto& [place, of_place] : places_) {
    const auto uuid = uuids.find(place.topic);
    const PartitionKey key{place.topic, place.partition};
    const auto partition = std::ranges::lower_bound(partitions, key, {}, &PartitionRow::key);
    if (uuid == uuids.end() || uuid->second != place.uuid || partition == partitions.end() || partition->key != key)
      continue;
    for (const auto& [id, producer] : of_place.producers) {
      KnownProducer known{.partition = key, .touched_ms = producer.heard_ms, .window = {.id = id}};
      for (const Batch& batch : producer.batches)
        if (IsHeld(batch.produced, *partition, segments)) known.window.Push(batch.epoch, batch.produced);
      // One that may have sent more behind what is known, where it was left out: nothing is known.
      const auto batches = known.window.known();
      if (!batches.empty() && batches.back().base >= of_place.left_out_from) held.push_back(known);
    }
  }
  std::ranges::sort(held, {}, [](const KnownProducer& known) {
    return std::tuple(known.touched_ms, known.partition, known.window.id);
  });
  return held;
}

}  // namespace millrace
