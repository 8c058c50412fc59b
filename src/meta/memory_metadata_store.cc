#include "meta/memory_metadata_store.h"

#include "base/try.h"
#include "env/system_clock.h"
#include "meta/metadata_rows.h"
#include "meta/row_codec.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

bool IsSecond(const MetadataKey& key) {
  return std::holds_alternative<TopicNameKey>(key) || std::holds_alternative<ObjectAgeKey>(key);
}

}  // namespace

std::int64_t MemoryMetadataStore::WallMs() const {
  return clock_ == nullptr ? SystemClock().WallMs() : clock_->WallMs();
}

Result<void> MemoryMetadataStore::CheckOpen() const {
  if (closed_) return Error(ErrorCode::kClosed, "metadata: the store is closed");
  return {};
}

Result<std::optional<MetadataRow>> MemoryMetadataStore::Find(const MetadataKey& key) const {
  std::string bytes = EncodeKey(key);
  if (IsSecond(key)) {
    const auto second = second_.find(bytes);
    if (second == second_.end()) return std::optional<MetadataRow>();
    bytes = second->second;
  }
  const auto found = rows_.find(bytes);
  if (found == rows_.end()) return std::optional<MetadataRow>();
  auto row = DecodeRow(AsBytes(found->second));
  if (!row) return row.error().WithContext(KeyText(key));
  return std::optional(*std::move(row));
}

Result<std::vector<std::optional<MetadataRow>>> MemoryMetadataStore::Get(std::span<const MetadataKey> keys) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  std::vector<std::optional<MetadataRow>> rows;
  rows.reserve(keys.size());
  for (const MetadataKey& key : keys) {
    if (std::holds_alternative<EndOfTable>(key)) return KeyNotTaken("Get", key);
    MR_ASSIGN_OR_RETURN(auto row, Find(key));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<MetadataRow>> MemoryMetadataStore::Scan(const MetadataKey& from, const MetadataKey& to,
                                                           std::size_t max) {
  MR_TRY(CheckScan(from, to));
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const bool second = IsSecond(from);
  const auto& order = second ? second_ : rows_;
  const std::string end = std::holds_alternative<EndOfTable>(to) ? EndOfOrder(from) : EncodeKey(to);
  std::vector<MetadataRow> rows;
  for (auto at = order.lower_bound(EncodeKey(from)); at != order.end() && at->first < end && rows.size() < max; ++at) {
    auto row = DecodeRow(AsBytes(second ? rows_.at(at->second) : at->second));
    if (!row) return row.error().WithContext("scanning from " + KeyText(from));
    rows.push_back(*std::move(row));
  }
  return rows;
}

Result<bool> MemoryMetadataStore::AsExpected(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) const {
  for (const MetadataRow& row : expected) {
    MR_ASSIGN_OR_RETURN(const auto found, Find(KeyOf(row)));
    if (found != row) return false;
  }
  for (const MetadataWrite& write : writes) {
    if (write.kind == MetadataWrite::Kind::kInsert && rows_.contains(EncodeKey(KeyOf(write.row)))) return false;
    // A name that another topic has: the second order holds one row a key.
    const auto second = write.kind == MetadataWrite::Kind::kErase ? std::nullopt : EncodeSecondKey(write.row);
    const auto holder = second ? second_.find(*second) : second_.end();
    if (holder != second_.end() && holder->second != EncodeKey(KeyOf(write.row))) return false;
  }
  return true;
}

void MemoryMetadataStore::Erase(const std::string& key) {
  const auto found = rows_.find(key);
  if (found == rows_.end()) return;
  if (const auto row = DecodeRow(AsBytes(found->second))) {
    if (const auto second = EncodeSecondKey(*row)) second_.erase(*second);
  } else {  // a row that fails its CRC cannot tell its place in the second order
    std::erase_if(second_, [&](const auto& entry) { return entry.second == key; });
  }
  rows_.erase(found);
}

void MemoryMetadataStore::Note(const MetadataKey& key, std::int64_t now_ms) {
  if (!IsNumbered(key)) return;
  changes_.push_back({now_ms, key});
  ++last_;
  // Two go for each that comes: never more than a few too many, and never much work. The last one stays.
  for (int i = 0; i < 2 && changes_.size() > 1; ++i) {
    const bool old = changes_.front().committed_ms < now_ms - kChangesKeptMs;
    if (!old && changes_.size() <= static_cast<std::size_t>(kChangesKept)) return;
    changes_.pop_front();
  }
}

Result<std::optional<ChangeNumber>> MemoryMetadataStore::Commit(std::span<const MetadataRow> expected,
                                                                std::span<const MetadataWrite> writes) {
  const std::int64_t now_ms = WallMs();
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  MR_ASSIGN_OR_RETURN(const bool as_expected, AsExpected(expected, writes));
  if (!as_expected) return std::optional<ChangeNumber>();
  for (const MetadataWrite& write : writes) {
    const MetadataKey key = KeyOf(write.row);
    const std::string bytes = EncodeKey(key);
    Erase(bytes);
    if (write.kind != MetadataWrite::Kind::kErase) {
      rows_[bytes] = EncodeRow(write.row);
      if (auto second = EncodeSecondKey(write.row)) second_[*std::move(second)] = bytes;
    }
    Note(key, now_ms);
  }
  return std::optional(ChangeNumber(last_));
}

Result<std::vector<MetadataChange>> MemoryMetadataStore::Changes(ChangeNumber after, std::size_t max) {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  const std::int64_t first = last_ - static_cast<std::int64_t>(changes_.size()) + 1;
  MR_TRY(CheckChangesAfter(after, ChangeNumber(first), ChangeNumber(last_)));
  std::vector<MetadataChange> found;
  for (std::int64_t number = after.value() + 1; number <= last_ && found.size() < max; ++number)
    found.push_back({ChangeNumber(number), changes_[static_cast<std::size_t>(number - first)].key});
  return found;
}

Result<std::int64_t> MemoryMetadataStore::NowMs() {
  MutexLock lock(mutex_);
  MR_TRY(CheckOpen());
  return WallMs();
}

Result<void> MemoryMetadataStore::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  return {};
}

bool MemoryMetadataStore::FlipBit(const MetadataKey& key, std::size_t byte, unsigned bit) {
  MutexLock lock(mutex_);
  const auto found = rows_.find(EncodeKey(key));
  if (found == rows_.end() || byte >= found->second.size()) return false;
  found->second[byte] = static_cast<char>(found->second[byte] ^ (1U << bit));
  return true;
}

}  // namespace millrace
