#include "store/memory_object_store.h"

#include <algorithm>

#include "base/try.h"
#include "store/object_key.h"
#include "store/object_pieces.h"

namespace millrace {

bool MemoryObjectStore::TakenAsFolder(std::string_view key) const {
  const auto below = objects_.lower_bound(std::string(key) + '/');
  if (below != objects_.end() && below->first.starts_with(std::string(key) + '/')) return true;
  for (auto slash = key.find('/'); slash != std::string_view::npos; slash = key.find('/', slash + 1)) {
    if (objects_.contains(key.substr(0, slash))) return true;
  }
  return false;
}

Result<void> MemoryObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  MR_TRY(CheckObjectKey(key));
  SharedBytes joined = JoinPieces(pieces);
  MutexLock lock(mutex_);
  if (TakenAsFolder(key)) return KeyIsFolder(key);
  const auto found = objects_.find(key);
  if (found != objects_.end() && mode == PutMode::kIfAbsent) {
    return Error(ErrorCode::kAlreadyExists, "memory: there is already an object " + std::string(key));
  }
  objects_.insert_or_assign(std::string(key), Stored{std::move(joined), clock_ == nullptr ? 0 : clock_->WallMs()});
  return {};
}

Result<SharedBytes> MemoryObjectStore::Get(std::string_view key, ByteRange range) {
  MR_TRY(CheckObjectKey(key));
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return ObjectNotFound(Describe(), key);
  const SharedBytes& bytes = found->second.bytes;
  MR_ASSIGN_OR_RETURN(const std::uint64_t length, LengthWithin(range, bytes.size(), key));
  return bytes.Slice(range.offset, length);
}

Result<ObjectDescription> MemoryObjectStore::Head(std::string_view key) {
  MR_TRY(CheckObjectKey(key));
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return ObjectNotFound(Describe(), key);
  return ObjectDescription{found->first, found->second.bytes.size(), found->second.modified_ms};
}

Result<ObjectPage> MemoryObjectStore::List(std::string_view prefix, std::string_view continuation, std::size_t max) {
  if (max == 0) return Error(ErrorCode::kInvalidArgument, "a page of a listing holds at least one key");
  MutexLock lock(mutex_);
  ObjectPage page;
  auto at = objects_.lower_bound(prefix);
  if (continuation >= prefix && !continuation.empty()) at = objects_.upper_bound(continuation);
  for (; at != objects_.end() && at->first.starts_with(prefix); ++at) {
    if (page.objects.size() == max) {
      page.next = page.objects.back().key;
      break;
    }
    page.objects.push_back({at->first, at->second.bytes.size(), at->second.modified_ms});
  }
  return page;
}

Result<void> MemoryObjectStore::Delete(std::string_view key) {
  MR_TRY(CheckObjectKey(key));
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found != objects_.end()) objects_.erase(found);
  return {};
}

bool MemoryObjectStore::FlipBit(std::string_view key, std::uint64_t byte, unsigned bit) {
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end() || byte >= found->second.bytes.size()) return false;
  // Readers may hold slices of the old bytes; those stay as they were.
  Buffer copy(found->second.bytes.size());
  std::ranges::copy(found->second.bytes.bytes(), copy.bytes().begin());
  copy.bytes()[byte] ^= std::byte{1} << bit;
  found->second.bytes = std::move(copy).Freeze();
  return true;
}

}  // namespace millrace
