// SQLite's door to our seam of the file system, and the guard at that door: every page of the database file carries a
// CRC-32C in eight bytes that SQLite reserves for us, and every page read back from the -wal file is held against that
// file's own running checksum. A flipped bit is therefore an error and never a row, an order or an end of a table.
//
//   page of the database file:  [ SQLite's 4088 bytes ][ CRC-32C of page number + those bytes, u32 ][ zero, u32 ]
//
// One connection in exclusive locking mode uses one instance, under the store's mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "millrace/file_system.h"
#include "millrace/result.h"

struct sqlite3_vfs;

namespace millrace {

inline constexpr std::size_t kSqlitePageBytes = 4096;
inline constexpr std::size_t kSqliteReservedBytes = 8;
inline constexpr std::size_t kSqliteWalHeaderBytes = 32;
inline constexpr std::size_t kSqliteWalFrameHeaderBytes = 24;
inline constexpr std::size_t kSqliteWalFrameBytes = kSqliteWalFrameHeaderBytes + kSqlitePageBytes;

/// Not thread-safe.
class SqliteVfs {
 public:
  /// Registers itself with SQLite under a name of its own. `file_system` outlives it.
  explicit SqliteVfs(FileSystem& file_system);
  ~SqliteVfs();
  SqliteVfs(const SqliteVfs&) = delete;
  SqliteVfs& operator=(const SqliteVfs&) = delete;

  [[nodiscard]] const char* name() const;
  /// Why the last call of SQLite failed, if it failed at this door; asked once.
  [[nodiscard]] std::optional<Error> TakeError();
  /// A sync failed: its file may not be synced again, so the connection has to be closed and opened anew.
  [[nodiscard]] bool broken() const;
  void ClearBroken();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

/// SQLite's running checksum over the -wal file, of words in the byte order its header names.
struct SqliteWalChecksum {
  std::uint32_t first = 0, second = 0;
  friend bool operator==(const SqliteWalChecksum&, const SqliteWalChecksum&) = default;

  /// Precondition: a multiple of 8 bytes.
  [[nodiscard]] SqliteWalChecksum Over(std::span<const std::byte> bytes, bool big_endian) const;
};

}  // namespace millrace
