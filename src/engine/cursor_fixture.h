// What tests of cursors over an engine have in common.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine_fixture.h"

namespace millrace {

inline const ReadConsistency kStrict = ReadConsistency::StrictlyAtOnce();

class CursorFixture : public EngineFixture {
 protected:
  static std::unique_ptr<Cursor> OpenCursor(Engine& engine, const TopicPartition& partition, std::string_view name,
                                            ReadConsistency consistency) {
    auto cursor = engine.OpenCursor(partition, name, consistency);
    EXPECT_TRUE(cursor) << Told(cursor);
    return cursor ? *std::move(cursor) : nullptr;
  }
  static std::string Next(Cursor& cursor, bool checkpoint = true) {
    auto record = cursor.ReadNext(checkpoint);
    if (!record) return std::string(ErrorCodeName(record.error().code()));
    return *record ? (*record)->value.value_or("(null)") : "(end)";
  }
  static std::vector<std::string> Batch(Cursor& cursor, std::uint64_t max_bytes, bool checkpoint = true) {
    auto records = cursor.ReadBatch(max_bytes, checkpoint);
    EXPECT_TRUE(records) << Told(records);
    std::vector<std::string> values;
    if (records)
      for (const Record& record : *records) values.push_back(record.value.value_or("(null)"));
    return values;
  }
};

}  // namespace millrace
