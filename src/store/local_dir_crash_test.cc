// Goal: an object that was put is there whole after any crash; one that was not acknowledged is whole or absent; what a
// crash leaves behind is invisible and goes at the next open (rules 1 and 3; rows 1 and 11 of the reliability page).
// Method: simulated disk; power loss after every operation with seeded survivors; every n-th call failing.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "env/seeded_random.h"
#include "env/sim/sim_file_system.h"
#include "store/local_dir_object_store.h"

namespace millrace {
namespace {

constexpr const char* kRoot = "/data/objects";

std::string Key(int n) { return "ab/" + std::to_string(n % 3) + "/object-" + std::to_string(n); }
std::string Body(int n) {
  return std::string(static_cast<std::size_t>(1000 + n * 3000), static_cast<char>('a' + n % 26));
}

Result<void> Put(ObjectStore& store, int n) {
  const std::string body = Body(n);
  const SharedBytes pieces[] = {SharedBytes::Copy(AsBytes(body).first(500)),
                                SharedBytes::Copy(AsBytes(body).subspan(500))};
  return store.Put(Key(n), pieces, n % 2 == 0 ? PutMode::kIfAbsent : PutMode::kOverwrite);
}

bool NothingIncoming(SimFileSystem& disk) {
  const auto files = disk.List(std::filesystem::path(kRoot) / "~incoming");
  return files ? files->empty() : files.error().code() == ErrorCode::kNotFound;  // before the first put
}

/// Every object seen is whole; returns their numbers.
std::set<int> SeenWhole(SimFileSystem& disk) {
  SeededRandom random(2);
  std::set<int> seen;
  auto store = LocalDirObjectStore::Open(kRoot, disk, random);
  EXPECT_TRUE(store) << store.error().ToString();
  if (!store) return seen;
  EXPECT_TRUE(NothingIncoming(disk));
  auto page = (*store)->List("", "", 1000);
  EXPECT_TRUE(page);
  for (const ObjectDescription& object : page->objects) {
    const int n = std::stoi(object.key.substr(object.key.rfind('-') + 1));
    EXPECT_EQ(object.key, Key(n));
    auto bytes = (*store)->Get(object.key, {0, UINT64_MAX});
    EXPECT_TRUE(bytes && AsText(*bytes) == Body(n)) << object.key;
    seen.insert(n);
  }
  return seen;
}

TEST(LocalDirCrashTest, PowerLossAfterAnyOperationKeepsWhatWasPut) {
  struct State {
    std::shared_ptr<const SimFileSystem::Image> image;
    int put, deleted;
  };
  std::vector<State> states;
  int put = 0, deleted = 0;
  constexpr int kObjects = 12, kDeletes = 4;
  SimFileSystem disk(3);
  SeededRandom random(1);
  disk.SetObserver(
      [&](SimOperation, const std::filesystem::path&) { states.push_back({disk.Snapshot(), put, deleted}); });
  auto store = LocalDirObjectStore::Open(kRoot, disk, random);
  ASSERT_TRUE(store);
  for (; put < kObjects; ++put) ASSERT_TRUE(Put(**store, put));
  for (; deleted < kDeletes; ++deleted) ASSERT_TRUE((*store)->Delete(Key(deleted)));
  disk.SetObserver({});
  std::uint64_t checked = 0;
  for (const State& state : states) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      auto after = SimFileSystem::AfterPowerLoss(*state.image, seed);
      const std::set<int> seen = SeenWhole(*after);
      for (int n = state.deleted + 1; n < state.put; ++n) ASSERT_TRUE(seen.contains(n)) << n << " of " << state.put;
      for (int n = 0; n < state.deleted; ++n) ASSERT_FALSE(seen.contains(n)) << n << " was deleted";
      if (!seen.empty()) ASSERT_LE(*seen.rbegin(), state.put);
      ++checked;
    }
  }
  std::cout << "checked=" << checked << "\n";
  EXPECT_GE(checked, 500u);
}

TEST(LocalDirCrashTest, EveryNthCallMayFail) {
  std::uint64_t checked = 0;
  for (const ErrorCode code : {ErrorCode::kUnavailable, ErrorCode::kOutOfSpace}) {
    for (std::uint64_t n = 1;; ++n) {
      SimFileSystem disk(n);
      SeededRandom random(1);
      disk.SetFaultPlan([&](SimOperation, const std::filesystem::path&, std::uint64_t call) -> std::optional<SimFault> {
        if (call != n) return std::nullopt;
        return SimFault{code, 100, true};
      });
      std::set<int> acknowledged;
      if (auto store = LocalDirObjectStore::Open(kRoot, disk, random); store) {
        for (int i = 0; i < 4; ++i) {
          auto put = Put(**store, i);
          if (put) acknowledged.insert(i);
          if (!put) {
            const bool typed = put.error().code() == code || put.error().code() == ErrorCode::kUnavailable;
            EXPECT_TRUE(typed) << put.error().ToString();
          }
        }
      }
      const bool reached = disk.calls() >= n;
      disk.SetFaultPlan({});
      disk.Crash();
      const std::set<int> seen = SeenWhole(disk);
      for (const int i : acknowledged) ASSERT_TRUE(seen.contains(i)) << "call " << n << " object " << i;
      ++checked;
      if (!reached) break;
    }
  }
  std::cout << "checked=" << checked << "\n";
  EXPECT_GE(checked, 60u);
}

TEST(LocalDirCrashTest, AFailedCallIsNotTakenForAbsence) {
  for (std::uint64_t n = 1; n <= 40; ++n) {
    SimFileSystem disk(n);
    SeededRandom random(1);
    auto store = LocalDirObjectStore::Open(kRoot, disk, random);
    ASSERT_TRUE(store && Put(**store, 2));
    const std::uint64_t first = disk.calls() + n;
    disk.SetFaultPlan([&](SimOperation, const std::filesystem::path&, std::uint64_t call) -> std::optional<SimFault> {
      if (call != first) return std::nullopt;
      return SimFault{};
    });
    const SharedBytes other = SharedBytes::Copy(AsBytes("other"));
    EXPECT_FALSE((*store)->Put(Key(2), std::span(&other, 1), PutMode::kIfAbsent)) << n;
    auto bytes = (*store)->Get(Key(2), {0, UINT64_MAX});
    if (bytes) EXPECT_EQ(AsText(*bytes), Body(2)) << n;
    if (!bytes) EXPECT_EQ(bytes.error().code(), ErrorCode::kUnavailable) << n;
    const bool deleted = (*store)->Delete(Key(2)).has_value();
    disk.SetFaultPlan({});
    auto gone = (*store)->Get(Key(2), {0, UINT64_MAX});
    if (deleted) EXPECT_EQ(gone.error().code(), ErrorCode::kNotFound) << n;
  }
}

TEST(LocalDirCrashTest, AFullDiskIsTypedAndHeals) {
  SimFileSystem disk(1);
  SeededRandom random(1);
  auto store = LocalDirObjectStore::Open(kRoot, disk, random);
  ASSERT_TRUE(store);
  ASSERT_TRUE(Put(**store, 1));
  disk.SetCapacity(20'000);
  auto full = Put(**store, 20);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kOutOfSpace);
  EXPECT_TRUE(NothingIncoming(disk));
  EXPECT_EQ(AsText(*(*store)->Get(Key(1), {0, UINT64_MAX})), Body(1));
  disk.SetCapacity(std::nullopt);
  EXPECT_TRUE(Put(**store, 20));
}

}  // namespace
}  // namespace millrace
