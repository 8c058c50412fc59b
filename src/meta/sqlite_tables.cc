#include "meta/sqlite_tables.h"

#include <fmt/format.h>

namespace millrace {

Error RowDamaged(const SqliteDatabase& database, const std::string& which, std::int64_t stored, std::int64_t found) {
  const std::string file = database.path().string();
  return Error(ErrorCode::kCorruption,
               fmt::format("metadata: {}: row of {} fails its CRC (stored {:08x}, found {:08x})", file, which, stored,
                           found))
      .WithDamage({{}, {}, {}, file, 0, 0});
}

}  // namespace millrace
