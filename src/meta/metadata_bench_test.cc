// The stores that the conformance suite runs over.
#include "meta/metadata_bench.h"

#include <memory>

#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

class MemoryBench final : public MetadataBench {
 public:
  Result<void> Open() override { return {}; }
  Result<void> Reopen() override { return {}; }
  MetadataStore& store() override { return store_; }

 private:
  MemoryMetadataStore store_;
};

class FaultyBench final : public MetadataBench {
 public:
  Result<void> Open() override { return {}; }
  Result<void> Reopen() override { return {}; }
  MetadataStore& store() override { return store_; }

 private:
  FaultyMetadataStore store_{std::make_shared<MemoryMetadataStore>(), 1};
};

}  // namespace

std::vector<MetadataContender> MetadataContenders() {
  return {{"Memory", [] { return std::make_unique<MemoryBench>(); }},
          {"Faulty", [] { return std::make_unique<FaultyBench>(); }}};
}

}  // namespace millrace
