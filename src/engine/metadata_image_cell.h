// Holds the newest image of the topics, and makes the next one when an asker comes after a change.
#pragma once

#include <memory>

#include "base/mutex.h"
#include "engine/metadata_image.h"

namespace millrace {

class TopicRegistry;

/// Safe from any thread. What changes topics only counts (TopicRegistry::changes), so that many changes in a row cost
/// one image.
class MetadataImageCell {
 public:
  /// `registry` outlives it.
  explicit MetadataImageCell(const TopicRegistry& registry) : registry_(registry) {}

  /// As of now. Cost: a counted copy under a lock; after a change one pass over the topics, of which those that did not
  /// change are shared with the image before.
  std::shared_ptr<const MetadataImage> Get();
  [[nodiscard]] bool IsCurrent(const MetadataImage& image) const;

 private:
  [[nodiscard]] std::shared_ptr<const MetadataImage> Make(const MetadataImage* before) const;

  const TopicRegistry& registry_;
  Mutex mutex_;
  std::shared_ptr<const MetadataImage> newest_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
