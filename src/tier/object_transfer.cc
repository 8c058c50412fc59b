#include "tier/object_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/try.h"
#include "segment/block_source.h"
#include "segment/segment_verifier.h"

namespace millrace {
namespace {

constexpr std::uint64_t kPieceBytes = 8 << 20;
constexpr int kReadsMax = 3;

/// A segment within an object that is in memory.
class SegmentInMemory final : public BlockSource {
 public:
  SegmentInMemory(const SharedBytes& object, ByteRange segment) : object_(object), segment_(segment) {}
  Result<SharedBytes> Fetch(ByteRange range) override {
    if (range.offset > segment_.length || range.length > segment_.length - range.offset)
      return Error(ErrorCode::kCorruption, "the segment is shorter than it says");
    return object_.Slice(segment_.offset + range.offset, range.length);
  }

 private:
  const SharedBytes& object_;
  const ByteRange segment_;
};

Result<SharedBytes> GetWhole(ObjectStore& from, const ObjectRow& object) {
  Buffer whole(object.size_bytes);
  for (std::uint64_t at = 0; at < object.size_bytes;) {
    const std::uint64_t length = std::min(kPieceBytes, object.size_bytes - at);
    const auto piece = from.Get(object.key, {at, length});
    const bool is_short = piece ? piece->size() != length : piece.error().code() == ErrorCode::kOutOfRange;
    if (is_short)
      return Error(ErrorCode::kCorruption, fmt::format("{}: {} is shorter than the {} bytes that were put",
                                                       from.Describe(), object.key, object.size_bytes));
    if (!piece) return piece.error();
    std::ranges::copy(piece->bytes(), whole.bytes().begin() + static_cast<std::ptrdiff_t>(at));
    at += length;
  }
  return std::move(whole).Freeze();
}

std::vector<Error> DamageIn(const SharedBytes& object, std::span<const ByteRange> segments) {
  std::vector<Error> damage;
  for (const ByteRange& segment : segments) {
    if (segment.offset > object.size() || segment.length > object.size() - segment.offset) {
      damage.emplace_back(ErrorCode::kCorruption, "a segment lies beyond the end of its object");
      continue;
    }
    SegmentInMemory source(object, segment);
    auto check = VerifySegment(source, segment.length);
    if (!check) {
      damage.push_back(check.error());
    } else {
      std::ranges::move(check->damage, std::back_inserter(damage));
    }
  }
  return damage;
}

}  // namespace

Result<ObjectTransfer> TransferObject(ObjectStore& from, ObjectStore& to, const ObjectRow& object,
                                      std::span<const ByteRange> segments) {
  ObjectTransfer transfer;
  SharedBytes bytes;
  for (int read = 1; read <= kReadsMax; ++read) {
    auto whole = GetWhole(from, object);
    if (!whole && whole.error().code() == ErrorCode::kNotFound) {
      transfer.missing = true;
      return transfer;
    }
    if (!whole) return whole.error();
    bytes = *std::move(whole);
    transfer.damage = DamageIn(bytes, segments);
    if (transfer.damage.empty()) break;
  }
  MR_TRY(to.Put(object.key, {&bytes, 1}, PutMode::kOverwrite));
  return transfer;
}

}  // namespace millrace
