// The four codecs of RecordBatch v2, each in the framing that Kafka's clients write and expect: gzip, snappy (in xerial
// framing), the lz4 frame format, zstd.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// Precondition: not kNone. Errors: kInternal (the codec failed). Cost: one pass and one buffer of the codec's bound.
Result<std::vector<std::byte>> Compress(Compression compression, std::span<const std::byte> raw);

/// Undoes Compress; takes what other clients write, too: raw snappy, gzip of several members, several zstd or lz4
/// frames. Errors: kCorruption (malformed), kInvalidArgument (more than `bytes_max` when inflated; noticed while
/// decoding, and never is more than that held). Cost: one pass; a repeated one when a frame does not tell its size.
Result<SharedBytes> Inflate(Compression compression, std::span<const std::byte> stored, std::size_t bytes_max);

}  // namespace millrace
