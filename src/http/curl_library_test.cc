#include "http/curl_library.h"

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using testing::HasSubstr;

TEST(CurlLibraryTest, IsThereAndSaysWhatItsCodesMean) {
  ASSERT_TRUE(curl::Load());
  EXPECT_THAT(curl::easy_strerror(CURLE_COULDNT_CONNECT), HasSubstr("connect"));
}

TEST(CurlLibraryTest, ALibraryThatIsNotThereIsNamedWithWhatToInstall) {
  const auto loaded = curl::Load("libcurl-of-nobody.so.4");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(loaded.error().ToString(), testing::AllOf(HasSubstr("libcurl-of-nobody.so.4"), HasSubstr("libcurl4")));
}

TEST(CurlLibraryTest, ALibraryThatLacksAFunctionIsRefusedByTheFunctionsName) {
  const auto loaded = curl::Load("libz.so.1");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(loaded.error().message(), HasSubstr("curl_global_init"));
}

}  // namespace
}  // namespace millrace
