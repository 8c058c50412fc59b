#include "http/curl_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/curl_transport.h"

namespace millrace {
namespace {

using testing::HasSubstr;

TEST(CurlLibraryTest, IsThereAndSaysWhatItsCodesMean) {
  ASSERT_TRUE(CurlTransport::Available());
  EXPECT_THAT(Curl().easy_strerror(CURLE_COULDNT_CONNECT), HasSubstr("connect"));
}

TEST(CurlLibraryTest, ALibraryThatIsNotThereIsNamedWithWhatToInstall) {
  const auto loaded = LoadCurlFrom("libcurl-of-nobody.so.4");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(loaded.error().ToString(), testing::AllOf(HasSubstr("libcurl-of-nobody.so.4"), HasSubstr("libcurl4")));
}

TEST(CurlLibraryTest, ALibraryThatLacksAFunctionIsRefusedByTheFunctionsName) {
  const auto loaded = LoadCurlFrom("libz.so.1");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(loaded.error().message(), HasSubstr("curl_global_init"));
}

}  // namespace
}  // namespace millrace
