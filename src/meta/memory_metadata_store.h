// Metadata in memory: for tests, for the simulator, and for engines that shall leave nothing behind. Rows are kept as
// the bytes of row_codec.h, so that what is written is what is read.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// Safe from any thread.
class MemoryMetadataStore : public MetadataStore {
 public:
  /// `clock` outlives the store; none: that of the machine.
  explicit MemoryMetadataStore(Clock* clock = nullptr) : clock_(clock) {}

  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override;
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override;
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override;
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override;
  Result<std::int64_t> NowMs() override;
  Result<void> Close() override;

  /// For tests of damage: turns one bit of the row of `key`. False: there is none.
  bool FlipBit(const MetadataKey& key, std::size_t byte, unsigned bit);

 private:
  struct Change {
    std::int64_t committed_ms;
    MetadataKey key;
  };
  Result<void> CheckOpen() const MR_REQUIRES(mutex_);
  Result<std::optional<MetadataRow>> Find(const MetadataKey& key) const MR_REQUIRES(mutex_);
  Result<bool> AsExpected(std::span<const MetadataRow> expected, std::span<const MetadataWrite> writes) const
      MR_REQUIRES(mutex_);
  void Erase(const std::string& key) MR_REQUIRES(mutex_);
  void Note(const MetadataKey& key, std::int64_t now_ms) MR_REQUIRES(mutex_);
  [[nodiscard]] std::int64_t WallMs() const;

  Clock* const clock_;
  mutable Mutex mutex_;
  bool closed_ MR_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::string> rows_ MR_GUARDED_BY(mutex_);    // by EncodeKey
  std::map<std::string, std::string> second_ MR_GUARDED_BY(mutex_);  // EncodeSecondKey to EncodeKey
  std::deque<Change> changes_ MR_GUARDED_BY(mutex_);                 // the last of them is number `last_`
  std::int64_t last_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
