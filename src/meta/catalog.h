// All catalogs over one store: for callers that use more than one of them.
#pragma once

#include "meta/committed_offsets.h"
#include "meta/ownership.h"
#include "meta/segment_catalog.h"
#include "meta/topic_catalog.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// A view of a MetadataStore, which outlives it; copied freely. Safe from any thread.
class Catalog : public TopicCatalog, public SegmentCatalog, public CommittedOffsets, public Ownership {
 public:
  explicit Catalog(MetadataStore& store)
      : TopicCatalog(store), SegmentCatalog(store), CommittedOffsets(store), Ownership(store) {}
};

}  // namespace millrace
