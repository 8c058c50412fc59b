#include "inspect/wal_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <tuple>

#include "base/try.h"
#include "inspect/file_bytes.h"

namespace millrace {
namespace {

bool IsLive(const WalFileView& file) { return file.scan.header && file.scan.header->state == WalFileState::kLive; }

}  // namespace

Result<std::vector<WalFileView>> ScanWalDirectory(const std::filesystem::path& directory) {
  std::vector<WalFileView> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_regular_file(error) || entry->path().extension() != ".wal") continue;
    MR_ASSIGN_OR_RETURN(SharedBytes bytes, ReadWholeFile(entry->path()));
    files.push_back({entry->path().filename().string(), bytes.size(), ScanWalFile(bytes)});
  }
  if (error) {
    return Error(ErrorCode::kUnavailable, fmt::format("cannot list {}: {}", directory.string(), error.message()));
  }
  std::ranges::sort(files, {}, [](const WalFileView& file) {
    bool live = IsLive(file);
    return std::tuple(!live, live ? file.scan.header->base : WalPosition(0), file.name);
  });
  return files;
}

std::vector<WalDamageFound> DamageIn(const std::vector<WalFileView>& files) {
  std::vector<WalDamageFound> damage;
  WalPosition synced_to;
  for (const WalFileView& file : files) synced_to = std::max(synced_to, file.scan.synced_to);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const WalFileView& file = files[i];
    if (!file.scan.header) {
      damage.push_back({file.name, {0, kWalFileHeaderBytes}, "neither copy of the header is valid"});
      continue;
    }
    for (FileRange copy : file.scan.bad_header_copies) {
      damage.push_back({file.name, copy, "this copy of the header is not valid; the other one is"});
    }
    if (!IsLive(file)) continue;
    const WalFileHeader* successor =
        i + 1 < files.size() && IsLive(files[i + 1]) ? &*files[i + 1].scan.header : nullptr;
    if (successor != nullptr && successor->predecessor_generation != file.scan.header->generation) {
      damage.push_back({files[i + 1].name,
                        {0, kWalFileHeaderBytes},
                        fmt::format("the file of generation {}, which stood before this one, is missing",
                                    successor->predecessor_generation)});
      successor = nullptr;
    }
    for (ScannedGap& gap : DamageOf(file.scan, successor, synced_to)) {
      damage.push_back({file.name, gap.range, std::move(gap.reason)});
    }
  }
  return damage;
}

}  // namespace millrace
