#include "store/incoming_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/try.h"
#include "env/random_id.h"

namespace millrace {
namespace {

constexpr std::size_t kIdDigits = 32;

bool IsId(std::string_view text) {
  return text.size() == kIdDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Whose file this is; "" if its name is none of ours.
std::string OwnerOf(std::string_view name) {
  const std::string_view id = name.substr(0, name.find('-'));
  return IsId(id) ? std::string(id) : std::string();
}

}  // namespace

IncomingFiles::IncomingFiles(const std::filesystem::path& root, FileSystem& file_system, Random& random)
    : incoming_(root / "~incoming"), owners_(root / "~owners"), file_system_(file_system), random_(random) {}

IncomingFiles::~IncomingFiles() {
  MutexLock lock(mutex_);
  if (lock_) (void)file_system_.Remove(owners_ / id_);  // what stays is cleared by the next store that opens
}

void IncomingFiles::ClearDead() {
  // In this order: an owner is there before its first file. A file that was seen and whose owner is not there any more
  // is therefore left over.
  const auto files = file_system_.List(incoming_);
  const auto owners = file_system_.List(owners_);
  if (!owners && owners.error().code() != ErrorCode::kNotFound) return;
  std::set<std::string> alive;
  std::vector<std::pair<std::string, std::unique_ptr<FileLock>>> dead;
  for (const DirectoryEntry& owner : owners.value_or(std::vector<DirectoryEntry>())) {
    if (!IsId(owner.name)) continue;
    auto taken = file_system_.Lock(owners_ / owner.name, "clearing up after its owner");
    if (taken) {
      dead.emplace_back(owner.name, *std::move(taken));
    } else {
      alive.insert(owner.name);
    }
  }
  for (const DirectoryEntry& file : files.value_or(std::vector<DirectoryEntry>())) {
    const std::string owner = OwnerOf(file.name);
    if (!owner.empty() && !alive.contains(owner)) (void)file_system_.Remove(incoming_ / file.name);
  }
  for (const auto& [id, lock] : dead) (void)file_system_.Remove(owners_ / id);
}

Result<void> IncomingFiles::Own() {
  constexpr int kTriesMax = 8;
  MR_TRY(file_system_.CreateDirectories(incoming_));
  MR_TRY(file_system_.CreateDirectories(owners_));
  for (int tries = 0; tries < kTriesMax; ++tries) {
    std::string id = RandomHexId(random_);
    auto taken = file_system_.Lock(owners_ / id, fmt::format("process {}", ::getpid()));
    if (!taken) return std::move(taken).error();
    // Another store may have found the file before it was locked, and cleared it away: then the lock protects nothing.
    MR_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> owners, file_system_.List(owners_));
    if (std::ranges::none_of(owners, [&](const auto& owner) { return owner.name == id; })) continue;
    lock_ = *std::move(taken);
    id_ = std::move(id);
    return {};
  }
  return Error(ErrorCode::kUnavailable,
               fmt::format("{}: an owner's file is removed again and again", owners_.native()));
}

Result<std::filesystem::path> IncomingFiles::NextPath() {
  MutexLock lock(mutex_);
  if (!lock_) MR_TRY(Own());
  return incoming_ / fmt::format("{}-{}", id_, next_++);
}

}  // namespace millrace
