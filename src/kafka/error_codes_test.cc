// Goal: a client is told the number that makes it do the right thing, and a caller of ours likewise. Method: all codes.
#include "kafka/error_codes.h"

#include <gtest/gtest.h>

namespace millrace::kafka {
namespace {

TEST(ErrorCodesTest, CodesAreRetriedAsKafkaRetriesThem) {
  for (const std::int16_t retried : {2, 3, 5, 6, 7, 14, 15, 16, 51, 56, 70, 74, 75, 88, 100}) {
    ASSERT_NE(FindCode(retried), nullptr) << retried;
    EXPECT_TRUE(FindCode(retried)->retriable) << retried;
  }
  for (const std::int16_t fatal : {-1, 1, 8, 10, 17, 21, 22, 25, 27, 35, 36, 37, 42, 45, 47, 76, 87, 90}) {
    EXPECT_FALSE(FindCode(fatal)->retriable) << fatal;
  }
  EXPECT_EQ(FindCode(4000), nullptr);
  EXPECT_EQ(FindCode(code::kUnsupportedCompressionType)->name, "UNSUPPORTED_COMPRESSION_TYPE");
}

TEST(ErrorCodesTest, WhatMayBeRetriedIsRetriedByClients) {
  for (const ErrorCode ours : {ErrorCode::kUnavailable, ErrorCode::kTimeout, ErrorCode::kOutOfSpace}) {
    EXPECT_TRUE(FindCode(static_cast<std::int16_t>(KafkaCodeOf(ours)))->retriable) << ErrorCodeName(ours);
  }
  for (const ErrorCode ours : {ErrorCode::kInvalidArgument, ErrorCode::kAlreadyExists, ErrorCode::kOutOfRange,
                               ErrorCode::kUnsupported, ErrorCode::kInternal, ErrorCode::kPermissionDenied}) {
    EXPECT_FALSE(FindCode(static_cast<std::int16_t>(KafkaCodeOf(ours)))->retriable) << ErrorCodeName(ours);
  }
}

TEST(ErrorCodesTest, EveryErrorOfOursComesBackAsItself) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kOutOfSequence); ++i) {
    const auto ours = static_cast<ErrorCode>(i);
    const Error back = ErrorOfCode(static_cast<std::int16_t>(KafkaCodeOf(ours)), "topic t");
    if (ours == ErrorCode::kOutOfSpace || ours == ErrorCode::kClosed) {
      EXPECT_EQ(back.code(), ErrorCode::kUnavailable);  // of the server, whatever the cause
    } else {
      EXPECT_EQ(back.code(), ours) << ErrorCodeName(ours);
    }
  }
}

TEST(ErrorCodesTest, AnErrorFromAServerSaysWhatItIsAndWhetherToTryAgain) {
  const Error unknown = ErrorOfCode(3, "topic t");
  EXPECT_EQ(unknown.code(), ErrorCode::kNotFound);
  EXPECT_EQ(unknown.message(), "topic t: there is no such topic or partition here (3 UNKNOWN_TOPIC_OR_PARTITION)");
  EXPECT_TRUE(unknown.retryable());
  EXPECT_FALSE(ErrorOfCode(8, "t").retryable());  // kUnavailable with us, and yet nothing a client tries again
  EXPECT_EQ(ErrorOfCode(4000, "t").code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace millrace::kafka
