#include "log/partition_snapshot.h"

#include "base/check.h"
#include "base/coding.h"

namespace millrace {

namespace {

constexpr std::size_t kHeaderBytes = 48, kEntryBytes = 40;

/// `entries`: of a WalIndex, or a vector of its entries.
template <class Entries>
bool Ascends(const Entries& entries, const PartitionSnapshot& snapshot, WalPosition wal_end,
             std::uint64_t bytes_total) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const WalIndex::Entry& entry = entries[i];
    const bool last = i + 1 == entries.size();
    const Offset next_base = last ? snapshot.end : entries[i + 1].base;
    const WalPosition next_begin = last ? wal_end : entries[i + 1].begin;
    const std::uint64_t next_bytes = last ? bytes_total : entries[i + 1].bytes_before;
    if (entry.base >= next_base || entry.begin >= next_begin || entry.bytes_before > next_bytes) return false;
  }
  return entries.empty() ? snapshot.begin == snapshot.end : snapshot.begin == entries[0].base;
}

}  // namespace

void EncodePartitionSnapshot(const PartitionSnapshot& snapshot, std::vector<std::byte>& out) {
  // A close must not write what the next opening would refuse.
  MR_DCHECK(Ascends(snapshot.index, snapshot, snapshot.index.end(), snapshot.index.bytes_total()),
            snapshot.begin.value(), snapshot.end.value());
  const std::size_t begin = out.size();
  out.resize(begin + kHeaderBytes + snapshot.index.size() * kEntryBytes);
  std::byte* at = out.data() + begin;
  PutLe(at, snapshot.stream.value());
  PutLe(at + 8, snapshot.begin.value());
  PutLe(at + 16, snapshot.end.value());
  PutLe(at + 24, snapshot.index.end().value());
  PutLe(at + 32, snapshot.index.bytes_total());
  PutLe(at + 40, static_cast<std::uint64_t>(snapshot.index.size()));
  at += kHeaderBytes;
  for (std::size_t i = 0; i < snapshot.index.size(); ++i, at += kEntryBytes) {
    const WalIndex::Entry& entry = snapshot.index[i];
    PutLe(at, entry.base.value());
    PutLe(at + 8, entry.begin.value());
    PutLe(at + 16, entry.bytes_before);
    PutLe(at + 24, entry.timestamp_max_ms);
    PutLe(at + 32, entry.appended_ms);
  }
  MR_CHECK(at == out.data() + out.size(), snapshot.index.size(), out.size());
}

std::optional<PartitionSnapshot> DecodePartitionSnapshot(std::span<const std::byte>& bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  const auto count = GetLe<std::uint64_t>(at + 40);
  if (count > (bytes.size() - kHeaderBytes) / kEntryBytes) return std::nullopt;
  PartitionSnapshot snapshot = {.stream = WalStream(GetLe<std::uint64_t>(at)),
                                .begin = Offset(GetLe<std::int64_t>(at + 8)),
                                .end = Offset(GetLe<std::int64_t>(at + 16)),
                                .index = {}};
  const WalPosition wal_end(GetLe<std::int64_t>(at + 24));
  const auto bytes_total = GetLe<std::uint64_t>(at + 32);
  std::vector<WalIndex::Entry> entries(count);
  at += kHeaderBytes;
  for (WalIndex::Entry& entry : entries) {
    entry = {Offset(GetLe<std::int64_t>(at)), WalPosition(GetLe<std::int64_t>(at + 8)), GetLe<std::uint64_t>(at + 16),
             GetLe<std::int64_t>(at + 24), GetLe<std::int64_t>(at + 32)};
    at += kEntryBytes;
  }
  if (!Ascends(entries, snapshot, wal_end, bytes_total)) return std::nullopt;
  snapshot.index = WalIndex::Restored(entries, wal_end, bytes_total);
  bytes = bytes.subspan(kHeaderBytes + count * kEntryBytes);
  return snapshot;
}

}  // namespace millrace
