#include "engine/metadata_image_cell.h"

#include <algorithm>
#include <utility>

#include "engine/topic_registry.h"

namespace millrace {
namespace {

TopicUuid UuidOf(const Topic& topic) { return TopicUuid::FromHex(topic.uuid()).value_or(TopicUuid()); }

}  // namespace

bool MetadataImageCell::IsCurrent(const MetadataImage& image) const { return image.version() == registry_.changes(); }

std::shared_ptr<const MetadataImage> MetadataImageCell::Get() {
  MutexLock lock(mutex_);
  if (!newest_ || !IsCurrent(*newest_)) newest_ = Make(newest_.get());
  return newest_;
}

std::shared_ptr<const MetadataImage> MetadataImageCell::Make(const MetadataImage* before) const {
  auto image = std::make_shared<MetadataImage>();
  image->version_ = registry_.changes();  // before the look: what changes meanwhile makes the image an old one
  for (const Topic* topic : registry_.Topics()) {
    const std::uint64_t changes = topic->changes();
    const TopicUuid uuid = UuidOf(*topic);
    std::shared_ptr<const TopicImage> kept = before != nullptr ? before->Share(uuid) : nullptr;
    if (kept == nullptr || kept->changes != changes) {
      auto made = std::make_shared<TopicImage>();
      made->name = topic->name();
      made->uuid = uuid;
      made->options = topic->options();
      made->changes = changes;
      for (Partition* partition : topic->partitions())
        made->partitions.push_back({.handle = PartitionHandle(partition),
                                    .epoch = partition->log().epoch(),
                                    .broken = partition->log().broken().has_value()});
      kept = std::move(made);
    }
    image->topics_.push_back(std::move(kept));
  }
  std::ranges::sort(image->topics_, {}, [](const auto& topic) -> const std::string& { return topic->name; });
  image->Index();
  return image;
}

}  // namespace millrace
