// Goal: a plan happens once, whatever happens to the answer of its commit, and beside other writers. Method: the fault
// decorator over the memory store; a plan that counts how often it was asked.
#include "meta/transition.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "meta/faulty_metadata_store.h"
#include "meta/find_row.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

class TransitionTest : public testing::Test {
 protected:
  TransitionTest() {
    const MetadataWrite write{MetadataWrite::Kind::kInsert, StoreRow{"n", 0, ""}};
    EXPECT_TRUE(rows_->Commit({}, {&write, 1}));
  }
  /// Adds one; `between` happens between its reads and its commit.
  Result<void> AddOne(const std::function<void()>& between = [] {}) {
    return CarryOut(store_, [&](EarlierAttempt attempt) -> Result<Transition> {
      ++asked_;
      earlier_ = attempt;
      MR_ASSIGN_OR_RETURN(const auto row, FindRow(store_, StoreKey{"n"}));
      between();
      Transition to;
      to.Expect(*row);
      to.Put(StoreRow{"n", row->number + 1, ""});
      return to;
    });
  }
  std::int64_t Number() { return (*FindRow(*rows_, StoreKey{"n"}))->number; }
  void Set(std::int64_t number) {
    const MetadataWrite write{MetadataWrite::Kind::kPut, StoreRow{"n", number, ""}};
    ASSERT_TRUE(rows_->Commit({}, {&write, 1}));
  }

  const std::shared_ptr<MemoryMetadataStore> rows_ = std::make_shared<MemoryMetadataStore>();
  FaultyMetadataStore store_{rows_, 1};
  int asked_ = 0;
  EarlierAttempt earlier_ = EarlierAttempt::kNone;
};

TEST_F(TransitionTest, AnAnswerThatWasLostIsLookedUpAndNotMadeAgain) {
  store_.FailCommit(1, MetadataFault::kAfter);
  ASSERT_TRUE(AddOne());
  EXPECT_EQ(Number(), 1);
  EXPECT_EQ(asked_, 1);
}

TEST_F(TransitionTest, ACommitThatDidNotHappenIsMadeAgainOnce) {
  store_.FailCommit(1, MetadataFault::kBefore);
  ASSERT_TRUE(AddOne());
  EXPECT_EQ(Number(), 1);
  EXPECT_EQ(asked_, 2);
  EXPECT_EQ(earlier_, EarlierAttempt::kUnknown);
  int failed = 0;
  EXPECT_EQ(AddOne([&] { store_.FailCommit(1, MetadataFault::kBefore), ++failed; }).error().code(),
            ErrorCode::kUnavailable);
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(Number(), 1);
}

TEST_F(TransitionTest, AnOutcomeThatCannotBeLookedUpIsTheErrorOfTheCommit) {
  store_.SetPlan({.code = ErrorCode::kTimeout, .silent_once_fired = true});
  store_.FailCommit(1, MetadataFault::kAfter);
  EXPECT_EQ(AddOne().error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(Number(), 1);
  EXPECT_EQ(asked_, 1);
}

TEST_F(TransitionTest, AnotherWriterInBetweenMeansToReadAgain) {
  int others = 0;
  ASSERT_TRUE(AddOne([&] {
    if (others++ < 3) Set(Number() + 10);
  }));
  EXPECT_EQ(Number(), 31);
  EXPECT_EQ(asked_, 4);
  EXPECT_EQ(earlier_, EarlierAttempt::kNone);
  EXPECT_EQ(AddOne([&] { Set(Number() + 1); }).error().code(), ErrorCode::kUnavailable);  // without end
}

TEST_F(TransitionTest, APlanThatEndsOrHasNothingToDoCommitsNothing) {
  const auto calls = store_.calls();
  EXPECT_EQ(CarryOut(store_, [](EarlierAttempt) -> Result<Transition> { return Error(ErrorCode::kFenced, "no"); })
                .error()
                .code(),
            ErrorCode::kFenced);
  EXPECT_TRUE(CarryOut(store_, [](EarlierAttempt) -> Result<Transition> { return Transition(); }));
  EXPECT_EQ(store_.calls(), calls);
}

TEST_F(TransitionTest, DamageIsToldAndNeverTakenForNothing) {
  ASSERT_TRUE(rows_->FlipBit(StoreKey{"n"}, 5, 3));
  EXPECT_EQ(AddOne().error().code(), ErrorCode::kCorruption);
  EXPECT_EQ(rows_->Scan(StoreKey{}, EndOfTable{}, 10).error().code(), ErrorCode::kCorruption);
  const MetadataRow expected = StoreRow{"n", 0, ""};
  const MetadataWrite write{MetadataWrite::Kind::kPut, StoreRow{"m", 0, ""}};
  EXPECT_EQ(rows_->Commit({&expected, 1}, {&write, 1}).error().code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace millrace
