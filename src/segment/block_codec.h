// A block's header, CRC and codec. Opening one again is OpenBlock, in segment_reader.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/options.h"

namespace millrace {

/// Which blocks of a segment are compressed at all. Blocks that hardly shrink come one behind the other: then only some
/// are tried, one in sixteen in the end.
class CompressionTrials {
 public:
  [[nodiscard]] bool Next() {
    if (stored_untried_ >= tried_in_vain_) return true;
    ++stored_untried_;
    return false;
  }
  void OnTried(bool shrank) {
    tried_in_vain_ = shrank ? 0 : std::min(2 * tried_in_vain_ + 1, kUntriedMax);
    stored_untried_ = 0;
  }

 private:
  static constexpr std::size_t kUntriedMax = 15;  // in a row
  std::size_t tried_in_vain_ = 0, stored_untried_ = 0;
};

struct EncodedBlock {
  std::vector<SharedBytes> pieces;  // header, then payload
  std::uint32_t bytes = 0, raw_bytes = 0, crc = 0;
};

/// Turns batches into a block, and keeps its working memory between calls. Not thread-safe.
class BlockEncoder {
 public:
  explicit BlockEncoder(SegmentCodec codec);
  ~BlockEncoder();
  /// Precondition: not empty, and below 4 GiB with the header. `trials` are those of its segment. A block that is not
  /// tried, or hardly shrinks, is stored raw: its pieces then are the batches themselves, not copies.
  EncodedBlock Encode(std::span<const SharedBytes> batches, CompressionTrials& trials);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
