#include "meta/sqlite_vfs.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/coding.h"
#include "base/crc32c.h"
#include "millrace/bytes.h"

namespace millrace {

struct SqliteVfs::State {
  explicit State(FileSystem& files) : file_system(files) {}

  FileSystem& file_system;
  sqlite3_vfs vfs{};
  std::string name;
  std::optional<Error> error;
  bool broken = false;
};

namespace {

enum class Kind { kDatabase, kWal, kOther };

struct OpenFile {
  sqlite3_file base;  // SQLite sees this; must be first
  SqliteVfs::State* state;
  File* file;  // owned; SQLite allocates and frees the struct without constructors
  std::string* path;
  Kind kind;
  bool delete_on_close;
  bool sync_directory;  // its name may not be durable yet
};

OpenFile& Self(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
SqliteVfs::State& Of(sqlite3_vfs* vfs) { return *static_cast<SqliteVfs::State*>(vfs->pAppData); }

/// Keeps the error for the caller that asks after SQLite has failed, and gives SQLite the code that makes it fail.
int Fail(SqliteVfs::State& state, const Error& error, int io_code) {
  state.error = error;
  return error.code() == ErrorCode::kOutOfSpace ? SQLITE_FULL : io_code;
}

int Damaged(const OpenFile& self, std::uint64_t begin, std::uint64_t end, std::string_view what) {
  const Error error(ErrorCode::kCorruption,
                    fmt::format("metadata: {}, bytes [{}, {}): {}", *self.path, begin, end, what));
  return Fail(*self.state, error.WithDamage({{}, {}, {}, *self.path, begin, end}), SQLITE_IOERR_DATA);
}

std::uint32_t PageCrc(std::uint64_t offset, std::span<const std::byte> page) {
  std::array<std::byte, 8> number;
  PutLe(number.data(), std::uint64_t{offset / kSqlitePageBytes + 1});
  return Crc32c(page.first(kSqlitePageBytes - kSqliteReservedBytes), Crc32c(number));
}

bool IsPage(std::size_t amount, std::uint64_t offset) {
  return amount == kSqlitePageBytes && offset % kSqlitePageBytes == 0;
}

int CheckDatabaseRead(const OpenFile& self, std::span<const std::byte> bytes, std::uint64_t offset) {
  if (IsPage(bytes.size(), offset)) {
    const auto stored = GetLe<std::uint32_t>(bytes.data() + kSqlitePageBytes - kSqliteReservedBytes);
    const auto rest = GetLe<std::uint32_t>(bytes.data() + kSqlitePageBytes - 4);
    const std::uint32_t found = PageCrc(offset, bytes);
    if (stored == found && rest == 0) return SQLITE_OK;
    return Damaged(self, offset, offset + kSqlitePageBytes,
                   fmt::format("page fails its CRC (stored {:08x}, found {:08x})", stored, found));
  }
  // Before it knows the page size SQLite looks at the file's first bytes alone; the rest it reads again as page 1.
  constexpr std::size_t kPageSizeAt = 16, kReservedAt = 20;
  if (offset == 0 && bytes.size() > kReservedAt) {
    const bool page_size = GetBe<std::uint16_t>(bytes.data() + kPageSizeAt) == kSqlitePageBytes;
    const bool reserved = static_cast<std::size_t>(bytes[kReservedAt]) == kSqliteReservedBytes;
    if (!page_size || !reserved) return Damaged(self, kPageSizeAt, kReservedAt + 1, "page size is not ours");
  }
  return SQLITE_OK;
}

/// A page out of the -wal file: its frame's checksum continues the one before.
int ReadWalPage(const OpenFile& self, std::span<std::byte> out, std::uint64_t offset) {
  const std::uint64_t frame = offset - kSqliteWalFrameHeaderBytes;
  const std::uint64_t before =
      frame == kSqliteWalHeaderBytes ? frame - 8 : frame - kSqliteWalFrameBytes + kSqliteWalFrameHeaderBytes - 8;
  std::array<std::byte, kSqliteWalFrameBytes> whole;
  std::array<std::byte, 8> previous;
  std::array<std::byte, 4> magic;
  for (const auto& [at, bytes] :
       {std::pair<std::uint64_t, std::span<std::byte>>{frame, whole}, {before, previous}, {0, magic}}) {
    auto read = self.file->ReadAt(at, bytes);
    if (!read) return Fail(*self.state, read.error(), SQLITE_IOERR_READ);
    if (*read != bytes.size()) return Damaged(self, at, at + bytes.size(), "the frame is cut");
  }
  const bool big_endian = (GetBe<std::uint32_t>(magic.data()) & 1) != 0;
  const std::span<const std::byte> bytes(whole);
  SqliteWalChecksum sum{GetBe<std::uint32_t>(previous.data()), GetBe<std::uint32_t>(previous.data() + 4)};
  sum = sum.Over(bytes.first(8), big_endian).Over(bytes.subspan(kSqliteWalFrameHeaderBytes), big_endian);
  if (sum != SqliteWalChecksum{GetBe<std::uint32_t>(whole.data() + 16), GetBe<std::uint32_t>(whole.data() + 20)}) {
    return Damaged(self, frame, frame + kSqliteWalFrameBytes, "frame fails its checksum");
  }
  std::memcpy(out.data(), whole.data() + kSqliteWalFrameHeaderBytes, kSqlitePageBytes);
  return SQLITE_OK;
}

int Close(sqlite3_file* file) {
  OpenFile& self = Self(file);
  delete self.file;
  if (self.delete_on_close) (void)self.state->file_system.Remove(*self.path);
  delete self.path;
  self.base.pMethods = nullptr;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int amount, sqlite3_int64 at) {
  OpenFile& self = Self(file);
  const std::span<std::byte> bytes(static_cast<std::byte*>(out), static_cast<std::size_t>(amount));
  const auto offset = static_cast<std::uint64_t>(at);
  const bool wal_page = self.kind == Kind::kWal && bytes.size() == kSqlitePageBytes &&
                        offset >= kSqliteWalHeaderBytes + kSqliteWalFrameHeaderBytes;
  if (wal_page) return ReadWalPage(self, bytes, offset);
  auto read = self.file->ReadAt(offset, bytes);
  if (!read) return Fail(*self.state, read.error(), SQLITE_IOERR_READ);
  if (*read < bytes.size()) {
    std::ranges::fill(bytes.subspan(*read), std::byte{0});
    // A database file is whole pages; one that ends within a page has lost bytes.
    if (self.kind == Kind::kDatabase && *read > 0) return Damaged(self, offset, offset + *read, "page is cut");
    return SQLITE_IOERR_SHORT_READ;
  }
  return self.kind == Kind::kDatabase ? CheckDatabaseRead(self, bytes, offset) : SQLITE_OK;
}

int Write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 at) {
  OpenFile& self = Self(file);
  const auto offset = static_cast<std::uint64_t>(at);
  std::span<const std::byte> bytes(static_cast<const std::byte*>(data), static_cast<std::size_t>(amount));
  std::array<std::byte, kSqlitePageBytes> page;
  if (self.kind == Kind::kDatabase && IsPage(bytes.size(), offset)) {
    std::memcpy(page.data(), bytes.data(), page.size());
    PutLe(page.data() + page.size() - kSqliteReservedBytes, PageCrc(offset, page));
    PutLe(page.data() + page.size() - 4, std::uint32_t{0});
    bytes = page;
  }
  auto written = self.file->WriteAt(offset, bytes);
  return written ? SQLITE_OK : Fail(*self.state, written.error(), SQLITE_IOERR_WRITE);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile& self = Self(file);
  auto truncated = self.file->Truncate(static_cast<std::uint64_t>(size));
  return truncated ? SQLITE_OK : Fail(*self.state, truncated.error(), SQLITE_IOERR_TRUNCATE);
}

int Sync(sqlite3_file* file, int) {
  OpenFile& self = Self(file);
  if (self.state->broken) {
    const Error again(ErrorCode::kUnavailable, fmt::format("metadata: {}: an earlier sync failed", *self.path));
    return Fail(*self.state, again, SQLITE_IOERR_FSYNC);
  }
  auto synced = self.file->Sync();
  if (synced && self.sync_directory) {
    synced = self.state->file_system.SyncDirectory(std::filesystem::path(*self.path).parent_path());
  }
  if (synced) {
    self.sync_directory = false;
    return SQLITE_OK;
  }
  self.state->broken = true;
  return Fail(*self.state, synced.error(), SQLITE_IOERR_FSYNC);
}

int FileSize(sqlite3_file* file, sqlite3_int64* out) {
  OpenFile& self = Self(file);
  auto size = self.file->Size();
  if (!size) return Fail(*self.state, size.error(), SQLITE_IOERR_FSTAT);
  *out = static_cast<sqlite3_int64>(*size);
  return SQLITE_OK;
}

// One connection, exclusive: the lock file beside the database keeps others out, not SQLite's byte locks.
int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file*, int* out) {
  *out = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int SectorSize(sqlite3_file*) { return kSqlitePageBytes; }
int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

// Version 1: no shared memory and no mappings; exclusive locking mode needs neither.
constexpr sqlite3_io_methods kMethods{.iVersion = 1,
                                      .xClose = Close,
                                      .xRead = Read,
                                      .xWrite = Write,
                                      .xTruncate = Truncate,
                                      .xSync = Sync,
                                      .xFileSize = FileSize,
                                      .xLock = Lock,
                                      .xUnlock = Lock,
                                      .xCheckReservedLock = CheckReservedLock,
                                      .xFileControl = FileControl,
                                      .xSectorSize = SectorSize,
                                      .xDeviceCharacteristics = DeviceCharacteristics};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  SqliteVfs::State& state = Of(vfs);
  OpenFile& self = Self(file);
  self.base.pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files live in memory
  const std::filesystem::path path(name);
  FileOptions options{FileAccess::kReadWrite, FileCreation::kOpenExisting};
  auto opened = state.file_system.Open(path, options);
  if (!opened && opened.error().code() == ErrorCode::kNotFound && (flags & SQLITE_OPEN_CREATE) != 0) {
    options.creation = FileCreation::kOpenOrCreate;
    opened = state.file_system.Open(path, options);
  }
  if (!opened) return Fail(state, opened.error(), SQLITE_CANTOPEN);
  self.state = &state;
  self.file = opened->release();
  self.path = new std::string(path.string());
  self.kind = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? Kind::kDatabase
              : (flags & SQLITE_OPEN_WAL) != 0   ? Kind::kWal
                                                 : Kind::kOther;
  // The process that created it may have died before its directory was synced.
  self.sync_directory = (flags & SQLITE_OPEN_CREATE) != 0;
  self.delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  self.base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  SqliteVfs::State& state = Of(vfs);
  const std::filesystem::path path(name);
  auto removed = state.file_system.Remove(path);
  if (!removed) {
    if (removed.error().code() == ErrorCode::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
    return Fail(state, removed.error(), SQLITE_IOERR_DELETE);
  }
  if (sync_directory == 0) return SQLITE_OK;
  auto synced = state.file_system.SyncDirectory(path.parent_path());
  return synced ? SQLITE_OK : Fail(state, synced.error(), SQLITE_IOERR_DIR_FSYNC);
}

int Access(sqlite3_vfs* vfs, const char* name, int, int* out) {
  SqliteVfs::State& state = Of(vfs);
  *out = 0;
  auto file = state.file_system.Open(name, {});
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return SQLITE_OK;
    return Fail(state, file.error(), SQLITE_IOERR_ACCESS);
  }
  auto size = (*file)->Size();
  if (!size) return Fail(state, size.error(), SQLITE_IOERR_ACCESS);
  *out = *size > 0 ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
  if (std::strlen(name) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::strcpy(out, name);
  return SQLITE_OK;
}

// SQLite asks the default VFS, not this one, for its randomness and times; these are here to be complete.
int Randomness(sqlite3_vfs*, int size, char* out) {
  std::fill_n(out, size, '\0');
  return size;
}
int Sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int CurrentTime(sqlite3_vfs*, double* out) {
  *out = 0;
  return SQLITE_OK;
}
int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

SqliteVfs::SqliteVfs(FileSystem& file_system) : state_(std::make_unique<State>(file_system)) {
  // SQLite keeps VFSes in a list by name; an address is unique among the living.
  state_->name = fmt::format("millrace-{}", static_cast<const void*>(state_.get()));
  state_->vfs = {.iVersion = 1,
                 .szOsFile = sizeof(OpenFile),
                 .mxPathname = 4096,
                 .zName = state_->name.c_str(),
                 .pAppData = state_.get(),
                 .xOpen = Open,
                 .xDelete = Delete,
                 .xAccess = Access,
                 .xFullPathname = FullPathname,
                 .xRandomness = Randomness,
                 .xSleep = Sleep,
                 .xCurrentTime = CurrentTime,
                 .xGetLastError = GetLastError};
  sqlite3_vfs_register(&state_->vfs, 0);
}

SqliteVfs::~SqliteVfs() { sqlite3_vfs_unregister(&state_->vfs); }

const char* SqliteVfs::name() const { return state_->name.c_str(); }

std::optional<Error> SqliteVfs::TakeError() { return std::exchange(state_->error, std::nullopt); }

bool SqliteVfs::broken() const { return state_->broken; }

void SqliteVfs::ClearBroken() { state_->broken = false; }

SqliteWalChecksum SqliteWalChecksum::Over(std::span<const std::byte> bytes, bool big_endian) const {
  SqliteWalChecksum sum = *this;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const std::byte* pair = bytes.data() + at;
    sum.first += (big_endian ? GetBe<std::uint32_t>(pair) : GetLe<std::uint32_t>(pair)) + sum.second;
    sum.second += (big_endian ? GetBe<std::uint32_t>(pair + 4) : GetLe<std::uint32_t>(pair + 4)) + sum.first;
  }
  return sum;
}

}  // namespace millrace
