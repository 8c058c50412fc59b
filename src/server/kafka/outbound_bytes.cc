#include "server/kafka/outbound_bytes.h"

#include <utility>

#include "base/check.h"

namespace millrace {
namespace {

constexpr std::size_t kCopiedTogether = 64 << 10;  // then a new piece begins, so that what was written can be let go

}  // namespace

void OutboundBytes::Add(SharedBytes slice) {
  if (slice.empty()) return;
  size_ += slice.size();
  if (slice.size() >= kCopiedBelow) {
    pieces_.push_back({.slice = std::move(slice)});
    return;
  }
  const bool goes_on =
      !pieces_.empty() && pieces_.back().slice.empty() && pieces_.back().copied.size() < kCopiedTogether;
  if (!goes_on) pieces_.emplace_back();
  std::vector<std::byte>& to = pieces_.back().copied;
  to.insert(to.end(), slice.bytes().begin(), slice.bytes().end());
}

std::size_t OutboundBytes::Gather(std::span<iovec> into) const {
  std::size_t count = 0;
  for (const Piece& piece : pieces_) {
    if (count == into.size()) break;
    const std::span<const std::byte> bytes = piece.bytes();
    into[count++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  }
  return count;
}

void OutboundBytes::Written(std::size_t count) {
  MR_CHECK(count <= size_, count, size_);
  size_ -= count;
  while (count > 0) {
    Piece& piece = pieces_.front();
    const std::size_t left = piece.bytes().size();
    if (count < left) {
      piece.begin += count;
      return;
    }
    count -= left;
    pieces_.pop_front();
  }
}

void OutboundBytes::Clear() {
  pieces_.clear();
  size_ = 0;
}

}  // namespace millrace
