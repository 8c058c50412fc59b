// What every object store means by every call of the seam, as one suite over any of them: include this, name your
// contenders, and instantiate ObjectStoreConformanceTest. Where the seam leaves stores a choice, or a server is known
// to get something wrong, the trait says which it is and the suite holds the store to that.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "millrace/object_store.h"
#include "millrace/request_scope.h"
#include "store/object_key.h"

namespace millrace {

struct ObjectStoreTraits {
  bool put_if_absent = true;                // false: answers success and overwrites
  bool refuses_folders = true;              // a key that is, or lies below, another object's folder is kInvalidArgument
  bool lists_keys_that_are_folders = true;  // where they are not refused: a list shows both x and x/y
  bool lists_in_key_order = true;
  bool keeps_limits = false;  // looks at RequestScope in every call; false: a call may also be finished regardless
  std::size_t key_bytes_max = kObjectKeyBytesMax;  // less what the store puts before keys
};

/// A fresh, empty store, and whatever it stands on.
struct ObjectStoreBench {
  virtual ~ObjectStoreBench() = default;
  std::shared_ptr<ObjectStore> store;
};

struct ObjectStoreContender {
  std::string name;
  std::function<std::unique_ptr<ObjectStoreBench>()> open;
  ObjectStoreTraits traits;
};

inline void PrintTo(const ObjectStoreContender& contender, std::ostream* out) { *out << contender.name; }

class ObjectStoreConformanceTest : public testing::TestWithParam<ObjectStoreContender> {
 protected:
  void SetUp() override {
    bench_ = GetParam().open();
    ASSERT_TRUE(bench_ != nullptr && bench_->store != nullptr);
  }
  ObjectStore& store() { return *bench_->store; }
  [[nodiscard]] static const ObjectStoreTraits& traits() { return GetParam().traits; }

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

  std::unique_ptr<ObjectStoreBench> bench_;
};

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
  if (!traits().put_if_absent) {
    EXPECT_EQ(Code(Put("k", "second", PutMode::kIfAbsent)), "ok");
    EXPECT_EQ(Get("k"), "second");
    return;
  }
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
  const std::string answer = traits().refuses_folders ? "kInvalidArgument" : "ok";
  EXPECT_EQ(Code(Put("a", "y")), answer);
  EXPECT_EQ(Code(Put("a/b/c", "y")), answer);
  EXPECT_EQ(Code(Put("a/b/c/d", "y", PutMode::kIfAbsent)), answer);
  EXPECT_EQ(Get("a/b"), "x");
  if (!traits().refuses_folders) {
    const std::vector<std::string> all = {"a", "a/b", "a/b/c", "a/b/c/d"};
    EXPECT_EQ(Keys("", 10) == all, traits().lists_keys_that_are_folders);
    for (const std::string& key : all) EXPECT_EQ(Get(key), key == "a/b" ? "x" : "y") << key;
    return;
  }
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

TEST_P(ObjectStoreConformanceTest, ListsAreInOrderOfKeysWhereTheTraitSaysSo) {
  for (const std::string_view key : {"a/b", "a-b", "a.b", "a/b-c", "b"}) ASSERT_TRUE(Put(key, key));
  const auto page = store().List("", "", 10);
  ASSERT_TRUE(page);
  EXPECT_EQ(std::ranges::is_sorted(page->objects, {}, &ObjectDescription::key), traits().lists_in_key_order);
}

TEST_P(ObjectStoreConformanceTest, ManyAreDeletedAtOnce) {
  for (const std::string_view key : {"1", "2", "3", "4"}) ASSERT_TRUE(Put("d/" + std::string(key), key));
  EXPECT_EQ(Code(store().DeleteMany(std::vector<std::string>{"d/1", "d/none", "d/3"})), "ok");
  EXPECT_EQ(Keys("", 10), (std::vector<std::string>{"d/2", "d/4"}));
  EXPECT_EQ(Code(store().DeleteMany({})), "ok");
}

TEST_P(ObjectStoreConformanceTest, HugeKeysFitUpToTheLimit) {
  std::string key;
  while (key.size() + kObjectKeySegmentBytesMax + 1 <= traits().key_bytes_max) {
    key += std::string(kObjectKeySegmentBytesMax, 'x') + '/';
  }
  key += std::string(traits().key_bytes_max - key.size(), 'y');
  ASSERT_EQ(key.size(), traits().key_bytes_max);
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

TEST_P(ObjectStoreConformanceTest, LimitsThatHaveEndedEndEveryCall) {
  ASSERT_TRUE(Put("k", "kept"));
  std::stop_source stop;
  stop.request_stop();
  const RequestLimits ended[] = {{.stop = stop.get_token()}, {.deadline = std::chrono::nanoseconds(0)}};
  for (const RequestLimits& limits : ended) {
    const std::string code = limits.stop.stop_requested() ? "kClosed" : "kTimeout";
    std::vector<std::string> told;
    {
      const RequestScope scope(limits);
      told = {Code(Put("new", "x")),          Code(store().Get("k", {0, 4})),
              Code(store().Head("k")),        Code(store().List("", "", 1)),
              Code(store().Delete("absent")), Code(store().DeleteMany({{"absent", "none"}}))};
    }
    for (const std::string& one : told) EXPECT_TRUE(one == code || (!traits().keeps_limits && one == "ok")) << one;
    EXPECT_EQ(Get("new"), told.front() == "ok" ? "x" : "kNotFound");
    ASSERT_TRUE(store().Delete("new"));
  }
  EXPECT_EQ(Get("k"), "kept");
}

TEST_P(ObjectStoreConformanceTest, AStopDuringAPutLeavesTheObjectWholeOrAbsent) {
  const std::string body(200'000, 'b');
  for (int round = 0; round < 10; ++round) {
    const std::string key = "stopped/" + std::to_string(round);
    std::stop_source stop;
    std::string told;
    {
      const RequestScope scope({.stop = stop.get_token()});
      const std::jthread stopper([&] { stop.request_stop(); });
      told = Code(Put(key, body));
    }
    EXPECT_TRUE(told == "ok" || told == "kClosed") << told;
    const std::string seen = Get(key);
    EXPECT_TRUE(seen == body || (told == "kClosed" && seen == "kNotFound")) << told;
  }
}

TEST_P(ObjectStoreConformanceTest, OfConcurrentPutsIfAbsentOneWins) {
  if (!traits().put_if_absent) return;  // nothing is decided there
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
          const auto put = Put("k", std::string(5'000 + static_cast<std::size_t>(i), static_cast<char>('1' + i)));
          EXPECT_TRUE(put) << put.error().ToString();
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

}  // namespace millrace
