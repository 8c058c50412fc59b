// Goal: a decorator that changes nothing hands each call on as the same call, those with a default included; one that
// overrides Around alone decides over each of them: how often it is made, and what is answered.
#include "store/forwarding_object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using testing::ElementsAre;

/// Notes its calls; the first `failures` of them fail.
class NotingStore final : public ObjectStore {
 public:
  Result<void> Put(std::string_view key, std::span<const SharedBytes>, PutMode) override {
    return Note<void>("put", key, {});
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange) override {
    return Note<SharedBytes>("get", key, SharedBytes::Copy(AsBytes("bytes")));
  }
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t,
                                            std::span<const std::uint64_t> lengths) override {
    return Note<std::vector<SharedBytes>>("parts", key, std::vector<SharedBytes>(lengths.size()));
  }
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t,
                                                 std::span<const std::uint64_t> lengths) override {
    return Note<std::vector<SharedBytes>>("prefetch", key, std::vector<SharedBytes>(lengths.size()));
  }
  Result<ObjectDescription> Head(std::string_view key) override {
    return Note<ObjectDescription>("head", key, ObjectDescription{std::string(key), 5, 0});
  }
  Result<ObjectPage> List(std::string_view prefix, std::string_view, std::size_t) override {
    return Note<ObjectPage>("list", prefix, ObjectPage{{}, "next"});
  }
  Result<void> Delete(std::string_view key) override { return Note<void>("delete", key, {}); }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    return Note<void>("delete many", keys.front(), {});
  }
  [[nodiscard]] std::string Describe() const override { return "noting:"; }

  std::vector<std::string> calls;
  int failures = 0;

 private:
  template <class T>
  Result<T> Note(std::string_view call, std::string_view key, Result<T> answer) {
    calls.push_back(std::string(call) + " " + std::string(key));
    if (failures-- > 0) return Error(ErrorCode::kUnavailable, "503");
    return answer;
  }
};

class Plain final : public ForwardingObjectStore {
 public:
  explicit Plain(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
};

/// Makes each request twice, or refuses it.
class Twice final : public ForwardingObjectStore {
 public:
  explicit Twice(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}
  std::vector<std::string> subjects;
  bool refuses = false;

 private:
  Result<void> Around(const Subject& subject, const std::function<Result<void>()>& request) override {
    subjects.push_back(std::string(subject.verb) + " " + std::string(subject.name));
    if (refuses) return Error(ErrorCode::kClosed, "refused");
    (void)request();
    return request();
  }
};

void CallEach(ObjectStore& store) {
  const std::uint64_t lengths[] = {1, 2};
  const std::string keys[] = {"m", "n"};
  EXPECT_TRUE(store.Put("k", {}, PutMode::kOverwrite));
  EXPECT_EQ(AsText(store.Get("k", {0, 5}).value()), "bytes");
  EXPECT_EQ(store.GetParts("k", 0, lengths).value().size(), 2u);
  EXPECT_EQ(store.PrefetchParts("k", 0, lengths).value().size(), 2u);
  EXPECT_EQ(store.Head("k").value().size_bytes, 5u);
  EXPECT_EQ(store.List("p", "", 10).value().next, "next");
  EXPECT_TRUE(store.Delete("k"));
  EXPECT_TRUE(store.DeleteMany(keys));
}

TEST(ForwardingObjectStoreTest, EachCallGoesOnAsItself) {
  const auto inner = std::make_shared<NotingStore>();
  Plain store(inner);
  CallEach(store);
  EXPECT_THAT(inner->calls,
              ElementsAre("put k", "get k", "parts k", "prefetch k", "head k", "list p", "delete k", "delete many m"));
  EXPECT_EQ(store.Describe(), "noting:");
}

TEST(ForwardingObjectStoreTest, AnErrorOfTheStoreBelowIsTheAnswer) {
  const auto inner = std::make_shared<NotingStore>();
  Plain store(inner);
  inner->failures = 1;
  EXPECT_EQ(store.Head("k").error().message(), "503");
}

TEST(ForwardingObjectStoreTest, AroundIsRoundEachCallAndTheLastAnswerCounts) {
  const auto inner = std::make_shared<NotingStore>();
  Twice store(inner);
  CallEach(store);
  EXPECT_EQ(inner->calls.size(), 16u);
  EXPECT_THAT(store.subjects,
              ElementsAre("put k", "get k", "get k", "get k", "head k", "list p", "delete k", "delete 2 objects"));
  inner->failures = 1;
  EXPECT_EQ(AsText(store.Get("k", {0, 5}).value()), "bytes");
}

TEST(ForwardingObjectStoreTest, WhatAroundRefusesIsNotAsked) {
  const auto inner = std::make_shared<NotingStore>();
  Twice store(inner);
  store.refuses = true;
  EXPECT_EQ(store.Get("k", {0, 5}).error().code(), ErrorCode::kClosed);
  EXPECT_TRUE(inner->calls.empty());
}

}  // namespace
}  // namespace millrace
