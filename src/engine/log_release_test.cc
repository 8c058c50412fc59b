// Goal: a log that its owner hands over goes on elsewhere whole, without a gap; a release that dies at any step never
// lets an offset be given twice. Method: machines whose store or rows die with each request in turn; then both go on
// as if they knew nothing of each other. Proves B91.
#include "engine/log_release.h"

#include <chrono>
#include <set>
#include <stop_token>
#include <thread>

#include "engine/log_restore.h"
#include "engine/machines_fixture.h"
#include "meta/home_catalog.h"

namespace millrace {
namespace {

class LogReleaseTest : public MachinesFixture {
 protected:
  /// Time passes meanwhile: an upload that failed waits for its next attempt.
  Result<ReleaseReport> Release(const Machine& machine, bool dry_run = false) {
    const std::jthread time([this](const std::stop_token& stop) {
      for (; !stop.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(1)))
        clock_->Advance(std::chrono::milliseconds(100));
    });
    return ReleaseLog(machine.options, {.dry_run = dry_run, .background = Background::kNone, .random = NewRandom()});
  }
  Result<RestoreReport> Restore(const Machine& machine) {
    return RestoreLog(machine.options, {.requests_at_once = 1, .random = NewRandom()});
  }
  /// Eight records, of which five are uploaded.
  Machine Written(const std::shared_ptr<ObjectStore>& objects) {
    Machine machine = NewMachine(objects);
    const auto engine = OpenOn(machine);
    AppendAll(engine, 8, 5);
    EXPECT_TRUE(engine->SeekGroup("g", At("t"), Offset(4)));
    return machine;
  }

  std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>(clock_.get());
};

TEST_F(LogReleaseTest, GoesOnElsewhereAtTheNextOffset) {
  const Machine old = Written(memory_);
  const auto dry = Release(old, true);
  ASSERT_TRUE(dry) << Told(dry);
  EXPECT_GT(dry->pending_bytes, 0U);
  const auto keys = KeysOf(*memory_);
  const auto released = Release(old);
  ASSERT_TRUE(released) << Told(released);
  EXPECT_EQ(released->partitions, 1U);
  EXPECT_GT(KeysOf(*memory_).size(), keys.size());
  {
    const auto engine = OpenOn(old);
    EXPECT_EQ(CodeOf(Append(engine, "late")), ErrorCode::kFenced);
    EXPECT_EQ(CodeOf(engine->CreateTopic("late")), ErrorCode::kFenced);
    EXPECT_EQ(Records(engine).size(), 8U);  // it reads on
  }
  const auto again = Release(old);
  ASSERT_TRUE(again) << Told(again);
  EXPECT_TRUE(again->already);
  const Machine other = NewMachine(memory_);
  const auto report = Restore(other);
  ASSERT_TRUE(report) << Told(report);
  EXPECT_TRUE(report->lost.empty());
  EXPECT_EQ(report->records, 8U);
  const auto engine = OpenOn(other);
  EXPECT_EQ(Records(engine).size(), 8U);
  EXPECT_EQ(*Append(engine, "next"), Offset(8));
  const auto group = engine->DescribeGroup("g");
  ASSERT_TRUE(group) << Told(group);
  EXPECT_EQ((*group)[0].position, Offset(4));
}

TEST_F(LogReleaseTest, WhoLosesTheDiskAfterwardsStartsAboveAgain) {
  const Machine old = Written(memory_);
  ASSERT_TRUE(Release(old));
  const Machine second = NewMachine(memory_);
  ASSERT_TRUE(Restore(second));
  const auto appended = Append(OpenOn(second), "lost with the second disk");
  ASSERT_TRUE(appended);
  const Machine third = NewMachine(memory_);
  ASSERT_TRUE(Restore(third));
  EXPECT_GT(*Append(OpenOn(third), "next"), *appended);
}

TEST_F(LogReleaseTest, NothingIsReleasedFromAPlaceThatOthersCannotReach) {
  Machine machine = NewMachine(nullptr);
  machine.options.object_store = "memory:";
  AppendAll(OpenOn(machine), 1, 0);
  EXPECT_EQ(CodeOf(Release(machine)), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Append(OpenOn(machine), "goes on"));
}

/// Whatever has happened: both go on, and no offset is given twice, nor a record that was uploaded lost.
class LogReleaseCrashTest : public LogReleaseTest, public ::testing::WithParamInterface<DyingHour::Effect> {
 protected:
  void BothGoOn(const Machine& old, const std::shared_ptr<ObjectStore>& objects) {
    std::set<Offset> given;
    for (std::int64_t i = 0; i < 8; ++i) given.insert(Offset(i));
    {
      const auto engine = OpenOn(old);
      if (const auto late = Append(engine, "late")) EXPECT_TRUE(given.insert(*late).second);
      EXPECT_GE(Records(engine).size(), 8U);
    }
    const Machine other = NewMachine(objects);
    const auto report = Restore(other);
    ASSERT_TRUE(report) << Told(report);
    const auto engine = OpenOn(other);
    const auto records = Records(engine);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(records.at(i), std::to_string(i));
    const auto next = Append(engine, "next");
    ASSERT_TRUE(next) << Told(next);
    EXPECT_TRUE(given.insert(*next).second) << next->value();
  }
  void AgainAndElsewhere(const Machine& old, const std::shared_ptr<ObjectStore>& objects) {
    const auto released = Release(old);
    ASSERT_TRUE(released) << Told(released);
    const Machine other = NewMachine(objects);
    const auto report = Restore(other);
    ASSERT_TRUE(report) << Told(report);
    EXPECT_TRUE(report->lost.empty());
    const auto engine = OpenOn(other);
    EXPECT_EQ(Records(engine).size(), 8U);
    EXPECT_EQ(*Append(engine, "next"), Offset(8));
  }
};

TEST_P(LogReleaseCrashTest, CrashAtEveryRequest) {
  int steps = 0;
  for (const bool again : {false, true}) {
    for (std::uint64_t n = 1;; ++n, ++steps) {
      const auto store = std::make_shared<DyingObjectStore>(std::make_shared<MemoryObjectStore>(clock_.get()));
      const Machine old = Written(store);
      store->hour.DieAt(n, GetParam());
      const auto released = Release(old);
      if (!store->hour.Rise()) {
        ASSERT_TRUE(released) << Told(released);
        break;
      }
      again ? AgainAndElsewhere(old, store) : BothGoOn(old, store);
      if (HasFatalFailure()) FAIL() << "request " << n;
    }
  }
  EXPECT_GT(steps, 2 * 8);
}

TEST_P(LogReleaseCrashTest, CrashAtEveryCommit) {
  int steps = 0;
  for (const bool again : {false, true}) {
    for (std::uint64_t n = 1;; ++n, ++steps) {
      const auto store = std::make_shared<MemoryObjectStore>(clock_.get());
      const Machine old = Written(store);
      old.rows->hour.DieAt(n, GetParam());
      const auto released = Release(old);
      if (!old.rows->hour.Rise()) {
        ASSERT_TRUE(released) << Told(released);
        break;
      }
      again ? AgainAndElsewhere(old, store) : BothGoOn(old, store);
      if (HasFatalFailure()) FAIL() << "commit " << n;
    }
  }
  EXPECT_GT(steps, 2 * 5);
}

INSTANTIATE_TEST_SUITE_P(Effects, LogReleaseCrashTest,
                         ::testing::Values(DyingHour::Effect::kNone, DyingHour::Effect::kHappened),
                         [](const auto& one) { return one.param == DyingHour::Effect::kNone ? "Before" : "After"; });

}  // namespace
}  // namespace millrace
