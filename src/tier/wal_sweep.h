// Cuts the segments of one round of an upload, and reads the WAL once for all of them, however many partitions there
// are and however their frames lie among each other:
//
//   WAL   ···|a b c a x c b a x x b c|···      x: of partitions that have no claim
//            └──────── sweep ───────►          each frame goes to the cutter of its claim; what is in the tail cache is
//                                              taken from there
//
// A round takes the oldest bytes of its claims, until it has enough: the next round begins where this one ended, so
// that rounds lie side by side and no byte is read twice.
//
// Where the frames of a claim do not follow each other, the sweep leaves that claim and goes on with the others. If
// nothing was taken of it, it is read by itself (CutSegmentFrom), which says what is damaged; else the next round meets
// the damage first.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "millrace/options.h"
#include "millrace/result.h"
#include "tier/segment_cutter.h"
#include "wal/wal.h"

namespace millrace {

/// What one partition wants of a round. Everything below `end` is durable, and begin < end.
struct SweptClaim {
  PartitionLog* log = nullptr;
  Offset begin, end;
  bool first = false;  // it does not stand back behind the others
  // What came of it. Neither: the round was full before its turn.
  std::optional<CutSegment> cut = {};
  std::optional<Error> error = {};
};

struct WalSweepOptions {
  std::uint64_t bytes_max = 0;         // of batches, of all claims; passed by one batch at most
  std::uint64_t others_bytes_max = 0;  // of claims that are not `first`
  SegmentCodec codec = SegmentCodec::kLz4;
};

/// Each log has one claim. Ends early when this thread's RequestScope is stopped. Memory: what is taken, and a
/// megabyte. Cost: each byte between the first and the last frame taken is read once, except where nobody wants any.
void SweepWal(Wal& wal, std::span<SweptClaim> claims, const WalSweepOptions& options);

}  // namespace millrace
