// A block's header, CRC and codec. Opening one again is OpenBlock, in segment_reader.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/options.h"

namespace millrace {

struct EncodedBlock {
  std::vector<SharedBytes> pieces;  // header, then payload
  std::uint32_t bytes = 0, raw_bytes = 0, crc = 0;
};

/// Turns batches into a block, and keeps its working memory between calls. Not thread-safe.
class BlockEncoder {
 public:
  explicit BlockEncoder(SegmentCodec codec);
  ~BlockEncoder();
  /// Precondition: not empty, and below 4 GiB with the header. A block that hardly shrinks is stored raw: its pieces
  /// then are the batches themselves, not copies.
  EncodedBlock Encode(std::span<const SharedBytes> batches);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
