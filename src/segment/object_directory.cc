#include "segment/object_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/hex.h"
#include "base/try.h"
#include "millrace/bytes.h"
#include "segment/producer_codec.h"

namespace millrace {
namespace {

constexpr std::string_view kMagic = "MRD1", kEndMagic = "MRO2";
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kHeadBytes = 4 + 4 + 16 + 4 + 4 + 8 + 8 + 8;
constexpr std::size_t kTopicBytesMin = 16 + 8 + 8 + 4 + 8 + 8 + 1 + 1 + 2;
constexpr std::size_t kEntryBytes = 4 + 4 + 4 + 1 + 9 * 8;
constexpr std::size_t kShareBytesMin = 4 + 4 + 4;
constexpr std::uint32_t kVersionWithoutShares = 1;
constexpr std::size_t kBytesMin = kHeadBytes + 4 + 4 + kDirectoryEndBytes;
constexpr std::int32_t kPartitionsMax = 1'000'000;
constexpr std::uint8_t kRewritten = 1;
constexpr std::int64_t kNoRetentionTime = -1;
constexpr std::uint64_t kNoRetentionBytes = std::numeric_limits<std::uint64_t>::max();

class Writer {
 public:
  template <std::integral T>
  void Number(T value) {
    bytes_.resize(bytes_.size() + sizeof value);
    PutLe(bytes_.data() + bytes_.size() - sizeof value, value);
  }
  void Raw(std::span<const std::byte> raw) { bytes_.insert(bytes_.end(), raw.begin(), raw.end()); }
  void Raw(std::string_view raw) { Raw(AsBytes(raw)); }
  void Raw(const StoredId& id) { Raw(std::as_bytes(std::span(id))); }
  [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

Error Damaged(std::string why, std::size_t begin, std::size_t end) {
  return Error(ErrorCode::kCorruption, "the directory at the object's end " + std::move(why))
      .WithDamage({.place = "directory", .byte_begin = begin, .byte_end = end});
}

/// Reads on; past the end it gives zeros and remembers.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <std::integral T>
  T Number() {
    if (bytes_.size() - at_ < sizeof(T)) {
      short_ = true;
      return 0;
    }
    const T value = GetLe<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  std::span<const std::byte> Raw(std::size_t count) {
    if (bytes_.size() - at_ < count) {
      short_ = true;
      return {};
    }
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  StoredId Id() {
    StoredId id{};
    const auto raw = Raw(id.size());
    if (!raw.empty()) std::memcpy(id.data(), raw.data(), id.size());
    return id;
  }
  /// As many as there is room for.
  Result<std::uint32_t> Count(std::size_t bytes_each) {
    const auto count = Number<std::uint32_t>();
    if (short_ || count > left() / bytes_each)
      return Damaged(fmt::format("counts {} of something for which it has no room", count), at_, bytes_.size());
    return count;
  }
  /// None: it is cut, or cannot be.
  std::optional<ProducerWindow> Producer() {
    auto rest = bytes_.subspan(at_);
    auto producer = TakeProducer(rest);
    at_ = bytes_.size() - rest.size();
    return producer;
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] bool ended() const { return short_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool short_ = false;
};

Result<DirectoryTopic> ReadTopic(Reader& reader) {
  const std::size_t begin = reader.at();
  DirectoryTopic topic;
  topic.uuid = reader.Id();
  topic.number = TopicId(reader.Number<std::int64_t>());
  topic.created_ms = reader.Number<std::int64_t>();
  topic.options.partitions = reader.Number<std::int32_t>();
  const auto retention_ms = reader.Number<std::int64_t>();
  const auto retention_bytes = reader.Number<std::uint64_t>();
  const auto durability = reader.Number<std::uint8_t>(), cleanup = reader.Number<std::uint8_t>();
  topic.name = AsText(reader.Raw(reader.Number<std::uint16_t>()));
  const bool known = durability <= static_cast<std::uint8_t>(Durability::kObject) &&
                     cleanup <= static_cast<std::uint8_t>(Cleanup::kConsumed);
  const bool in_bounds = topic.number.value() > 0 && topic.number.value() < (std::int64_t{1} << 31) &&
                         topic.options.partitions > 0 && topic.options.partitions <= kPartitionsMax &&
                         retention_ms >= kNoRetentionTime && !topic.name.empty();
  if (reader.ended() || !known || !in_bounds) return Damaged("has a topic that cannot be", begin, reader.at());
  if (retention_ms != kNoRetentionTime) topic.options.retention_time = std::chrono::milliseconds(retention_ms);
  if (retention_bytes != kNoRetentionBytes) topic.options.retention_bytes = retention_bytes;
  topic.options.durability = static_cast<Durability>(durability);
  topic.options.cleanup = static_cast<Cleanup>(cleanup);
  return topic;
}

Result<ObjectEntry> ReadEntry(Reader& reader, std::span<const DirectoryTopic> topics) {
  const std::size_t begin = reader.at();
  ObjectEntry entry;
  entry.topic = reader.Number<std::uint32_t>();
  entry.partition = PartitionId(reader.Number<std::int32_t>());
  entry.epoch = LeaderEpoch(reader.Number<std::int32_t>());
  entry.rewritten = (reader.Number<std::uint8_t>() & kRewritten) != 0;
  entry.byte_begin = reader.Number<std::uint64_t>();
  entry.byte_size = reader.Number<std::uint64_t>();
  entry.base = Offset(reader.Number<std::int64_t>());
  entry.end = Offset(reader.Number<std::int64_t>());
  entry.records = reader.Number<std::uint64_t>();
  entry.timestamp_min_ms = reader.Number<std::int64_t>();
  entry.timestamp_max_ms = reader.Number<std::int64_t>();
  entry.log_start = Offset(reader.Number<std::int64_t>());
  entry.ceiling = Offset(reader.Number<std::int64_t>());
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 62;
  const bool placed = entry.topic < topics.size() && entry.partition.value() >= 0 &&
                      entry.partition.value() < topics[entry.topic].options.partitions;
  const bool in_bytes = entry.byte_begin < kBytesMax && entry.byte_size < kBytesMax;
  const bool in_order = Offset(0) <= entry.base && entry.base <= entry.end && entry.end <= entry.ceiling &&
                        Offset(0) <= entry.log_start && entry.log_start <= entry.ceiling &&
                        (entry.byte_size == 0 || entry.base < entry.end);
  if (reader.ended() || !placed || !in_bytes || !in_order)
    return Damaged("has an entry that cannot be", begin, reader.at());
  return entry;
}

/// The share behind `before`, if there is one before it.
Result<DirectoryShare> ReadShare(Reader& reader, std::span<const ObjectEntry> entries, const DirectoryShare* before) {
  const std::size_t begin = reader.at();
  const auto damaged = [&] { return Damaged("tells of producers that cannot be", begin, reader.at()); };
  DirectoryShare share;
  share.entry = reader.Number<std::uint32_t>();
  share.told.left_out = reader.Number<std::uint32_t>();
  MR_ASSIGN_OR_RETURN(const std::uint32_t count, reader.Count(kProducerBytesMin));
  const bool follows = before == nullptr || share.entry > before->entry;
  if (share.entry >= entries.size() || !follows || (count == 0 && share.told.left_out == 0)) return damaged();
  const ObjectEntry& entry = entries[share.entry];
  std::vector<ProducerWindow>& producers = share.told.producers;
  producers.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto producer = reader.Producer();
    if (!producer || (i > 0 && producer->id <= producers.back().id)) return damaged();
    if (producer->known().front().base < entry.base || producer->known().back().end() > entry.end) return damaged();
    producers.push_back(*producer);
  }
  return share;
}

Result<void> ReadShares(Reader& reader, ObjectDirectory& directory) {
  const std::size_t begin = reader.at();
  MR_ASSIGN_OR_RETURN(const std::uint32_t shares, reader.Count(kShareBytesMin));
  if (shares == 0) return Damaged("tells of no producers, which it was written for", begin, reader.at());
  for (std::uint32_t i = 0; i < shares; ++i) {
    const DirectoryShare* before = directory.shares.empty() ? nullptr : &directory.shares.back();
    MR_ASSIGN_OR_RETURN(DirectoryShare share, ReadShare(reader, directory.entries, before));
    directory.shares.push_back(std::move(share));
  }
  return {};
}

void WriteShares(Writer& to, const ObjectDirectory& directory) {
  to.Number(static_cast<std::uint32_t>(directory.shares.size()));
  for (const DirectoryShare& share : directory.shares) {
    MR_CHECK(share.entry < directory.entries.size() && !share.told.empty(), share.entry, directory.entries.size());
    to.Number(share.entry);
    to.Number(share.told.left_out);
    to.Number(static_cast<std::uint32_t>(share.told.producers.size()));
    for (const ProducerWindow& producer : share.told.producers) PutProducer(producer, to.bytes());
  }
}

}  // namespace

StoredId StoredIdOf(std::string_view text) {
  StoredId id{};
  const auto bytes = FromHex(text);
  const std::span<const std::byte> from = bytes && bytes->size() == id.size() ? std::span(*bytes) : AsBytes(text);
  if (!from.empty()) std::memcpy(id.data(), from.data(), std::min(from.size(), id.size()));
  return id;
}

bool operator==(const DirectoryTopic& one, const DirectoryTopic& other) {
  const auto fields = [](const DirectoryTopic& topic) {
    return std::tie(topic.uuid, topic.number, topic.created_ms, topic.name, topic.options.partitions,
                    topic.options.retention_time, topic.options.retention_bytes, topic.options.durability,
                    topic.options.cleanup);
  };
  return fields(one) == fields(other);
}

std::string TextOf(const StoredId& id) { return ToHex(std::as_bytes(std::span(id))); }

std::vector<std::byte> EncodeObjectDirectory(const ObjectDirectory& directory) {
  Writer to;
  to.Raw(kMagic);
  to.Number(directory.shares.empty() ? kVersionWithoutShares : kObjectDirectoryVersion);
  to.Raw(directory.identity);
  to.Number(directory.generation);
  to.Number(directory.nonce);
  to.Number(directory.sequence);
  to.Number(directory.settled);
  to.Number(directory.written_ms);
  to.Number(static_cast<std::uint32_t>(directory.topics.size()));
  for (const DirectoryTopic& topic : directory.topics) {
    to.Raw(topic.uuid);
    to.Number(std::int64_t{topic.number.value()});
    to.Number(topic.created_ms);
    to.Number(topic.options.partitions);
    const auto& time = topic.options.retention_time;
    to.Number(time ? std::int64_t{time->count()} : kNoRetentionTime);
    to.Number(topic.options.retention_bytes.value_or(kNoRetentionBytes));
    to.Number(static_cast<std::uint8_t>(topic.options.durability));
    to.Number(static_cast<std::uint8_t>(topic.options.cleanup));
    to.Number(static_cast<std::uint16_t>(topic.name.size()));
    to.Raw(std::string_view(topic.name));
  }
  to.Number(static_cast<std::uint32_t>(directory.entries.size()));
  for (const ObjectEntry& entry : directory.entries) {
    MR_CHECK(entry.topic < directory.topics.size(), entry.topic, directory.topics.size());
    to.Number(entry.topic);
    to.Number(std::int32_t{entry.partition.value()});
    to.Number(std::int32_t{entry.epoch.value()});
    to.Number(entry.rewritten ? kRewritten : std::uint8_t{0});
    to.Number(entry.byte_begin);
    to.Number(entry.byte_size);
    to.Number(std::int64_t{entry.base.value()});
    to.Number(std::int64_t{entry.end.value()});
    to.Number(entry.records);
    to.Number(entry.timestamp_min_ms);
    to.Number(entry.timestamp_max_ms);
    to.Number(std::int64_t{entry.log_start.value()});
    to.Number(std::int64_t{entry.ceiling.value()});
  }
  if (!directory.shares.empty()) WriteShares(to, directory);
  to.Number(Crc32c(to.bytes()));
  to.Number(static_cast<std::uint32_t>(to.bytes().size() + 8));
  to.Raw(kEndMagic);
  return std::move(to.bytes());
}

std::optional<std::uint32_t> DirectoryBytes(std::span<const std::byte> tail) {
  if (tail.size() < kDirectoryEndBytes || AsText(tail.last(kEndMagic.size())) != kEndMagic) return {};
  return GetLe<std::uint32_t>(tail.data() + tail.size() - 8);
}

Result<ObjectDirectory> DecodeObjectDirectory(std::span<const std::byte> bytes) {
  const auto told = DirectoryBytes(bytes);
  if (!told || *told != bytes.size() || bytes.size() < kBytesMin || AsText(bytes.first(kMagic.size())) != kMagic)
    return Damaged("is not one", 0, bytes.size());
  const std::size_t crc_at = bytes.size() - kDirectoryEndBytes;
  if (GetLe<std::uint32_t>(bytes.data() + crc_at) != Crc32c(bytes.first(crc_at)))
    return Damaged("fails its CRC", 0, bytes.size());
  const auto version = GetLe<std::uint32_t>(bytes.data() + kVersionAt);
  if (version < kVersionWithoutShares || version > kObjectDirectoryVersion)
    return Error(ErrorCode::kUnsupported, fmt::format("an object's directory has format version {}, this release "
                                                      "knows {} to {}",
                                                      version, kVersionWithoutShares, kObjectDirectoryVersion));
  Reader reader(bytes.subspan(kVersionAt + 4, crc_at - kVersionAt - 4));
  ObjectDirectory directory;
  directory.identity = reader.Id();
  directory.generation = reader.Number<std::uint32_t>();
  directory.nonce = reader.Number<std::uint32_t>();
  directory.sequence = reader.Number<std::uint64_t>();
  directory.settled = reader.Number<std::uint64_t>();
  directory.written_ms = reader.Number<std::int64_t>();
  MR_ASSIGN_OR_RETURN(const std::uint32_t topics, reader.Count(kTopicBytesMin));
  for (std::uint32_t i = 0; i < topics; ++i) {
    MR_ASSIGN_OR_RETURN(DirectoryTopic topic, ReadTopic(reader));
    directory.topics.push_back(std::move(topic));
  }
  MR_ASSIGN_OR_RETURN(const std::uint32_t entries, reader.Count(kEntryBytes));
  for (std::uint32_t i = 0; i < entries; ++i) {
    MR_ASSIGN_OR_RETURN(const ObjectEntry entry, ReadEntry(reader, directory.topics));
    directory.entries.push_back(entry);
  }
  if (version > kVersionWithoutShares) MR_TRY(ReadShares(reader, directory));
  if (reader.ended() || reader.left() != 0) return Damaged("is longer than what it names", reader.at(), bytes.size());
  return directory;
}

}  // namespace millrace
