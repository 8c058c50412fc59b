// Goal: errors are told as the manual says: by exit code, as a paragraph, as JSON.
#include "cli/error_report.h"

#include <gtest/gtest.h>

#include "cli/exit_code.h"

namespace millrace {
namespace {

TEST(ExitCodeTest, TableOfTheManual) {
  EXPECT_EQ(ExitCodeOf(ErrorCode::kInvalidArgument), ExitCode(2));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kNotFound), ExitCode(3));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kAlreadyExists), ExitCode(4));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kUnavailable), ExitCode(6));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kTimeout), ExitCode(6));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kCorruption), ExitCode(9));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kFenced), ExitCode(4));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kPermissionDenied), ExitCode(5));
  for (ErrorCode code : {ErrorCode::kOutOfRange, ErrorCode::kOutOfSpace, ErrorCode::kClosed, ErrorCode::kUnsupported,
                         ErrorCode::kInternal}) {
    EXPECT_EQ(ExitCodeOf(code), ExitCode(1));
  }
}

TEST(ErrorReportTest, OneParagraphAndTheSameAsJson) {
  Error error =
      Error(ErrorCode::kOutOfRange, "offset 7 is past the end", "Read from 0.").WithBounds({Offset(100), Offset(480)});
  EXPECT_EQ(ErrorReport(error, ErrorForm::kText), "millrace: offset 7 is past the end. Read from 0. [kOutOfRange]\n");
  EXPECT_EQ(ErrorReport(error, ErrorForm::kJson),
            "{\"error\":{\"code\":\"kOutOfRange\",\"kafka_code\":1,\"message\":\"offset 7 is past the end\","
            "\"hint\":\"Read from 0.\",\"retryable\":false,\"log_start\":100,\"log_end\":480}}\n");
}

TEST(ErrorReportTest, DamageIsNamedInJson) {
  Error error =
      Error(ErrorCode::kCorruption, "bad").WithDamage({{"t", PartitionId(1)}, Offset(5), Offset(9), "obj", 16, 32});
  std::string report = ErrorReport(error, ErrorForm::kJson);
  EXPECT_NE(
      report.find(
          R"("damage":{"topic":"t","partition":1,"begin":5,"end":9,"place":"obj","byte_begin":16,"byte_end":32})"),
      std::string::npos)
      << report;
}

}  // namespace
}  // namespace millrace
