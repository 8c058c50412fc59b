// Goal: an Error keeps its code on the way up, gains context, and prints as the command line shows it; Result and its
// two macros pass errors on. Method: by example. Also hexadecimal text.
#include "millrace/result.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/hex.h"
#include "base/try.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

TEST(ErrorTest, PrintsMessageHintAndCode) {
  const Error error(ErrorCode::kNotFound, "no topic 'orders'", "Create it with: millrace topic create orders");
  EXPECT_EQ(error.ToString(), "no topic 'orders'. Create it with: millrace topic create orders [kNotFound]");
  EXPECT_EQ(Error(ErrorCode::kClosed, "closed").ToString(), "closed. [kClosed]");
}

TEST(ErrorTest, CopiesChangeOneThingAndKeepTheCode) {
  const Error error(ErrorCode::kOutOfRange, "offset 7");
  const Error changed =
      error.WithContext("partition t-0").WithHint("hint").WithBounds({Offset(1), Offset(5)}).WithRetryable(true);
  EXPECT_EQ(changed.code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(changed.message(), "partition t-0: offset 7");
  EXPECT_EQ(changed.hint(), "hint");
  EXPECT_EQ(changed.bounds(), (OffsetBounds{Offset(1), Offset(5)}));
  EXPECT_TRUE(changed.retryable());
  EXPECT_EQ(error.message(), "offset 7");
  EXPECT_EQ(error.bounds(), std::nullopt);
  EXPECT_FALSE(error.retryable());
}

TEST(ErrorTest, DamageIsKept) {
  const DamagedRange damage{{"t", PartitionId(0)}, Offset(1), Offset(5), "wal/1", 10, 20};
  const Error error = Error(ErrorCode::kCorruption, "bad CRC").WithDamage(damage).WithContext("read");
  ASSERT_NE(error.damage(), nullptr);
  EXPECT_EQ(*error.damage(), damage);
  EXPECT_EQ(Error(ErrorCode::kCorruption, "x").damage(), nullptr);
}

TEST(ErrorTest, OnlyTheOtherSideIsWorthARetry) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const auto value = static_cast<ErrorCode>(code);
    const bool expected = value == ErrorCode::kUnavailable || value == ErrorCode::kTimeout;
    EXPECT_EQ(Error(value, "x").retryable(), expected) << ErrorCodeName(value);
  }
}

Result<std::unique_ptr<int>> Make(bool good) {
  if (!good) return Error(ErrorCode::kInternal, "not good");
  return std::make_unique<int>(5);
}

Result<int> Use(bool first_good, bool second_good) {
  MR_ASSIGN_OR_RETURN(auto number, Make(first_good));
  MR_TRY(Make(second_good));
  return *number;
}

TEST(ResultTest, MacrosPassErrorsOnAndMoveValues) {
  EXPECT_EQ(*Use(true, true), 5);
  EXPECT_EQ(Use(false, true).error().message(), "not good");
  EXPECT_EQ(Use(true, false).error().code(), ErrorCode::kInternal);
}

TEST(HexTest, RoundTripsEveryByteAndRefusesOtherText) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string digits = ToHex(AsBytes(all));
  EXPECT_EQ(digits.substr(0, 6), "000102");
  EXPECT_EQ(digits.substr(510), "ff");
  const auto back = FromHex(digits);
  ASSERT_TRUE(back);
  EXPECT_EQ(AsText(*back), all);
  EXPECT_EQ(AsText(*FromHex("4D6d")), "Mm");
  EXPECT_FALSE(FromHex("abc"));
  EXPECT_FALSE(FromHex("0g"));
  EXPECT_FALSE(FromHex("-1"));
}

}  // namespace
}  // namespace millrace
