// Goal: a log that moves to another object store has every record at every moment, from the old place or the new one,
// and lives at one of them. Method: machines whose stores or rows die with each request in turn; then the move is made
// again, or the machine is lost and the log restored. Proves B92.
#include "engine/log_move.h"

#include "engine/log_restore.h"
#include "engine/machines_fixture.h"
#include "engine/store_report.h"

namespace millrace {
namespace {

class LogMoveTest : public MachinesFixture {
 protected:
  std::shared_ptr<DyingObjectStore> NewStore(const std::string& name) {
    return std::make_shared<DyingObjectStore>(std::make_shared<MemoryObjectStore>(clock_.get()), name);
  }
  /// Eight records: five in two objects, three in the write-ahead log.
  Machine Written(const std::shared_ptr<ObjectStore>& objects) {
    Machine machine = NewMachine(objects);
    {
      const auto engine = OpenOn(machine);
      AppendAll(engine, 8, 3);
    }
    const auto engine = OpenOn(machine);
    EXPECT_TRUE(engine->Upload());
    for (int i = 8; i < 10; ++i) EXPECT_TRUE(Append(engine, std::to_string(i)));
    return machine;
  }
  Result<MoveReport> MoveTo(const Machine& machine, const std::shared_ptr<ObjectStore>& to, bool dry_run = false) {
    return MoveLog(machine.options,
                   {.to = "file:///" + to->Describe(), .dry_run = dry_run, .to_objects = to, .random = NewRandom()});
  }
  Result<RestoreReport> Restore(const Machine& machine, bool dry_run = false) {
    return RestoreLog(machine.options, {.dry_run = dry_run, .requests_at_once = 1, .random = NewRandom()});
  }
  static void ExpectTen(const std::map<std::int64_t, std::string>& records) {
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(records.contains(i)) << i;
      EXPECT_EQ(records.at(i), std::to_string(i));
    }
  }
  /// The log lives at `to`: it goes on there, alone, and a restore from there has all that was uploaded.
  void GoesOnAt(Machine machine, const std::shared_ptr<ObjectStore>& to, const std::shared_ptr<ObjectStore>& from) {
    machine.options.objects = to;
    const std::vector<std::string> at_the_old_place = KeysOf(*from);
    {
      const auto engine = OpenOn(machine);
      ExpectTen(Records(engine));
      ASSERT_TRUE(Append(engine, "10"));
      const auto uploaded = engine->Upload();
      ASSERT_TRUE(uploaded) << Told(uploaded);
    }
    EXPECT_EQ(KeysOf(*from), at_the_old_place);
    EXPECT_EQ(CodeOf(Restore(NewMachine(from), true)), ErrorCode::kFenced);
    const Machine other = NewMachine(to);
    const auto restored = Restore(other);
    ASSERT_TRUE(restored) << Told(restored);
    EXPECT_TRUE(restored->unusable.empty());
    const auto records = Records(OpenOn(other));
    EXPECT_EQ(records.size(), 11U);
    ExpectTen(records);
  }
};

TEST_F(LogMoveTest, LivesAtTheNewPlace) {
  const auto from = NewStore("from"), to = NewStore("to");
  const Machine machine = Written(from);
  const auto dry = MoveTo(machine, to, true);
  ASSERT_TRUE(dry) << Told(dry);
  EXPECT_EQ(dry->copied, 2U);
  EXPECT_TRUE(KeysOf(*to).empty());
  const auto moved = MoveTo(machine, to);
  ASSERT_TRUE(moved) << Told(moved);
  EXPECT_EQ(moved->objects, 2U);
  EXPECT_EQ(moved->copied, 2U);
  EXPECT_EQ(moved->copied_bytes, dry->copied_bytes);
  EXPECT_TRUE(moved->damaged.empty() && moved->missing.empty());
  const auto again = MoveTo(machine, to);
  ASSERT_TRUE(again) << Told(again);
  EXPECT_TRUE(again->already);
  GoesOnAt(machine, to, from);
}

TEST_F(LogMoveTest, WithoutItsSnapshotsTheLogIsFoundAtTheNewPlaceAllTheSame) {
  const auto from = NewStore("from"), to = NewStore("to");
  const Machine machine = Written(from);
  ASSERT_TRUE(MoveTo(machine, to));
  for (const std::string& key : KeysOf(*to))
    if (key.contains("/s/")) ASSERT_TRUE(to->Delete(key));
  const Machine other = NewMachine(to);
  const auto restored = Restore(other);
  ASSERT_TRUE(restored) << Told(restored);
  EXPECT_EQ(restored->records, 8U);
  EXPECT_EQ(restored->snapshot_ms, 0);
}

TEST_F(LogMoveTest, IsRefusedWhereAnotherLogIsOrThisOneWas) {
  const auto from = NewStore("from"), to = NewStore("to"), taken = NewStore("taken");
  const Machine machine = Written(from);
  (void)Written(taken);
  const auto keys = KeysOf(*taken);
  EXPECT_EQ(CodeOf(MoveTo(machine, taken)), ErrorCode::kAlreadyExists);
  EXPECT_EQ(KeysOf(*taken), keys);
  EXPECT_EQ(CodeOf(MoveTo(machine, from)), ErrorCode::kInvalidArgument);
  Machine moved = machine;
  ASSERT_TRUE(MoveTo(machine, to));
  moved.options.objects = to;
  EXPECT_EQ(CodeOf(MoveTo(moved, from)), ErrorCode::kAlreadyExists);
  GoesOnAt(moved, to, from);
}

TEST_F(LogMoveTest, IsNotMadeByWhoIsFenced) {
  const auto from = NewStore("from"), to = NewStore("to");
  const Machine machine = Written(from);
  ASSERT_TRUE(Restore(NewMachine(from)));  // the log goes on elsewhere
  const auto refused = MoveTo(machine, to);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kFenced) << Told(refused);
  // Nothing at the new place says that the log is there.
  EXPECT_TRUE(KeysOf(*to).empty());
}

TEST_F(LogMoveTest, WhatIsMissingOrDamagedIsNamedAndTheRestMoves) {
  const auto from = NewStore("from"), to = NewStore("to");
  const Machine machine = Written(from);
  std::vector<std::string> objects;
  for (const std::string& key : KeysOf(*from))
    if (key.ends_with(".obj")) objects.push_back(key);
  ASSERT_EQ(objects.size(), 2U);
  ASSERT_TRUE(from->Delete(objects[0]));
  auto bytes = from->Get(objects[1], {0, 1 << 20});
  ASSERT_TRUE(bytes);
  Buffer flipped(bytes->size());
  std::ranges::copy(bytes->bytes(), flipped.bytes().begin());
  flipped.bytes()[40] ^= std::byte{1};
  const SharedBytes damaged = std::move(flipped).Freeze();
  ASSERT_TRUE(from->Put(objects[1], {&damaged, 1}, PutMode::kOverwrite));
  const auto moved = MoveTo(machine, to);
  ASSERT_TRUE(moved) << Told(moved);
  EXPECT_EQ(moved->missing, std::vector<std::string>{objects[0]});
  EXPECT_EQ(moved->damaged, std::vector<std::string>{objects[1]});
  EXPECT_EQ(moved->copied, 1U);
}

/// Who dies, and whether its last request still happened.
struct Death {
  enum class Who { kFrom, kTo, kRows } who;
  DyingHour::Effect effect;
};

class LogMoveCrashTest : public LogMoveTest, public ::testing::WithParamInterface<Death> {
 protected:
  struct World {
    std::shared_ptr<DyingObjectStore> from, to;
    Machine machine;
    DyingHour& HourOf(Death::Who who) const {
      return who == Death::Who::kFrom ? from->hour : who == Death::Who::kTo ? to->hour : machine.rows->hour;
    }
  };
  /// Runs `then` after a move that died at each request in turn; how many there were.
  int ForEachDeath(const std::function<void(const World&)>& then) {
    for (std::uint64_t n = 1;; ++n) {
      World world{.from = NewStore("from"), .to = NewStore("to"), .machine = {}};
      world.machine = Written(world.from);
      DyingHour& hour = world.HourOf(GetParam().who);
      hour.DieAt(n, GetParam().effect);
      const auto moved = MoveTo(world.machine, world.to);
      if (!hour.Rise()) {
        EXPECT_TRUE(moved) << Told(moved);
        return static_cast<int>(n) - 1;
      }
      then(world);
      if (HasFatalFailure()) {
        ADD_FAILURE() << "request " << n;
        return 0;
      }
    }
  }
  [[nodiscard]] int StepsMin() const { return GetParam().who == Death::Who::kRows ? 2 : 5; }
};

TEST_P(LogMoveCrashTest, IsMadeAgainAndComesToItsEnd) {
  const int deaths = ForEachDeath([&](const World& world) {
    ExpectTen(Records(OpenOn(world.machine)));  // meanwhile all is read from the old place
    const auto moved = MoveTo(world.machine, world.to);
    ASSERT_TRUE(moved) << Told(moved);
    GoesOnAt(world.machine, world.to, world.from);
  });
  EXPECT_GE(deaths, StepsMin());
}

TEST_P(LogMoveCrashTest, AMachineThatIsLostThenHasItsLogAtOneOfThePlaces) {
  const int deaths = ForEachDeath([&](const World& world) {
    int whole = 0;
    for (const auto& place : {world.from, world.to}) {
      const Machine other = NewMachine(place);
      const auto restored = Restore(other, true);
      if (restored && restored->records == 8) ++whole;
    }
    EXPECT_GE(whole, 1);
  });
  EXPECT_GE(deaths, StepsMin());
}

TEST_P(LogMoveCrashTest, WhatIsAppendedInBetweenIsKept) {
  const int deaths = ForEachDeath([&](const World& world) {
    Result<Offset> appended = Error(ErrorCode::kNotFound, "not tried");
    const auto home = world.machine.rows->Get(std::vector<MetadataKey>{StoreKey{"parting"}});
    ASSERT_TRUE(home);
    {
      const auto engine = OpenOn(world.machine);
      appended = Append(engine, "between");
      if ((*home)[0].has_value()) EXPECT_EQ(CodeOf(appended), ErrorCode::kFenced);
    }
    const auto moved = MoveTo(world.machine, world.to);
    ASSERT_TRUE(moved) << Told(moved);
    Machine there = world.machine;
    there.options.objects = world.to;
    const auto records = Records(OpenOn(there));
    ExpectTen(records);
    if (appended) EXPECT_EQ(records.at(appended->value()), "between");
  });
  EXPECT_GE(deaths, StepsMin());
}

INSTANTIATE_TEST_SUITE_P(Deaths, LogMoveCrashTest,
                         ::testing::Values(Death{Death::Who::kFrom, DyingHour::Effect::kNone},
                                           Death{Death::Who::kFrom, DyingHour::Effect::kHappened},
                                           Death{Death::Who::kTo, DyingHour::Effect::kNone},
                                           Death{Death::Who::kTo, DyingHour::Effect::kHappened},
                                           Death{Death::Who::kRows, DyingHour::Effect::kNone},
                                           Death{Death::Who::kRows, DyingHour::Effect::kHappened}),
                         [](const auto& one) {
                           const std::string who = one.param.who == Death::Who::kFrom ? "From"
                                                   : one.param.who == Death::Who::kTo ? "To"
                                                                                      : "Rows";
                           return who + (one.param.effect == DyingHour::Effect::kNone ? "Before" : "After");
                         });

/// On real files: from the directory itself to a place of its own, and on to another one.
using LogMoveFilesTest = EngineFixture;
TEST_F(LogMoveFilesTest, AMoveLeadsFromTheDirectoryToAPlaceOfItsOwn) {
  EngineOptions options = Options();
  const auto place = [&](const std::string& name) { return "file://" + (directory_.path() / name).string(); };
  {
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
    AppendNumbers(*engine, At("t"), 5, 0, {.durability = Durability::kObject});
  }
  options.object_store.clear();
  for (const std::string name : {"first", "second"}) {
    const auto moved = MoveLog(options, {.to = place(name)});
    ASSERT_TRUE(moved) << Told(moved);
    EXPECT_EQ(moved->objects, moved->copied);
    const auto engine = Open(options);
    EXPECT_EQ(engine->Stats().object_store, place(name));
    EXPECT_EQ(ReadAll(*engine, At("t")).size(), name == "first" ? 5U : 6U);
    AppendNumbers(*engine, At("t"), 1, 5, {.durability = Durability::kObject});
  }
  const auto report = ReportLog(options);
  ASSERT_TRUE(report) << Told(report);
  EXPECT_TRUE(report->account.found.empty());
  EngineOptions elsewhere = options;
  elsewhere.data_dir = directory_.path() / "other";
  elsewhere.object_store = place("first");
  EXPECT_EQ(CodeOf(RestoreLog(elsewhere, {})), ErrorCode::kFenced);
  elsewhere.object_store = place("second");
  const auto restored = RestoreLog(elsewhere, {});
  ASSERT_TRUE(restored) << Told(restored);
  EXPECT_EQ(restored->records, 7U);
}

}  // namespace
}  // namespace millrace
