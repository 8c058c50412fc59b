// Goal: every object store, bare or under each decorator without faults, means the same by every call of the seam.
// Method: one suite over all of them; each test opens a fresh store.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <thread>

#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/sim_clock.h"
#include "env/sim_file_system.h"
#include "store/faulty_object_store.h"
#include "store/local_dir_object_store.h"
#include "store/memory_object_store.h"
#include "store/metered_object_store.h"
#include "store/object_key.h"
#include "store/retrying_object_store.h"

namespace millrace {
namespace {

struct Bench {
  SimClock clock;
  SeededRandom random{1};
  std::unique_ptr<FileSystem> file_system;
  std::filesystem::path scratch;
  std::shared_ptr<ObjectStore> store;
  ~Bench() {
    store.reset();
    if (!scratch.empty()) std::filesystem::remove_all(scratch);
  }
};

struct Contender {
  const char* name;
  std::function<void(Bench&)> open;
};

std::shared_ptr<ObjectStore> OpenDir(const std::filesystem::path& root, FileSystem& file_system) {
  auto opened = LocalDirObjectStore::Open(root, file_system);
  if (!opened) ADD_FAILURE() << opened.error().ToString();
  return opened ? std::shared_ptr<ObjectStore>(*std::move(opened)) : nullptr;
}

void OpenPosix(Bench& bench) {
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace-store-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  bench.scratch = pattern;
  bench.file_system = std::make_unique<PosixFileSystem>();
  bench.store = OpenDir(bench.scratch / "objects", *bench.file_system);
}

void OpenSim(Bench& bench) {
  bench.file_system = std::make_unique<SimFileSystem>(1);
  bench.store = OpenDir("/data/objects", *bench.file_system);
}

void OpenMemory(Bench& bench) { bench.store = std::make_shared<MemoryObjectStore>(&bench.clock); }

const Contender kContenders[] = {
    {"LocalDirPosix", OpenPosix},
    {"LocalDirSim", OpenSim},
    {"Memory", OpenMemory},
    {"MeteredMemory",
     [](Bench& bench) {
       OpenMemory(bench);
       bench.store = std::make_shared<MeteredObjectStore>(bench.store);
     }},
    {"FaultyMemory",
     [](Bench& bench) {
       OpenMemory(bench);
       bench.store = std::make_shared<FaultyObjectStore>(bench.store, 1);
     }},
    {"RetryingMemory",
     [](Bench& bench) {
       OpenMemory(bench);
       bench.store = std::make_shared<RetryingObjectStore>(bench.store, RetryOptions{}, bench.clock, bench.random);
     }},
    {"AllOverLocalDir",
     [](Bench& bench) {
       OpenPosix(bench);
       auto faulty = std::make_shared<FaultyObjectStore>(bench.store, 1);
       auto retrying = std::make_shared<RetryingObjectStore>(faulty, RetryOptions{}, bench.clock, bench.random);
       bench.store = std::make_shared<MeteredObjectStore>(retrying);
     }},
};

class ObjectStoreConformanceTest : public testing::TestWithParam<Contender> {
 protected:
  void SetUp() override {
    GetParam().open(bench_);
    ASSERT_NE(bench_.store, nullptr);
  }
  ObjectStore& store() { return *bench_.store; }

  Result<void> Put(std::string_view key, std::string_view text, PutMode mode = PutMode::kOverwrite) {
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    return store().Put(key, std::span(&bytes, 1), mode);
  }
  std::string Get(std::string_view key, ByteRange range = {0, UINT64_MAX}) {
    auto bytes = store().Get(key, range);
    return bytes ? std::string(AsText(*bytes)) : std::string(ErrorCodeName(bytes.error().code()));
  }
  template <class T>
  static std::string Code(const Result<T>& result) {
    return result ? "ok" : std::string(ErrorCodeName(result.error().code()));
  }
  std::vector<std::string> Keys(std::string_view prefix, std::size_t max) {
    std::vector<std::string> keys;
    std::string next;
    do {
      auto page = store().List(prefix, next, max);
      if (!page) return {std::string(ErrorCodeName(page.error().code()))};
      EXPECT_LE(page->objects.size(), max);
      for (const ObjectDescription& object : page->objects) keys.push_back(object.key);
      next = page->next;
    } while (!next.empty());
    std::ranges::sort(keys);
    return keys;
  }

  Bench bench_;
};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreConformanceTest, testing::ValuesIn(kContenders),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(ObjectStoreConformanceTest, PutThenGetAndHead) {
  ASSERT_TRUE(Put("a/b/c.obj", "hello"));
  EXPECT_EQ(Get("a/b/c.obj"), "hello");
  auto head = store().Head("a/b/c.obj");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->key, "a/b/c.obj");
  EXPECT_EQ(head->size_bytes, 5u);
}

TEST_P(ObjectStoreConformanceTest, PiecesAreConcatenated) {
  std::vector<SharedBytes> pieces;
  for (const std::string_view text : {"one", "", "two", "three"}) pieces.push_back(SharedBytes::Copy(AsBytes(text)));
  ASSERT_TRUE(store().Put("pieces", pieces, PutMode::kOverwrite));
  EXPECT_EQ(Get("pieces"), "onetwothree");
}

TEST_P(ObjectStoreConformanceTest, OverwriteReplacesWhole) {
  ASSERT_TRUE(Put("k", "a long first value"));
  ASSERT_TRUE(Put("k", "short"));
  EXPECT_EQ(Get("k"), "short");
  EXPECT_EQ(store().Head("k")->size_bytes, 5u);
}

TEST_P(ObjectStoreConformanceTest, PutIfAbsentRefusesATakenKey) {
  ASSERT_TRUE(Put("k", "first", PutMode::kIfAbsent));
  EXPECT_EQ(Code(Put("k", "second", PutMode::kIfAbsent)), "kAlreadyExists");
  EXPECT_EQ(Code(Put("k", "first", PutMode::kIfAbsent)), "kAlreadyExists");
  EXPECT_EQ(Get("k"), "first");
  ASSERT_TRUE(store().Delete("k"));
  ASSERT_TRUE(Put("k", "third", PutMode::kIfAbsent));
  EXPECT_EQ(Get("k"), "third");
}

TEST_P(ObjectStoreConformanceTest, RangesAreCutAtTheEndAndRefusedBeyondIt) {
  ASSERT_TRUE(Put("k", "0123456789"));
  EXPECT_EQ(Get("k", {0, 3}), "012");
  EXPECT_EQ(Get("k", {3, 4}), "3456");
  EXPECT_EQ(Get("k", {8, 100}), "89");
  EXPECT_EQ(Get("k", {9, UINT64_MAX}), "9");
  EXPECT_EQ(Get("k", {4, 0}), "");
  EXPECT_EQ(Get("k", {10, 1}), "kOutOfRange");
  EXPECT_EQ(Get("k", {UINT64_MAX, 1}), "kOutOfRange");
}

TEST_P(ObjectStoreConformanceTest, GetPartsIsAGetInPieces) {
  const auto parts = [&](std::uint64_t offset, std::vector<std::uint64_t> lengths) {
    std::string shown;
    const auto got = store().GetParts("k", offset, lengths);
    if (!got) return Code(got);
    for (const SharedBytes& part : *got) shown += std::string(AsText(part.bytes())) + "|";
    return shown;
  };
  EXPECT_EQ(parts(0, {1, 2}), "kNotFound");
  ASSERT_TRUE(Put("k", "0123456789"));
  EXPECT_EQ(parts(2, {3}), "234|");
  EXPECT_EQ(parts(0, {1, 0, 4, 5}), "0||1234|56789|");
  EXPECT_EQ(parts(6, {3, 3, 2}), "678|9||");
  EXPECT_EQ(parts(10, {1, 1}), "kOutOfRange");
}

TEST_P(ObjectStoreConformanceTest, AnEmptyObjectExistsAndHasNoRange) {
  ASSERT_TRUE(store().Put("empty", {}, PutMode::kIfAbsent));
  EXPECT_EQ(store().Head("empty")->size_bytes, 0u);
  EXPECT_EQ(Get("empty"), "kOutOfRange");
  EXPECT_EQ(Keys("", 10), std::vector<std::string>{"empty"});
}

TEST_P(ObjectStoreConformanceTest, AMissingKeyIsNotFound) {
  EXPECT_EQ(Get("missing"), "kNotFound");
  EXPECT_EQ(Get("missing/deep/key.obj"), "kNotFound");
  EXPECT_EQ(Code(store().Head("missing")), "kNotFound");
  EXPECT_EQ(Code(store().Delete("missing")), "ok");
  EXPECT_EQ(Code(store().Delete("missing/deep")), "ok");
  EXPECT_TRUE(Keys("", 10).empty());
}

TEST_P(ObjectStoreConformanceTest, DeletedIsGone) {
  ASSERT_TRUE(Put("d/one", "1"));
  ASSERT_TRUE(Put("d/two", "2"));
  ASSERT_TRUE(store().Delete("d/one"));
  EXPECT_EQ(Get("d/one"), "kNotFound");
  EXPECT_EQ(Keys("", 10), std::vector<std::string>{"d/two"});
}

TEST_P(ObjectStoreConformanceTest, OneKeyMayNotBeAnothersFolder) {
  ASSERT_TRUE(Put("a/b", "x"));
  EXPECT_EQ(Code(Put("a", "y")), "kInvalidArgument");
  EXPECT_EQ(Code(Put("a/b/c", "y")), "kInvalidArgument");
  EXPECT_EQ(Code(Put("a/b/c/d", "y", PutMode::kIfAbsent)), "kInvalidArgument");
  EXPECT_EQ(Get("a"), "kNotFound");
  EXPECT_EQ(Get("a/b/c"), "kNotFound");
  EXPECT_EQ(Code(store().Delete("a")), "ok");
  EXPECT_EQ(Get("a/b"), "x");
  EXPECT_EQ(Keys("", 10), std::vector<std::string>{"a/b"});
}

TEST_P(ObjectStoreConformanceTest, ListGivesEveryMatchOnceOverPages) {
  std::vector<std::string> all;
  for (const std::string_view folder : {"", "a/", "a-", "a.b/", "a/b/c/", "z/"}) {
    for (int i = 0; i < 7; ++i) all.push_back(std::string(folder) + "k" + std::to_string(i));
  }
  for (const std::string& key : all) ASSERT_TRUE(Put(key, key));
  std::ranges::sort(all);
  for (const std::size_t max : {1u, 2u, 5u, 41u, 42u, 43u, 1000u}) {
    EXPECT_EQ(Keys("", max), all) << max;
    for (const std::string_view prefix : {"a", "a/", "a/k", "a/b", "a/b/c/k3", "z", "zz", "k"}) {
      std::vector<std::string> expected;
      std::ranges::copy_if(all, std::back_inserter(expected), [&](const auto& key) { return key.starts_with(prefix); });
      EXPECT_EQ(Keys(prefix, max), expected) << prefix << " by " << max;
    }
  }
  EXPECT_EQ(Code(store().List("", "", 0)), "kInvalidArgument");
  auto page = store().List("z/", "", 10);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->objects.front().size_bytes, page->objects.front().key.size());
}

TEST_P(ObjectStoreConformanceTest, HugeKeysFitUpToTheLimit) {
  std::string key;
  while (key.size() + kObjectKeySegmentBytesMax + 1 <= kObjectKeyBytesMax) {
    key += std::string(kObjectKeySegmentBytesMax, 'x') + '/';
  }
  key += std::string(kObjectKeyBytesMax - key.size(), 'y');
  ASSERT_EQ(key.size(), kObjectKeyBytesMax);
  ASSERT_TRUE(Put(key, "huge"));
  EXPECT_EQ(Get(key), "huge");
  EXPECT_EQ(Keys("x", 10), std::vector<std::string>{key});
  EXPECT_EQ(Code(Put(key + "y", "huger")), "kInvalidArgument");
}

TEST_P(ObjectStoreConformanceTest, IllegalKeysAreRefusedByEveryCall) {
  const std::string illegal[] = {"",
                                 "/",
                                 "/a",
                                 "a/",
                                 "a//b",
                                 ".",
                                 "..",
                                 "a/../b",
                                 "./a",
                                 "a/.",
                                 "a b",
                                 "a\\b",
                                 "~a",
                                 "~incoming/x",
                                 "\xC3\xA9",
                                 "a:b",
                                 "a\nb",
                                 "a%20b",
                                 std::string("a\0b", 3),
                                 std::string(kObjectKeySegmentBytesMax + 1, 'x')};
  for (const std::string& key : illegal) {
    EXPECT_EQ(Code(Put(key, "x")), "kInvalidArgument") << key;
    EXPECT_EQ(Code(Put(key, "x", PutMode::kIfAbsent)), "kInvalidArgument") << key;
    EXPECT_EQ(Get(key), "kInvalidArgument") << key;
    EXPECT_EQ(Code(store().Head(key)), "kInvalidArgument") << key;
    EXPECT_EQ(Code(store().Delete(key)), "kInvalidArgument") << key;
  }
  EXPECT_TRUE(Keys("", 10).empty());
}

TEST_P(ObjectStoreConformanceTest, BytesOutliveTheirObject) {
  ASSERT_TRUE(Put("k", "kept"));
  auto bytes = store().Get("k", {0, 4});
  ASSERT_TRUE(bytes);
  ASSERT_TRUE(Put("k", "gone"));
  ASSERT_TRUE(store().Delete("k"));
  EXPECT_EQ(AsText(*bytes), "kept");
}

TEST_P(ObjectStoreConformanceTest, OfConcurrentPutsIfAbsentOneWins) {
  constexpr int kThreads = 8, kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = "race/" + std::to_string(round);
    std::atomic<int> won{0}, lost{0}, winner{-1};
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        auto put = Put(key, std::string(10'000, static_cast<char>('a' + i)), PutMode::kIfAbsent);
        if (put) winner = i;
        (put ? won : lost) += put || put.error().code() == ErrorCode::kAlreadyExists;
      });
    }
    threads.clear();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, kThreads - 1);
    EXPECT_EQ(Get(key), std::string(10'000, static_cast<char>('a' + winner)));
  }
}

TEST_P(ObjectStoreConformanceTest, ConcurrentPutsAreSeenWhole) {
  constexpr int kThreads = 4, kRounds = 20;
  ASSERT_TRUE(Put("k", std::string(5'000, '0')));
  std::atomic<int> torn{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          EXPECT_TRUE(Put("k", std::string(5'000 + static_cast<std::size_t>(i), static_cast<char>('1' + i))));
          const std::string seen = Get("k");
          const char kind = seen.front();
          const std::size_t expected = kind == '0' ? 5'000 : 5'000 + static_cast<std::size_t>(kind - '1');
          if (seen != std::string(expected, kind)) ++torn;
        }
      });
    }
  }
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace millrace
