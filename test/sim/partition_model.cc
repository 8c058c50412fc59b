#include "partition_model.h"

#include "wal_model.h"

namespace millrace::sim {
namespace {

std::uint64_t Mixed(std::uint64_t hash, std::optional<std::string_view> text) {
  return hash * 0x9e3779b97f4a7c15U + (text ? HashOf(AsBytes(*text)) : 0x5eed);
}

}  // namespace

std::uint64_t FingerprintOf(const Record& record) {
  std::uint64_t hash = static_cast<std::uint64_t>(record.timestamp_ms);
  hash = Mixed(hash, record.key);
  hash = Mixed(hash, record.value);
  for (const Header& header : record.headers) hash = Mixed(Mixed(hash, header.key), header.value);
  return hash;
}

std::uint64_t FingerprintOf(const RecordView& record) { return FingerprintOf(record.ToRecord()); }

void PartitionModel::Add(std::span<const std::uint64_t> batch) {
  records.insert(records.end(), batch.begin(), batch.end());
  batch_ends.insert(end());
}

void PartitionModel::Cut(Offset new_end) {
  records.resize(static_cast<std::size_t>(new_end.value()));
  batch_ends.erase(batch_ends.upper_bound(new_end), batch_ends.end());
  acknowledged_os = std::min(acknowledged_os, new_end);
}

}  // namespace millrace::sim
