// Goal: of all who could write to one object store one does, and whoever lost the right is told, whatever happens
// between two steps. Method: claims of several directories over one memory store, which fails, lies about conditions or
// forgets when told to; the other party's steps are made by hand. Proves B81.
#include "tier/store_claim.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/system_clock.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"
#include "store/faulty_object_store.h"
#include "store/forwarding_object_store.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

const std::string kIdentity = "00112233445566778899aabbccddeeff";

/// A directory, and the claims of its processes.
struct Directory {
  explicit Directory(ObjectStore& store, std::string identity_is = kIdentity, std::uint64_t seed = 1)
      : objects(store), identity(std::move(identity_is)), random(seed) {}

  std::unique_ptr<StoreClaim> Process(StoreClaimOptions options = {}) {
    options.host = "host" + identity.substr(0, 2);
    auto claim = std::make_unique<StoreClaim>(options, StoreKeys("p/", identity), objects, *rows, clock, random);
    EXPECT_TRUE(claim->LoadFence());
    return claim;
  }
  /// What a file by file copy of it, or a snapshot of its volume, has.
  [[nodiscard]] std::shared_ptr<MemoryMetadataStore> CopyOfRows() const {
    auto copy = std::make_shared<MemoryMetadataStore>();
    const auto stored = rows->Scan(StoreKey{}, EndOfTable{}, 100).value();
    std::vector<MetadataWrite> writes;
    for (const MetadataRow& row : stored) writes.push_back({MetadataWrite::Kind::kPut, row});
    EXPECT_TRUE(copy->Commit({}, writes));
    return copy;
  }

  ObjectStore& objects;
  const std::string identity;
  SimClock clock;
  SeededRandom random;
  std::shared_ptr<MetadataStore> rows = std::make_shared<MemoryMetadataStore>();
};

std::optional<ErrorCode> Code(const Result<void>& result) {
  return result ? std::nullopt : std::optional(result.error().code());
}

TEST(StoreClaimTest, EachProcessGetsTheNextGenerationAndKeysOfItsOwn) {
  MemoryObjectStore store;
  Directory directory(store);
  std::set<std::string> keys;
  for (std::uint32_t process = 1; process <= 3; ++process) {
    const auto claim = directory.Process();
    for (int i = 0; i < 2; ++i) {
      const auto name = claim->Begin();
      ASSERT_TRUE(name) << name.error().ToString();
      EXPECT_EQ(name->generation, process);
      EXPECT_TRUE(keys.insert(claim->keys().Object(*name)).second);
    }
    EXPECT_TRUE(claim->Prove());
    EXPECT_TRUE(store.Head("p/" + kIdentity + "/claim/0000000" + std::to_string(process)));
  }
}

TEST(StoreClaimTest, AttemptsAreSettledInAnyOrder) {
  MemoryObjectStore store;
  Directory directory(store);
  const auto claim = directory.Process();
  std::vector<ObjectName> names;
  for (int i = 0; i < 3; ++i) names.push_back(*claim->Begin());
  EXPECT_EQ(claim->settled(), 0U);
  claim->Settle(names[1]);
  EXPECT_EQ(claim->settled(), 0U);
  claim->Settle(names[0]);
  EXPECT_EQ(claim->settled(), 2U);
  claim->Settle(names[2]);
  EXPECT_EQ(claim->settled(), 3U);
}

TEST(StoreClaimTest, AProcessThatUsedItsNumbersUpClaimsAnew) {
  MemoryObjectStore store;
  Directory directory(store);
  const auto claim = directory.Process();
  for (std::uint64_t i = 0; i < kAttemptsMax; ++i) ASSERT_EQ(claim->Begin()->generation, 1U);
  const auto next = claim->Begin();
  ASSERT_TRUE(next) << next.error().ToString();
  EXPECT_EQ(next->generation, 2U);
  EXPECT_EQ(next->sequence, 0U);
}

TEST(StoreClaimTest, TwoNewLogs) {
  MemoryObjectStore store;
  Directory one(store), other(store, "ffeeddccbbaa99887766554433221100");
  ASSERT_TRUE(one.Process()->Hold());
  const auto listed = store.List("", "", 100)->objects.size();
  const auto refused = other.Process()->Hold();
  EXPECT_EQ(Code(refused), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find(kIdentity), std::string_view::npos) << refused.error().ToString();
  EXPECT_NE(refused.error().message().find(other.identity), std::string_view::npos);
  EXPECT_EQ(Code(other.Process()->Check()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(store.List("", "", 100)->objects.size(), listed);
  EXPECT_TRUE(one.Process()->Hold());
}

/// Says that it obeyed, and puts all the same; or forgets what was put for a while.
class LyingStore final : public ForwardingObjectStore {
 public:
  enum class Lie { kIgnoresConditions, kRemembersAbsence };
  LyingStore(std::shared_ptr<ObjectStore> inner, Lie lie) : ForwardingObjectStore(std::move(inner)), lie_(lie) {}
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    if (lie_ == Lie::kIgnoresConditions) mode = PutMode::kOverwrite;
    return ForwardingObjectStore::Put(key, pieces, mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    const bool claim = key.find("/claim/") != std::string_view::npos;
    if (lie_ == Lie::kRemembersAbsence && claim) return Error(ErrorCode::kNotFound, "there was none");
    return ForwardingObjectStore::Get(key, range);
  }

 private:
  const Lie lie_;
};

TEST(StoreClaimTest, AStoreOnWhichNoClaimCanRestIsRefused) {
  {
    LyingStore store(std::make_shared<MemoryObjectStore>(), LyingStore::Lie::kIgnoresConditions);
    Directory directory(store);
    const auto refused = directory.Process()->Hold();
    EXPECT_EQ(Code(refused), ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().hint().find("single_writer=1"), std::string_view::npos);
  }
  {
    LyingStore store(std::make_shared<MemoryObjectStore>(), LyingStore::Lie::kIgnoresConditions);
    Directory directory(store);
    EXPECT_TRUE(directory.Process({.single_writer = true})->Hold());
  }
  LyingStore store(std::make_shared<MemoryObjectStore>(), LyingStore::Lie::kRemembersAbsence);
  Directory directory(store);
  EXPECT_EQ(Code(directory.Process()->Hold()), ErrorCode::kUnsupported);
}

TEST(StoreClaimTest, WhoTakesOverFencesWhoWasThereForGood) {
  MemoryObjectStore store;
  Directory directory(store);
  int told = 0;
  const auto claim = directory.Process({.on_fenced = [&](const Error&) { ++told; }});
  ASSERT_TRUE(claim->Prove());
  Directory taker(store, kIdentity, 2);
  taker.rows = directory.CopyOfRows();
  ASSERT_TRUE(taker.Process()->Hold());
  const auto fenced = claim->Prove();
  EXPECT_EQ(Code(fenced), ErrorCode::kFenced);
  EXPECT_NE(fenced.error().message().find("host00"), std::string_view::npos) << fenced.error().ToString();
  EXPECT_EQ(claim->Begin().error().code(), ErrorCode::kFenced);
  EXPECT_EQ(told, 1);
  // Those that come after know it without asking.
  const auto later = directory.Process();
  EXPECT_TRUE(later->is_fenced());
  EXPECT_EQ(Code(later->Hold()), ErrorCode::kFenced);
}

TEST(StoreClaimTest, Cloned) {
  MemoryObjectStore store;
  Directory directory(store);
  ASSERT_TRUE(directory.Process()->Hold());
  Directory clone(store, kIdentity, 2);
  clone.rows = directory.CopyOfRows();
  // Whichever writes first goes on, the other does not.
  ASSERT_TRUE(clone.Process()->Hold());
  EXPECT_EQ(Code(directory.Process()->Hold()), ErrorCode::kFenced);
  EXPECT_TRUE(clone.Process()->Hold());
}

TEST(StoreClaimTest, ACopyOfTheDirectoryFencesNobody) {
  MemoryObjectStore store;
  Directory directory(store);
  ASSERT_TRUE(directory.Process({.marker = "5 17.0"})->Hold());
  Directory copy(store, kIdentity, 2);
  copy.rows = directory.CopyOfRows();
  const auto refused = copy.Process({.marker = "6 18.0"});
  EXPECT_TRUE(refused->is_fenced());
  EXPECT_EQ(Code(refused->Hold()), ErrorCode::kFenced);
  EXPECT_TRUE(directory.Process({.marker = "5 17.0"})->Hold());
  // Once somebody said that it is to go on, it does.
  ASSERT_TRUE(HomeCatalog(*copy.rows).SetMarker("6 18.0"));
  EXPECT_EQ(Code(copy.Process({.marker = "6 18.0"})->Hold()), ErrorCode::kFenced) << "the original has gone on";
}

TEST(StoreClaimTest, Emptied) {
  for (const bool all : {true, false}) {
    MemoryObjectStore store;
    Directory directory(store);
    ASSERT_TRUE(directory.Process()->Hold());
    for (const ObjectDescription& one : store.List("", "", 100)->objects)
      if (all || one.key.find("/claim/") != std::string::npos) ASSERT_TRUE(store.Delete(one.key));
    const auto left = store.List("", "", 100)->objects.size();
    EXPECT_EQ(Code(directory.Process()->Hold()), ErrorCode::kInvalidArgument);
    EXPECT_EQ(store.List("", "", 100)->objects.size(), left) << "no claim, and no new log over it";
  }
}

TEST(StoreClaimTest, RolledBack) {
  MemoryObjectStore store;
  Directory directory(store);
  const auto claim = directory.Process();
  ASSERT_TRUE(claim->Hold());
  Directory before(store);  // the volume, before the object
  before.rows = directory.CopyOfRows();
  ObjectDirectory text{.identity = StoredIdOf(kIdentity), .generation = 1, .nonce = claim->generation().nonce};
  text.topics.push_back({.number = TopicId(1), .name = "t"});
  text.entries.push_back({.byte_size = 1, .base = Offset(0), .end = Offset(10), .ceiling = Offset(10)});
  const SharedBytes bytes = SharedBytes::Copy(EncodeObjectDirectory(text));
  ASSERT_TRUE(store.Put(claim->keys().Object(*claim->Begin()), {&bytes, 1}, PutMode::kIfAbsent));
  for (const std::int64_t log_end : {9, 10}) {
    Directory rolled_back(store, kIdentity, 3);
    rolled_back.rows = before.CopyOfRows();
    const auto back = rolled_back.Process(
        {.went_further = [&](const ObjectDirectory& found) { return found.entries.at(0).end > Offset(log_end); }});
    EXPECT_EQ(Code(back->Hold()), log_end == 9 ? std::optional(ErrorCode::kFenced) : std::nullopt) << log_end;
  }
}

/// First contact, claim, proof: fails at every call of the store or of metadata in turn, before its effect or after it;
/// the next process goes on.
TEST(StoreClaimTest, CrashAtEveryStep) {
  int failures = 0;
  for (const bool after : {false, true}) {
    for (int n = 1;; ++n) {
      const auto memory = std::make_shared<MemoryObjectStore>();
      FaultyObjectStore store(memory, 1, [](std::chrono::nanoseconds) {});
      Directory directory(store);
      store.FailRequest(static_cast<std::uint64_t>(n), after ? ObjectFault::kErrorAfter : ObjectFault::kErrorBefore);
      const auto first = directory.Process();
      const bool done = first->Hold() && first->Prove();
      if (store.requests() < static_cast<std::uint64_t>(n)) break;  // nothing failed
      failures += done ? 0 : 1;
      EXPECT_FALSE(first->is_fenced()) << n;
      const auto second = directory.Process();
      ASSERT_TRUE(second->Prove()) << n;
      EXPECT_FALSE(second->is_fenced()) << n;
      const auto third = directory.Process();
      ASSERT_TRUE(third->Prove()) << n;
      EXPECT_EQ(third->generation().number, second->generation().number + 1);
    }
  }
  EXPECT_GE(failures, 10);
  for (const auto fault : {MetadataFault::kBefore, MetadataFault::kAfter}) {
    for (std::uint64_t n = 1; n < 40; ++n) {
      MemoryObjectStore store;
      Directory directory(store);
      const auto rows = std::make_shared<MemoryMetadataStore>();
      const auto faulty = std::make_shared<FaultyMetadataStore>(rows, 1);
      directory.rows = faulty;
      const auto first = directory.Process();
      faulty->FailCall(n, fault);
      (void)first->Prove();
      EXPECT_FALSE(first->is_fenced()) << n;
      directory.rows = rows;
      const auto second = directory.Process();
      ASSERT_TRUE(second->Prove()) << n;
    }
  }
}

TEST(StoreClaimTest, APlaceOfItsOwnHasNoClaimsAndNewNumbersAllTheSame) {
  MemoryObjectStore store;
  Directory directory(store);
  std::set<std::string> keys;
  for (int process = 0; process < 3; ++process) {
    const auto claim = directory.Process({.claims = false, .marker = std::to_string(process)});
    EXPECT_FALSE(claim->is_fenced());
    EXPECT_TRUE(keys.insert(claim->keys().Object(*claim->Begin())).second);
    EXPECT_TRUE(claim->Prove());
  }
  EXPECT_TRUE(store.List("p/" + kIdentity + "/claim/", "", 10)->objects.empty());
}

/// Holds looks at a claim back until let go.
class SlowLooks final : public ForwardingObjectStore {
 public:
  explicit SlowLooks(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    if (slow && key.ends_with("claim/00000002")) {
      if (++looks == 1) {
        begun.count_down();
        go_on.wait();
      }
    }
    return ForwardingObjectStore::Get(key, range);
  }
  std::atomic<bool> slow{false};
  std::atomic<int> looks{0};
  std::latch begun{1}, go_on{1};
};

TEST(StoreClaimTest, OneLookServesAllWhoAskedBeforeItWasSentAndNoneWhoAskedLater) {
  SlowLooks store(std::make_shared<MemoryObjectStore>());
  MemoryMetadataStore rows;
  SystemClock clock;
  SeededRandom random(1);
  StoreClaim claim({}, StoreKeys("p/", kIdentity), store, rows, clock, random);
  ASSERT_TRUE(claim.Hold());
  store.slow = true;
  std::jthread first([&] { EXPECT_TRUE(claim.Prove()); });
  store.begun.wait();
  // Their objects may have been answered after that look was sent: it vouches for none of them.
  std::vector<std::jthread> later;
  for (int i = 0; i < 4; ++i) later.emplace_back([&] { EXPECT_TRUE(claim.Prove()); });
  store.go_on.count_down();
  first.join();
  later.clear();
  EXPECT_GE(store.looks, 2);
  EXPECT_LE(store.looks, 5);
}

TEST(StoreClaimTest, ADamagedClaimIsNoStrangers) {
  MemoryObjectStore store;
  Directory directory(store);
  const auto claim = directory.Process();
  ASSERT_TRUE(claim->Hold());
  const SharedBytes junk = SharedBytes::Copy(AsBytes("junk"));
  ASSERT_TRUE(store.Put(claim->keys().Claim(2), {&junk, 1}, PutMode::kOverwrite));
  EXPECT_EQ(Code(claim->Prove()), ErrorCode::kCorruption);
  EXPECT_FALSE(claim->is_fenced());
}

}  // namespace
}  // namespace millrace
