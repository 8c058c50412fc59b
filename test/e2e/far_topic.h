// A topic that lives in a simulated S3 over HTTP: what stands in it is known from its seed, so that any process can say
// whether a record is right.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "millrace/millrace.h"

namespace millrace {

inline const TopicPartition kFarPartition{"far", PartitionId(0)};

/// Of record `offset` in the topic of that generation: 400 to 1,400 bytes that do not compress.
std::string FarValue(std::uint64_t generation, Offset offset);

/// An engine under `directory` whose objects are in the simulated S3 at `port`, with a small cache of chunks in
/// `directory`/cache and no cache of blocks, so that every read comes by the disk or the store.
EngineOptions FarOptions(const std::filesystem::path& directory, std::uint16_t port);

/// Makes the topic anew: `segments` segments of `records` records each, all of them only in the store.
void MakeFarTopic(Engine& engine, std::uint64_t generation, int segments, int records);

/// Records read and found right from `begin` up to `end`, `bytes_max` a read; the first difference or error in `wrong`.
struct FarRead {
  std::uint64_t records = 0;
  ReadExplanation explanation;
  std::string wrong;
};
FarRead ReadFar(Engine& engine, std::uint64_t generation, Offset begin, Offset end,
                std::uint64_t bytes_max = 256 << 10);

}  // namespace millrace
