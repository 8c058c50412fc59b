// The file that holds what the log remembers of producers, for the time when their frames are gone, or are not read:
// written before files of the WAL are recycled and at a clean close. docs/format/producers.md.
//
//   0  magic u64 ("MRPRODS1")
//   8  crc u32             over all bytes from 12 on
//   12 zero u32
//   16 wal_end i64         where the last frame told of ends; all before was synced when this was written
//   24 count u64
//   32 states              who was heard of least recently first, each:
//        stream u64, producer id i64, wal_end i64, touched_ms i64, epoch i16, batches u8 (1 to 5), zero: 5 bytes
//        batches, oldest first: first u32, last u32, base offset i64, timestamp_ms i64
//
// All integers little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "log/producer_state_table.h"
#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/wal.h"

namespace millrace {

inline constexpr std::string_view kProducerCheckpointName = "producers";  // in the directory of the WAL

struct ProducerCheckpoint {
  WalPosition wal_end;
  std::vector<ProducerState> states;
  friend bool operator==(const ProducerCheckpoint&, const ProducerCheckpoint&) = default;
};

std::vector<std::byte> EncodeProducerCheckpoint(const ProducerCheckpoint& checkpoint);
/// The checksum in what Encode made; names the file's contents in the note of a clean close.
std::uint32_t ChecksumOfProducerCheckpoint(std::span<const std::byte> bytes);
/// None: not whole, or nothing that Encode makes. Memory: at most 4 times the bytes.
std::optional<ProducerCheckpoint> DecodeProducerCheckpoint(std::span<const std::byte> bytes);

struct StoredProducerCheckpoint {
  ProducerCheckpoint checkpoint;
  std::uint32_t checksum = 0;
};
/// None: there is no file. kCorruption: one that is not whole. Else what the disk says.
Result<std::optional<StoredProducerCheckpoint>> ReadProducerCheckpoint(FileSystem& file_system,
                                                                       const std::filesystem::path& directory);
/// After any crash the file holds what it held, or `checkpoint`, which is on the disk when this returns; its checksum.
Result<std::uint32_t> WriteProducerCheckpoint(FileSystem& file_system, const std::filesystem::path& directory,
                                              const ProducerCheckpoint& checkpoint);
/// Gone for good when it returns. None there is success.
Result<void> RemoveProducerCheckpoint(FileSystem& file_system, const std::filesystem::path& directory);

}  // namespace millrace
