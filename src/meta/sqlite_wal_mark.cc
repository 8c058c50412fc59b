#include "meta/sqlite_wal_mark.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "meta/sqlite_vfs.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::string_view kMagic = "MRWALMK1";
constexpr std::size_t kMarkBytes = 40, kSaltsAt = 8, kFramesAt = 16, kCrcAt = 36;
constexpr std::uint32_t kWalMagic = 0x377f0682;  // the last bit tells the byte order of checksums
constexpr std::size_t kWalSaltsAt = 16, kWalSumAt = 24, kFrameSaltsAt = 8, kFrameSumAt = 16;

SqliteWalChecksum StoredSum(const std::byte* at) { return {GetBe<std::uint32_t>(at), GetBe<std::uint32_t>(at + 4)}; }

}  // namespace

Result<std::optional<SqliteWalExtent>> MeasureSqliteWal(FileSystem& file_system, const std::filesystem::path& wal) {
  auto file = file_system.Open(wal, {});
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return std::optional<SqliteWalExtent>();
    return std::move(file).error();
  }
  SqliteWalExtent extent;
  MR_ASSIGN_OR_RETURN(extent.size_bytes, (*file)->Size());
  if (extent.size_bytes == 0) return std::optional<SqliteWalExtent>();
  std::array<std::byte, kSqliteWalHeaderBytes> header{};
  MR_ASSIGN_OR_RETURN(const std::size_t header_read, (*file)->ReadAt(0, header));
  if (header_read < header.size()) return std::optional(extent);
  const auto magic = GetBe<std::uint32_t>(header.data());
  const bool big_endian = (magic & 1) != 0;
  SqliteWalChecksum sum = SqliteWalChecksum{}.Over(std::span(header).first(kWalSumAt), big_endian);
  if ((magic & ~1u) != kWalMagic || sum != StoredSum(header.data() + kWalSumAt)) return std::optional(extent);
  extent.salts.emplace();
  std::copy_n(header.begin() + kWalSaltsAt, extent.salts->size(), extent.salts->begin());
  std::vector<std::byte> frame(kSqliteWalFrameBytes);
  for (std::uint64_t at = kSqliteWalHeaderBytes;; at += kSqliteWalFrameBytes) {
    MR_ASSIGN_OR_RETURN(const std::size_t read, (*file)->ReadAt(at, frame));
    if (read < frame.size() || !std::equal(extent.salts->begin(), extent.salts->end(), frame.begin() + kFrameSaltsAt))
      break;
    const std::span<const std::byte> bytes(frame);
    sum = sum.Over(bytes.first(8), big_endian).Over(bytes.subspan(kSqliteWalFrameHeaderBytes), big_endian);
    if (sum != StoredSum(frame.data() + kFrameSumAt)) break;
    ++extent.frames;
  }
  return std::optional(extent);
}

Result<std::unique_ptr<SqliteWalMark>> SqliteWalMark::Open(const std::filesystem::path& database,
                                                           FileSystem& file_system) {
  std::unique_ptr<SqliteWalMark> mark(new SqliteWalMark(file_system, database));
  MR_TRY(mark->OpenFile());
  MR_TRY(mark->CheckWal());
  return mark;
}

Result<void> SqliteWalMark::OpenFile() {
  MR_ASSIGN_OR_RETURN(file_, file_system_.Open(path_, {FileAccess::kReadWrite, FileCreation::kOpenOrCreate}));
  return {};
}

Result<void> SqliteWalMark::CheckWal() {
  std::array<std::byte, kMarkBytes> mark{};
  MR_ASSIGN_OR_RETURN(const std::size_t read, file_->ReadAt(0, mark));
  const bool whole = read == mark.size() && AsText(std::span(mark).first(kMagic.size())) == kMagic &&
                     GetLe<std::uint32_t>(mark.data() + kCrcAt) == Crc32c(std::span(mark).first(kCrcAt));
  if (!whole) return {};
  const auto frames = GetLe<std::uint64_t>(mark.data() + kFramesAt);
  MR_ASSIGN_OR_RETURN(const std::optional<SqliteWalExtent> found, MeasureSqliteWal(file_system_, wal_));
  const SqliteWalExtent extent = found.value_or(SqliteWalExtent{});
  const bool same_file =
      extent.salts && std::equal(extent.salts->begin(), extent.salts->end(), mark.begin() + kSaltsAt);
  if (frames == 0) return same_file ? file_system_.Remove(wal_) : Result<void>();
  const std::uint64_t valid = same_file ? extent.frames : 0;
  if (valid >= frames) return {};
  const std::uint64_t begin = same_file ? kSqliteWalHeaderBytes + valid * kSqliteWalFrameBytes : 0;
  const std::uint64_t end = kSqliteWalHeaderBytes + frames * kSqliteWalFrameBytes;
  return Error(ErrorCode::kCorruption,
               fmt::format("metadata: {}, bytes [{}, {}): {} frames were committed, {} can be read", wal_.string(),
                           begin, end, frames, valid))
      .WithDamage({{}, {}, {}, wal_.string(), begin, end});
}

Result<void> SqliteWalMark::Write(std::uint64_t frames) {
  std::array<std::byte, kMarkBytes> mark{};
  std::ranges::copy(AsBytes(kMagic), mark.begin());
  // Read each time: SQLite begins the file anew whenever all of it has been taken in.
  auto wal = file_system_.Open(wal_, {});
  if (!wal && wal.error().code() != ErrorCode::kNotFound) return std::move(wal).error();
  if (wal) {
    std::array<std::byte, 8> salts{};
    MR_ASSIGN_OR_RETURN(const std::size_t read, (*wal)->ReadAt(kWalSaltsAt, salts));
    if (read == salts.size()) std::ranges::copy(salts, mark.begin() + kSaltsAt);
  }
  PutLe(mark.data() + kFramesAt, frames);
  PutLe(mark.data() + kCrcAt, Crc32c(std::span(mark).first(kCrcAt)));
  if (!file_) return Error(ErrorCode::kUnavailable, "metadata: the mark of the -wal file is withdrawn");
  return file_->WriteAt(0, mark);
}

Result<void> SqliteWalMark::Committed(std::uint64_t frames) { return Write(frames); }

Result<void> SqliteWalMark::Checkpointed() {
  MR_TRY(Write(0));
  MR_TRY(file_->Sync());
  doubtful_ = false;
  return {};
}

Result<void> SqliteWalMark::WithdrawIfDoubtful() {
  if (!doubtful_) return {};
  // Not written over: the file may be one whose sync failed.
  file_.reset();
  if (auto removed = file_system_.Remove(path_); !removed && removed.error().code() != ErrorCode::kNotFound) {
    return removed.error().WithContext("withdrawing the mark of the metadata's -wal file");
  }
  MR_TRY(file_system_.SyncDirectory(path_.parent_path()));
  MR_TRY(OpenFile());
  doubtful_ = false;
  return {};
}

}  // namespace millrace
