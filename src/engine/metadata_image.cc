#include "engine/metadata_image.h"

#include <cstring>

#include "engine/partition.h"

namespace millrace {
namespace {

std::optional<std::uint8_t> DigitOf(char hex) {
  if (hex >= '0' && hex <= '9') return static_cast<std::uint8_t>(hex - '0');
  if (hex >= 'a' && hex <= 'f') return static_cast<std::uint8_t>(hex - 'a' + 10);
  if (hex >= 'A' && hex <= 'F') return static_cast<std::uint8_t>(hex - 'A' + 10);
  return {};
}

}  // namespace

std::optional<TopicUuid> TopicUuid::FromHex(std::string_view hex) {
  TopicUuid uuid;
  if (hex.size() != 2 * uuid.bytes.size()) return {};
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    const auto high = DigitOf(hex[2 * i]), low = DigitOf(hex[2 * i + 1]);
    if (!high || !low) return {};
    uuid.bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return uuid;
}

const TopicPartition& PartitionHandle::name() const { return partition_->name(); }

/// They are random bits.
std::size_t MetadataImage::UuidHash::operator()(const TopicUuid& uuid) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, uuid.bytes.data(), sizeof hash);
  return hash;
}

void MetadataImage::Index() {
  by_name_.reserve(topics_.size());
  by_uuid_.reserve(topics_.size());
  for (const auto& topic : topics_) {
    by_name_.emplace(topic->name, topic.get());
    by_uuid_.emplace(topic->uuid, topic);
  }
}

const TopicImage* MetadataImage::Find(std::string_view topic) const {
  const auto found = by_name_.find(topic);
  return found == by_name_.end() ? nullptr : found->second;
}

std::shared_ptr<const TopicImage> MetadataImage::Share(const TopicUuid& uuid) const {
  const auto found = by_uuid_.find(uuid);
  return found == by_uuid_.end() ? nullptr : found->second;
}

const TopicImage* MetadataImage::Find(const TopicUuid& uuid) const {
  const auto found = by_uuid_.find(uuid);
  return found == by_uuid_.end() ? nullptr : found->second.get();
}

}  // namespace millrace
