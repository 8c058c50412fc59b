// One producer as bytes, in directories of objects and in snapshots. docs/format/object.md.
//
//   producer = id i64, epoch i16, batches u8 (1 to 5), batch*      batch = first i32, last i32, base i64, timestamp i64
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "record/producer_window.h"

namespace millrace {

/// Of one with one batch.
inline constexpr std::size_t kProducerBytesMin = 35;

/// Precondition: `producer` can be.
void PutProducer(const ProducerWindow& producer, std::vector<std::byte>& to);
/// Takes one off the front. None: it is cut, or cannot be.
std::optional<ProducerWindow> TakeProducer(std::span<const std::byte>& bytes);

}  // namespace millrace
