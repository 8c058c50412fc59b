#include "wal/staging_ring.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "wal/frame.h"

namespace millrace {

namespace {

constexpr std::uint64_t kTouchBytes = 64 << 10;
constexpr std::uint64_t kPieceBytes = 1 << 20;

Result<void> MakeLongEnough(File& file, std::uint64_t size) {
  MR_ASSIGN_OR_RETURN(const std::uint64_t present, file.Size());
  if (present > size) MR_TRY(file.Truncate(size));
  // Also if it is long enough: after a power loss there may be holes in it, and a full disk would show only in an
  // append.
  const auto allocated = file.Allocate(size);
  if (allocated && present >= size) return {};
  // No reservation here, or none that worked: writing every byte reserves just as well, and says if it cannot. A new
  // file is written in any case: by large writes the page cache gets large pieces of memory, of which the first use,
  // and each direct write of a group out of them, takes half the time that single pages take.
  std::vector<std::byte> piece(std::min(size, kPieceBytes));
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    const auto bytes = std::span(piece).first(std::min<std::uint64_t>(piece.size(), size - at));
    std::size_t kept = 0;
    if (at < present) {
      MR_ASSIGN_OR_RETURN(kept, file.ReadAt(at, bytes));
    }
    std::ranges::fill(bytes.subspan(kept), std::byte{0});
    MR_TRY(file.WriteAt(at, bytes));
  }
  return {};
}

/// Where a frame lies in a ring depends on its size: recovery has not seen what a ring of another size holds, of which
/// a power loss may have taken the end. Grown again it would be met by the next one.
Result<void> EmptyUnlessOfSize(FileSystem& file_system, const std::filesystem::path& path, std::uint64_t size) {
  auto file = file_system.Open(path, {.access = FileAccess::kReadWrite});
  if (!file && file.error().code() == ErrorCode::kNotFound) return {};
  if (!file) return std::move(file).error();
  MR_ASSIGN_OR_RETURN(const std::uint64_t present, (*file)->Size());
  if (present == size) return {};
  MR_TRY((*file)->Truncate(0));
  return (*file)->Sync();
}

}  // namespace

void StagingArea::FreeAligned::operator()(std::byte* memory) const { std::free(memory); }

Result<std::unique_ptr<StagingArea>> StagingArea::Open(FileSystem& file_system, const std::filesystem::path& path,
                                                       std::uint64_t size) {
  MR_CHECK(size > 0 && size % kWalBlockBytes == 0, size);
  std::unique_ptr<StagingArea> area(new StagingArea);
  MR_ASSIGN_OR_RETURN(
      area->file_, file_system.Open(path, {.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate}));
  MR_TRY(MakeLongEnough(*area->file_, size));
  if (auto region = area->file_->Map(size); region) {
    area->region_ = *std::move(region);
    area->bytes_ = area->region_->bytes();
  } else if (region.error().code() == ErrorCode::kUnsupported) {
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(kWalBlockBytes, size));
    if (memory == nullptr) throw std::bad_alloc();
    area->heap_.reset(memory);
    area->bytes_ = {memory, size};
    std::memset(memory, 0, size);
  } else {
    return region.error();
  }
  return area;
}

bool StagingArea::TouchNext() {
  const std::uint64_t end = std::min(bytes_.size(), touched_ + kTouchBytes);
  for (; touched_ < end && region_; touched_ += kWalBlockBytes) {
    volatile std::byte* page = bytes_.data() + touched_;
    *page = *page;
  }
  return region_ != nullptr && touched_ < bytes_.size();
}

Result<void> StagingArea::Publish(std::uint64_t offset, std::uint64_t length) {
  if (region_) return {};
  MR_DCHECK(offset <= size() && length <= size() - offset, offset, length, size());
  return file_->WriteAt(offset, bytes_.subspan(offset, length));
}

Result<std::unique_ptr<StagingRing>> StagingRing::Open(FileSystem& file_system, const std::filesystem::path& directory,
                                                       std::uint64_t size) {
  MR_TRY(EmptyUnlessOfSize(file_system, directory / kStagingFileName, size));
  std::unique_ptr<StagingRing> ring(new StagingRing(file_system, directory));
  MR_ASSIGN_OR_RETURN(ring->ring_, StagingArea::Open(file_system, directory / kStagingFileName, size));
  return ring;
}

template <class Visit>
void StagingRing::VisitPieces(WalPosition position, std::uint64_t length, Visit visit) {
  if (holds_large() && position >= large_begin_ && position < large_end_) {
    const auto offset = static_cast<std::uint64_t>(position - large_begin_);
    MR_CHECK(offset + length <= large_->size(), offset, length, large_->size());
    visit(*large_, offset, 0, length);
    return;
  }
  if (holds_large() && position < large_begin_) {
    // A group may go on into the large frame; only its part in the ring is meant here.
    length = std::min(length, static_cast<std::uint64_t>(large_begin_ - position));
  }
  MR_CHECK(length <= ring_->size(), length, ring_->size());
  const std::uint64_t offset = static_cast<std::uint64_t>(position.value()) % ring_->size();
  const std::uint64_t first = std::min(length, ring_->size() - offset);
  visit(*ring_, offset, 0, first);
  if (first < length) visit(*ring_, 0, first, length - first);
}

void StagingRing::CopyIn(WalPosition position, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  VisitPieces(position, bytes.size(), [&](StagingArea& area, std::uint64_t to, std::uint64_t from, std::uint64_t n) {
    std::memcpy(area.bytes().data() + to, bytes.data() + from, n);
  });
}

void StagingRing::Zero(WalPosition position, std::uint64_t length) {
  if (length == 0) return;
  VisitPieces(position, length, [&](StagingArea& area, std::uint64_t to, std::uint64_t, std::uint64_t n) {
    std::memset(area.bytes().data() + to, 0, n);
  });
}

void StagingRing::CopyOut(WalPosition position, std::span<std::byte> out) {
  if (out.empty()) return;
  VisitPieces(position, out.size(), [&](StagingArea& area, std::uint64_t at, std::uint64_t to, std::uint64_t n) {
    std::memcpy(out.data() + to, area.bytes().data() + at, n);
  });
}

std::span<const std::byte> StagingRing::Contiguous(WalPosition position, std::uint64_t length) {
  std::span<const std::byte> found;
  VisitPieces(position, length, [&](StagingArea& area, std::uint64_t at, std::uint64_t to, std::uint64_t n) {
    if (to == 0) found = area.bytes().subspan(at, n);
  });
  return found;
}

Result<void> StagingRing::Publish(WalPosition position, std::uint64_t length) {
  Result<void> published;
  VisitPieces(position, length, [&](StagingArea& area, std::uint64_t at, std::uint64_t, std::uint64_t n) {
    if (published) published = area.Publish(at, n);
  });
  return published;
}

Result<std::unique_ptr<StagingArea>> StagingRing::MakeLarge(std::uint64_t bytes) const {
  return StagingArea::Open(file_system_, directory_ / kLargeStagingFileName, AlignUp(bytes, kWalBlockBytes));
}

std::unique_ptr<StagingArea> StagingRing::ExchangeLarge(std::unique_ptr<StagingArea> area) {
  MR_CHECK(!holds_large());
  return std::exchange(large_, std::move(area));
}

void StagingRing::BeginLarge(WalPosition begin, WalPosition end) {
  MR_CHECK(!holds_large() && begin == BlockDown(begin), begin.value());
  MR_CHECK(begin < end && large_size() >= static_cast<std::uint64_t>(end - begin), begin.value(), end.value(),
           large_size());
  large_begin_ = begin;
  large_end_ = end;
}

void StagingRing::EndLarge() {
  MR_CHECK(holds_large(), large_begin_.value(), large_end_.value());
  large_begin_ = large_end_ = WalPosition();
}

void StagingRing::RemoveLarge() const {
  // What is left behind if this fails is stale: its frame is in a WAL file.
  [[maybe_unused]] const auto removed = file_system_.Remove(directory_ / kLargeStagingFileName);
}

}  // namespace millrace
