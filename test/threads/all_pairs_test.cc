// Every public call beside every other, and an engine that closes under both: no call crashes, hangs or answers
// anything but what its documentation names, every append is told once, and what was acknowledged is there after
// reopening. Method: for each pair of calls an engine on a simulated disk, a thread in a loop for each of the two, a
// third that closes at a seeded moment, and a clock that lets other threads run wherever a call asks for the time.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/sim/sim_file_system.h"
#include "env/system_clock.h"
#include "millrace/millrace.h"
#include "record/record_batch_builder.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

constexpr std::int32_t kPartitions = 3;

/// Threads are held up where time is asked for: in appends, in waits, under locks.
class YieldingClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t WallMs() const override {
    Yield();
    return clock_.WallMs();
  }
  [[nodiscard]] std::chrono::nanoseconds Monotonic() const override {
    Yield();
    return clock_.Monotonic();
  }

 private:
  static void Yield() {
    static std::atomic<std::uint32_t> asked{0};
    const std::uint32_t n = asked.fetch_add(1, std::memory_order_relaxed) * 2'654'435'761U >> 16;
    for (std::uint32_t i = n % 7; i < 2; ++i) std::this_thread::yield();
  }
  SystemClock clock_;
};

/// What was acknowledged of the topic that stays.
class Ledger {
 public:
  void Add(const AppendReceipt& receipt, const std::string& value) {
    MutexLock lock(mutex_);
    EXPECT_TRUE(values_.emplace(std::pair(receipt.partition, receipt.base_offset), value).second)
        << "offset " << receipt.base_offset.value() << " was given twice";
  }
  std::map<std::pair<PartitionId, Offset>, std::string> Take() {
    MutexLock lock(mutex_);
    return std::move(values_);
  }

 private:
  Mutex mutex_;
  std::map<std::pair<PartitionId, Offset>, std::string> values_ MR_GUARDED_BY(mutex_);
};

/// One engine and the handles that all calls share. A consumer is one thread's at a time: those are per call.
struct World {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Cursor> cursor;
  Ledger ledger;
  std::atomic<std::uint64_t> asked{0}, told{0}, numbers{0};

  std::string NextValue() { return std::to_string(numbers++); }
};

TopicPartition Kept(std::int32_t partition = 0) { return {"kept", PartitionId(partition)}; }
TopicPartition Gone() { return {"gone", PartitionId(0)}; }

/// None: it succeeded.
template <class T>
std::optional<Error> ErrorOf(const Result<T>& result) {
  if (result) return {};
  return result.error();
}

/// The first that failed.
std::optional<Error> FirstOf(std::initializer_list<std::optional<Error>> errors) {
  for (const auto& error : errors)
    if (error) return error;
  return {};
}

struct Call {
  const char* name;
  std::optional<Error> (*run)(World&);
  std::set<ErrorCode> may_answer = {};  // beside kClosed
};

std::optional<Error> AppendKept(World& world, AppendOptions options) {
  const Record record{.value = world.NextValue()};
  const auto receipt = world.engine->Append(Kept(), {&record, 1}, options);
  if (receipt) world.ledger.Add(*receipt, *record.value);
  return ErrorOf(receipt);
}

std::optional<Error> AppendWhole(World& world) {
  const Record record{.timestamp_ms = 1, .value = world.NextValue()};
  const auto batch = BuildRecordBatch({&record, 1}, {});
  const auto receipt = world.engine->AppendBatch(Kept(1), batch->bytes());
  if (receipt) world.ledger.Add(*receipt, *record.value);
  return ErrorOf(receipt);
}

std::optional<Error> AppendKeyed(World& world) {
  const Record record{.key = world.NextValue(), .value = world.NextValue()};
  const auto receipt = world.engine->Append("kept", record);
  if (receipt) world.ledger.Add(*receipt, *record.value);
  return FirstOf({ErrorOf(receipt), ErrorOf(world.engine->PartitionFor("kept", record.key))});
}

std::optional<Error> AppendAndBeTold(World& world) {
  const Record record{.value = world.NextValue()};
  ++world.asked;
  const auto refused = std::make_shared<std::atomic<bool>>(false);
  world.engine->AppendAsync(Kept(2), {&record, 1}, {}, [&world, refused, value = *record.value](auto receipt) {
    if (receipt) world.ledger.Add(*receipt, value);
    if (!receipt) EXPECT_EQ(receipt.error().code(), ErrorCode::kClosed) << receipt.error().ToString();
    if (!receipt) *refused = true;
    ++world.told;
  });
  if (*refused) return Error(ErrorCode::kClosed, "told so");
  return {};
}

std::optional<Error> ReadEverything(World& world) {
  const ReadRequest requests[] = {{Kept(0), Offset(0)}, {Kept(1), Offset(0)}, {Kept(2), Offset(0)}};
  for (const auto& read : world.engine->ReadMany(requests))
    if (!read) return read.error();
  return FirstOf({ErrorOf(world.engine->Read(Kept(), Offset(0))),
                  ErrorOf(world.engine->ReadBatches(Kept(1), Offset(0))),
                  ErrorOf(world.engine->OffsetForTime(Kept(2), 1))});
}

std::optional<Error> Consume(World& world) {
  const auto consumer = world.engine->OpenConsumer({.group = "group", .topics = {"kept"}});
  if (!consumer) return consumer.error();
  Consumer& c = **consumer;
  return FirstOf({ErrorOf(c.Poll(5)), ErrorOf(c.Commit()), ErrorOf(c.SeekToTime(0)), ErrorOf(c.PollViews(5)),
                  ErrorOf(c.Seek(Kept(), Offset(0))), ErrorOf(c.Position(Kept())), ErrorOf(c.Close())});
}

/// Only an append or the end wakes it.
std::optional<Error> AwaitRecords(World& world) {
  const auto consumer = world.engine->OpenConsumer({.topics = {"kept"}, .reset = ResetPolicy::kLatest});
  if (!consumer) return consumer.error();
  return ErrorOf((*consumer)->Poll(1, std::chrono::hours(24)));
}

std::optional<Error> HandleGroups(World& world) {
  Engine& engine = *world.engine;
  return FirstOf({ErrorOf(engine.ListGroups()), ErrorOf(engine.SeekGroup("other", Kept(), Offset(0))),
                  ErrorOf(engine.DescribeGroup("other")), ErrorOf(engine.DescribeGroupMembers("other")),
                  ErrorOf(engine.DeleteGroup("other"))});
}

std::optional<Error> OpenReadAndCloseCursor(World& world) {
  const auto cursor = world.engine->OpenCursor(Kept(), "own", ReadConsistency::StrictlyAtOnce());
  if (!cursor) return cursor.error();
  return FirstOf({ErrorOf((*cursor)->ReadNext(true)), ErrorOf((*cursor)->ReadBatch(10, true)),
                  ErrorOf((*cursor)->UnreadCount()), ErrorOf((*cursor)->Close())});
}

std::optional<Error> UseSharedCursor(World& world) {
  Cursor& cursor = *world.cursor;
  (void)cursor.Position();
  (void)cursor.CorrectedFrom();
  return FirstOf({ErrorOf(cursor.ReadNext(true)), ErrorOf(cursor.ReadBatch(10, false)), ErrorOf(cursor.Seek(Offset(0))),
                  ErrorOf(cursor.SeekToTime(0)), ErrorOf(cursor.UnreadCount())});
}

std::optional<Error> AwaitAtSharedCursor(World& world) {
  return ErrorOf(world.cursor->Wait(std::chrono::milliseconds(1)));
}

std::optional<Error> HandleCursors(World& world) {
  const auto cursor = world.engine->OpenCursor(Kept(), "short", ReadConsistency::AtLeastOnce(2));
  if (!cursor) return cursor.error();
  return FirstOf({ErrorOf(world.engine->ListCursors("kept")), ErrorOf(world.engine->DeleteCursor(Kept(), "short"))});
}

std::optional<Error> MoveTiers(World& world) {
  return FirstOf({ErrorOf(world.engine->Upload()), ErrorOf(world.engine->Recycle())});
}

std::optional<Error> LookAtSegments(World& world) {
  const auto segments = world.engine->DescribeSegments(Kept());
  if (!segments) return segments.error();
  for (const SegmentDescription& segment : *segments)
    if (const auto bytes = world.engine->ReadSegment(segment, {0, 1}); !bytes) return bytes.error();
  return {};
}

std::optional<Error> Describe(World& world) {
  (void)world.engine->Stats();
  return FirstOf({ErrorOf(world.engine->DescribeTopics()), ErrorOf(world.engine->Offsets(Kept()))});
}

std::optional<Error> Alter(World& world) {
  return ErrorOf(world.engine->AlterTopic("kept", {.partitions = kPartitions + 1}));
}

std::optional<Error> MakeTopic(World& world) { return ErrorOf(world.engine->CreateTopic("gone")); }
std::optional<Error> DropTopic(World& world) { return ErrorOf(world.engine->DeleteTopic("gone")); }

std::optional<Error> UseGoneTopic(World& world) {
  const Record record{.value = "x"};
  Engine& engine = *world.engine;
  const auto receipt = engine.Append(Gone(), {&record, 1}, {.durability = Durability::kOs});
  if (!receipt) return receipt.error();
  return FirstOf(
      {ErrorOf(engine.DeleteRecords(Gone(), receipt->base_offset)), ErrorOf(engine.Read(Gone(), Offset(0)))});
}

using enum ErrorCode;

const Call kCalls[] = {
    {"append", [](World& world) { return AppendKept(world, {}); }},
    {"append to objects", [](World& world) { return AppendKept(world, {.durability = Durability::kObject}); }},
    {"append whole", AppendWhole},
    {"append keyed", AppendKeyed},
    {"append async", AppendAndBeTold},
    {"read", ReadEverything},
    {"consume", Consume, {kNotFound}},  // the partition may be another consumer's of the group by then
    {"await records", AwaitRecords},
    {"groups", HandleGroups, {kNotFound}},
    {"cursor", OpenReadAndCloseCursor},
    {"shared cursor", UseSharedCursor},
    {"await at cursor", AwaitAtSharedCursor},
    {"cursors", HandleCursors, {kNotFound}},
    {"tiers", MoveTiers},
    {"segments", LookAtSegments},
    {"describe", Describe},
    {"alter", Alter},
    {"create", MakeTopic, {kAlreadyExists}},
    {"delete", DropTopic, {kNotFound}},
    {"use gone", UseGoneTopic, {kNotFound, kOutOfRange}},
};

class AllPairsTest : public testing::Test {
 protected:
  void Open(World& world) {
    EngineOptions options;
    options.data_dir = "/data";
    options.file_system = disk_;
    options.clock = clock_;
    options.objects = objects_;
    options.wal_bytes_max = 16 << 20;
    options.batch_bytes_max = 1 << 20;
    auto engine = Engine::Open(options);
    ASSERT_TRUE(engine) << engine.error().ToString();
    world.engine = *std::move(engine);
  }

  static void Loop(World& world, const Call& call, const std::atomic<bool>& closed) {
    while (!closed) {
      const auto error = call.run(world);
      if (!error) continue;
      if (error->code() == ErrorCode::kClosed) return;
      EXPECT_TRUE(call.may_answer.contains(error->code())) << call.name << ": " << error->ToString();
    }
  }

  void RunPair(const Call& first, const Call& second, std::uint32_t seed) {
    const std::string pair = std::string(first.name) + " beside " + second.name;
    std::cout << pair << std::endl;  // at once: the last line names the pair that does not end
    SCOPED_TRACE(pair);
    disk_ = std::make_shared<SimFileSystem>(7);  // which remembers all that was ever done on it
    objects_ = std::make_shared<MemoryObjectStore>();
    World world;
    Open(world);
    ASSERT_TRUE(world.engine);
    ASSERT_TRUE(world.engine->CreateTopic("kept", {.partitions = kPartitions}));
    for (int i = 0; i < 3; ++i) ASSERT_FALSE(AppendKept(world, {}));
    world.cursor = *world.engine->OpenCursor(Kept(), "shared", ReadConsistency::AtLeastOnce(2));
    std::atomic<bool> closed{false};
    std::jthread one([&] { Loop(world, first, closed); });
    std::jthread two([&] { Loop(world, second, closed); });
    for (std::uint32_t i = 0; i < seed % 97; ++i) std::this_thread::yield();
    EXPECT_TRUE(world.engine->Close());
    closed = true;
    one.join();
    two.join();
    EXPECT_EQ(world.asked, world.told);
    if (seed % 2 == 0) world.cursor.reset();  // else it goes after its engine
    world.engine.reset();
    world.cursor.reset();
    Judge(world);
  }

  void Judge(World& world) {
    Open(world);
    ASSERT_TRUE(world.engine);
    for (const auto& [place, value] : world.ledger.Take()) {
      const auto read = world.engine->Read({"kept", place.first}, place.second, {.records_max = 1});
      ASSERT_TRUE(read && !read->records.empty()) << "an acknowledged record is gone";
      EXPECT_EQ(read->records.front().offset, place.second);
      EXPECT_EQ(read->records.front().value, value);
    }
    EXPECT_TRUE(world.engine->DeleteTopic("kept"));
    (void)world.engine->DeleteTopic("gone");
    EXPECT_TRUE(world.engine->Close());
  }

  const std::shared_ptr<YieldingClock> clock_ = std::make_shared<YieldingClock>();
  std::shared_ptr<SimFileSystem> disk_;
  std::shared_ptr<MemoryObjectStore> objects_;
};

TEST_F(AllPairsTest, EveryCallRunsBesideEveryOtherWhileTheEngineCloses) {
  std::uint32_t seed = 1;
  for (const Call& first : kCalls) {
    for (const Call& second : kCalls) {
      if (&second < &first) continue;
      RunPair(first, second, seed += 2'654'435'761U);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace millrace
