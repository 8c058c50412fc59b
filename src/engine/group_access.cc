#include "engine/group_access.h"

#include "engine/engine_state.h"
#include "engine/front_door.h"

namespace millrace {
namespace {

/// The engine's store, as calls that the engine counts.
class CountedMetadata final : public MetadataStore {
 public:
  CountedMetadata(Engine::State& state, MetadataStore& store) : state_(state), store_(store) {}

  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    return Inside(state_, [&](Engine::State&) { return store_.Get(keys); });
  }
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override {
    return Inside(state_, [&](Engine::State&) { return store_.Scan(from, to, max); });
  }
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override {
    return Changing(state_, [&](Engine::State&) { return store_.Commit(expected, writes); });
  }
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override {
    return Inside(state_, [&](Engine::State&) { return store_.Changes(after, max); });
  }
  Result<std::int64_t> NowMs() override {
    return Inside(state_, [&](Engine::State&) { return store_.NowMs(); });
  }
  Result<void> Close() override { return {}; }

 private:
  Engine::State& state_;
  MetadataStore& store_;
};

}  // namespace

GroupAccess::GroupAccess(Engine& engine)
    : state_(Engine::State::Of(engine)),
      metadata_(std::make_unique<CountedMetadata>(state_, *state_.components_.metadata)) {}

GroupAccess::~GroupAccess() = default;

PartitionKey GroupAccess::KeyOf(PartitionHandle partition) { return partition.partition_->key(); }

std::int64_t GroupAccess::TrustedMs() const { return state_.time_.WallMs(); }

bool GroupAccess::TimeIsDoubted() const { return state_.time_.doubted(); }

}  // namespace millrace
