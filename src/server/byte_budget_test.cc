// Goal: bytes in flight never pass the budget, and a connection that waits for them is told when they come back.
#include "server/byte_budget.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(ByteBudgetTest, TakesUpToTheBudgetAndNotOneMore) {
  ByteBudget budget(100);
  EXPECT_TRUE(budget.TryTake(60));
  EXPECT_FALSE(budget.TryTake(41));
  EXPECT_TRUE(budget.TryTake(40));
  EXPECT_FALSE(budget.TryTake(UINT64_MAX));
  budget.Give(100);
  EXPECT_EQ(budget.taken(), 0U);
}

TEST(ByteBudgetTest, GivingBackWakesEachWaiterOnce) {
  ByteBudget budget(10);
  ASSERT_TRUE(budget.TryTake(10));
  int woken = 0;
  budget.AwaitBytes([&] { ++woken; });
  budget.AwaitBytes([&] { ++woken; });
  EXPECT_EQ(woken, 0);
  budget.Give(1);
  EXPECT_EQ(woken, 2);
  budget.Give(1);
  EXPECT_EQ(woken, 2);
  budget.Give(8);
}

TEST(ByteBudgetTest, AWaiterThatComesWhenAllIsFreeIsWokenAtOnce) {
  ByteBudget budget(10);
  bool woken = false;
  budget.AwaitBytes([&] { woken = true; });
  EXPECT_TRUE(woken);
}

TEST(ConnectionBytesTest, AConnectionKeepsToItsShareButForOneFrameAlone) {
  ByteBudget budget(1'000);
  ConnectionBytes bytes(budget, 100);
  EXPECT_EQ(bytes.Take(500), ConnectionBytes::Outcome::kTaken);
  EXPECT_EQ(bytes.Take(1), ConnectionBytes::Outcome::kShareShort);
  bytes.Give(500);
  EXPECT_EQ(bytes.Take(60), ConnectionBytes::Outcome::kTaken);
  EXPECT_EQ(bytes.Take(40), ConnectionBytes::Outcome::kTaken);
  EXPECT_EQ(bytes.Take(1), ConnectionBytes::Outcome::kShareShort);
}

TEST(ConnectionBytesTest, WhatItHeldComesBackWithItsEnd) {
  ByteBudget budget(10);
  {
    ConnectionBytes bytes(budget, 10);
    ASSERT_EQ(bytes.Take(10), ConnectionBytes::Outcome::kTaken);
    ConnectionBytes other(budget, 10);
    EXPECT_EQ(other.Take(1), ConnectionBytes::Outcome::kBudgetShort);
  }
  EXPECT_EQ(budget.taken(), 0U);
}

}  // namespace
}  // namespace millrace
