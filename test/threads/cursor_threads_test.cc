// Cursors shared by many threads beside writers, uploads and recycling: every entry is handed out once, whatever reads
// it, and each thread sees what it gets in order. Method: real threads over an engine on a simulated disk, whose values
// say their own offset; row 8 of the reliability table with threads.
// Proves W4, W5, B39, B40, B43, B52.
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/sim/sim_file_system.h"
#include "millrace/millrace.h"

namespace millrace {
namespace {

constexpr int kWriters = 2;

struct Setup {
  int readers;
  ReadConsistency mode;
  Cleanup cleanup;
};

std::string NameOf(const testing::TestParamInfo<Setup>& info) {
  const Setup& setup = info.param;
  return std::to_string(setup.readers) + (setup.mode.strict ? "Strict" : "AtLeastOnce") +
         (setup.cleanup == Cleanup::kConsumed ? "Consumed" : "Kept");
}

/// What readers got, by offset.
class Harvest {
 public:
  void Add(const std::vector<Record>& records) {
    MutexLock lock(mutex_);
    for (const Record& record : records) {
      EXPECT_TRUE(found_.emplace(record.offset.value(), record.value.value_or("")).second)
          << "offset " << record.offset.value() << " came twice";
    }
    count_.store(found_.size());
  }
  [[nodiscard]] std::size_t count() const { return count_.load(); }
  std::map<std::int64_t, std::string> Take() {
    MutexLock lock(mutex_);
    return std::move(found_);
  }

 private:
  Mutex mutex_;
  std::map<std::int64_t, std::string> found_ MR_GUARDED_BY(mutex_);
  std::atomic<std::size_t> count_{0};
};

class CursorThreadsTest : public testing::TestWithParam<Setup> {
 protected:
  static constexpr int kEntries = 3'000;

  void Open() {
    EngineOptions options;
    options.data_dir = "/data";
    options.file_system = disk_;
    options.object_store = "memory:";
    options.metadata_store = "memory:";
    options.wal_bytes_max = 16 << 20;
    options.batch_bytes_max = 1 << 20;
    options.upload.segment_bytes_max = 32 << 10;
    auto engine = Engine::Open(options);
    ASSERT_TRUE(engine) << engine.error().ToString();
    engine_ = *std::move(engine);
    ASSERT_TRUE(engine_->CreateTopic("t", {.cleanup = GetParam().cleanup}));
  }

  /// Values are numbers per writer: their order within one is the order of offsets.
  void Write(int writer) {
    const int each = kEntries / kWriters;
    for (int number = 0; number < each;) {
      std::vector<Record> batch;
      const int count = std::min(1 + number % 7, each - number);
      for (int i = 0; i < count; ++i)
        batch.push_back({.value = std::to_string(writer) + ":" + std::to_string(number + i)});
      const auto receipt =
          engine_->Append(kPartition, batch, {.durability = number % 3 == 0 ? Durability::kDisk : Durability::kOs});
      ASSERT_TRUE(receipt) << receipt.error().ToString();
      number += count;
    }
  }

  /// Until `total` entries were harvested by all.
  void Read(Cursor& cursor, int reader, Harvest& harvest, std::size_t total) {
    for (std::int64_t last = -1; harvest.count() < total;) {
      std::vector<Record> records;
      if (reader % 2 == 0) {
        auto record = cursor.ReadNext(true);
        ASSERT_TRUE(record) << record.error().ToString();
        if (*record) records.push_back(**std::move(record));
      } else {
        auto batch = cursor.ReadBatch(reader % 4 == 1 ? 1 : 60, true);
        ASSERT_TRUE(batch) << batch.error().ToString();
        records = *std::move(batch);
      }
      for (const Record& record : records) {
        EXPECT_GT(record.offset.value(), last) << "a cursor went back";
        last = record.offset.value();
      }
      harvest.Add(records);
      if (records.empty()) {
        ASSERT_TRUE(cursor.Wait(std::chrono::milliseconds(2)));
      }
    }
  }

  static void JudgeAll(Harvest& harvest) {
    std::map<char, int> next;
    std::int64_t expected = 0;
    for (const auto& [offset, value] : harvest.Take()) {
      EXPECT_EQ(offset, expected++);
      int number = -1;
      std::from_chars(value.data() + 2, value.data() + value.size(), number);
      EXPECT_EQ(number, next[value[0]]++) << "at " << offset;
    }
    EXPECT_EQ(expected, kEntries);
  }

  const TopicPartition kPartition{"t", PartitionId(0)};
  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>(3);
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Modes, CursorThreadsTest,
                         testing::Values(Setup{4, ReadConsistency::StrictlyAtOnce(), Cleanup::kDelete},
                                         Setup{8, ReadConsistency::StrictlyAtOnce(), Cleanup::kConsumed},
                                         Setup{4, ReadConsistency::AtLeastOnce(5), Cleanup::kConsumed},
                                         Setup{8, ReadConsistency::AtLeastOnce(100), Cleanup::kDelete}),
                         NameOf);

TEST_P(CursorThreadsTest, EveryEntryIsHandedOutOnceBesideWritersAndUploads) {
  Open();
  // Two handles of one name, and a second cursor that must not be disturbed by the first.
  std::vector<std::unique_ptr<Cursor>> handles;
  for (int i = 0; i < 2; ++i) handles.push_back(*engine_->OpenCursor(kPartition, "shared", GetParam().mode));
  const auto own = *engine_->OpenCursor(kPartition, "own", ReadConsistency::AtLeastOnce(50));
  Harvest shared, alone;
  std::atomic<bool> done{false};
  {
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < kWriters; ++writer) threads.emplace_back([this, writer] { Write(writer); });
    for (int reader = 0; reader < GetParam().readers; ++reader)
      threads.emplace_back(
          [&, reader] { Read(*handles[static_cast<std::size_t>(reader % 2)], reader, shared, kEntries); });
    threads.emplace_back([&] { Read(*own, 1, alone, kEntries); });
    std::jthread tiers([&] {
      while (!done) {
        EXPECT_TRUE(engine_->Upload());
        EXPECT_TRUE(engine_->Recycle());
      }
    });
    std::jthread watchers([&] {
      while (!done) {
        const auto unread = own->UnreadCount();
        EXPECT_TRUE(unread && *unread <= kEntries);
        EXPECT_TRUE(engine_->ListCursors("t"));
        EXPECT_TRUE(own->ReadBatch(100, false));
      }
    });
    threads.clear();
    done = true;
  }
  JudgeAll(shared);
  JudgeAll(alone);
  EXPECT_EQ(handles[0]->Position(), Offset(kEntries));
  EXPECT_EQ(own->UnreadCount().value_or(1), 0U);
}

TEST_P(CursorThreadsTest, FiveReadersOfBatchesReceiveFiveHundredInTotal) {
  Open();
  for (int i = 0; i < 50; ++i) {
    const std::vector<Record> batch(10, Record{.value = "x"});
    ASSERT_TRUE(engine_->Append(kPartition, batch));
  }
  const auto cursor = *engine_->OpenCursor(kPartition, "c", GetParam().mode);
  Harvest harvest;
  std::latch ready(5);
  {
    std::vector<std::jthread> readers;
    for (int reader = 0; reader < 5; ++reader) {
      readers.emplace_back([&] {
        ready.arrive_and_wait();
        for (;;) {
          auto batch = cursor->ReadBatch(7, true);
          ASSERT_TRUE(batch) << batch.error().ToString();
          if (batch->empty()) return;
          harvest.Add(*batch);
        }
      });
    }
  }
  EXPECT_EQ(harvest.count(), 500U);
}

/// What was appended, by offset; what a reader gets may be in it a moment later.
class Ledger {
 public:
  void Add(const AppendReceipt& receipt, const std::vector<Record>& batch) {
    MutexLock lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::int64_t offset = receipt.base_offset.value() + static_cast<std::int64_t>(i);
      EXPECT_TRUE(appended_.emplace(offset, *batch[i].value).second) << offset << " was given twice";
      if (const auto seen = seen_.find(offset); seen != seen_.end()) EXPECT_EQ(seen->second, *batch[i].value) << offset;
    }
  }
  void ExpectHolds(const Record& record) {
    MutexLock lock(mutex_);
    const std::int64_t offset = record.offset.value();
    if (const auto found = appended_.find(offset); found != appended_.end()) {
      EXPECT_EQ(found->second, record.value.value_or("")) << offset;
    } else {  // its appender was not told yet
      EXPECT_EQ(seen_.emplace(offset, record.value.value_or("")).first->second, record.value.value_or("")) << offset;
    }
  }
  [[nodiscard]] std::size_t count() {
    MutexLock lock(mutex_);
    return appended_.size();
  }

 private:
  Mutex mutex_;
  std::map<std::int64_t, std::string> appended_ MR_GUARDED_BY(mutex_), seen_ MR_GUARDED_BY(mutex_);
};

TEST_P(CursorThreadsTest, EightThreadsDoEverythingAtOnceAndKeepEveryInvariant) {
  Open();
  const bool reclaims = GetParam().cleanup == Cleanup::kConsumed;
  Ledger ledger;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string name = "c" + std::to_string(thread % 3);
      for (int i = 0; i < 60; ++i) {
        switch ((thread + i) % 8) {
          case 0:
          case 1: {
            std::vector<Record> batch;
            for (int k = 0; k <= i % 4; ++k)
              batch.push_back({.value = std::to_string(thread) + ":" + std::to_string(i) + ":" + std::to_string(k)});
            const auto receipt = engine_->Append(kPartition, batch, {.durability = Durability::kOs});
            ASSERT_TRUE(receipt) << receipt.error().ToString();
            ledger.Add(*receipt, batch);
            break;
          }
          case 2:
          case 3: {
            const auto cursor = engine_->OpenCursor(kPartition, name, GetParam().mode);
            ASSERT_TRUE(cursor) << cursor.error().ToString();
            std::int64_t last = -1;
            for (int k = 0; k < 5; ++k) {
              const auto batch = (*cursor)->ReadBatch(3, k % 2 == 0);
              // Another thread may have deleted it, and then, where that reclaims, consumed what it looked at.
              if (!batch) {
                EXPECT_TRUE(batch.error().code() == ErrorCode::kNotFound ||
                            (reclaims && batch.error().code() == ErrorCode::kOutOfRange))
                    << batch.error().ToString();
                break;
              }
              for (const Record& record : *batch) ledger.ExpectHolds(record);
              for (const Record& record : *batch) {
                if (k % 2 == 0) EXPECT_GT(record.offset.value(), last);
                if (k % 2 == 0) last = record.offset.value();
              }
            }
            break;
          }
          case 4:
            EXPECT_TRUE(engine_->Upload());
            break;
          case 5:
            EXPECT_TRUE(engine_->Recycle());
            break;
          case 6:
            if (const auto deleted = engine_->DeleteCursor(kPartition, name); !deleted)
              EXPECT_EQ(deleted.error().code(), ErrorCode::kNotFound);
            break;
          default: {
            const auto listed = engine_->ListCursors("t");
            ASSERT_TRUE(listed);
            const auto offsets = engine_->Offsets(kPartition);
            ASSERT_TRUE(offsets);
            EXPECT_LE(offsets->log_start, offsets->tiered_end);
            EXPECT_LE(offsets->tiered_end, offsets->durable_end);
            EXPECT_LE(offsets->durable_end, offsets->log_end);
            for (const CursorDescription& cursor : *listed) EXPECT_LE(cursor.position, offsets->log_end);
            break;
          }
        }
      }
    });
  }
  threads.clear();
  // Nothing is reclaimed any more once there is a cursor at the beginning.
  const auto last = engine_->OpenCursor(kPartition, "last", GetParam().mode);
  ASSERT_TRUE(last) << last.error().ToString();
  const auto offsets = engine_->Offsets(kPartition);
  ASSERT_TRUE(offsets);
  EXPECT_EQ(offsets->log_end.value(), static_cast<std::int64_t>(ledger.count()));
  if (!reclaims) EXPECT_EQ(offsets->log_start, Offset(0));
  // What is left is whole, as it was appended, for a reader and for a new cursor.
  std::int64_t at = offsets->log_start.value();
  while (at < offsets->log_end.value()) {
    const auto read = engine_->Read(kPartition, Offset(at));
    ASSERT_TRUE(read) << read.error().ToString();
    ASSERT_FALSE(read->records.empty());
    for (const RecordView& record : read->records) {
      EXPECT_EQ(record.offset.value(), at++);
      ledger.ExpectHolds(record.ToRecord());
    }
  }
  std::int64_t next = (*last)->Position().value();
  EXPECT_EQ(next, offsets->log_start.value());
  while (next < offsets->log_end.value()) {
    const auto batch = (*last)->ReadBatch(UINT64_MAX, true);
    ASSERT_TRUE(batch) << batch.error().ToString();
    ASSERT_FALSE(batch->empty());
    for (const Record& record : *batch) {
      EXPECT_EQ(record.offset.value(), next++);
      ledger.ExpectHolds(record);
    }
  }
  EXPECT_EQ((*last)->UnreadCount().value(), 0U);
  EXPECT_TRUE(engine_->Close());
}

}  // namespace
}  // namespace millrace
