// Goal: a URL opens the store it names, or is refused with the right kind of error and no secret in it.
#include "store/open_object_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/temporary_directory.h"

namespace millrace {
namespace {

TEST(OpenObjectStoreTest, UrlsNameTheirStore) {
  const TemporaryDirectory directory;
  const std::string scratch = directory.path().string();
  PosixFileSystem file_system;
  SimClock clock;
  SeededRandom random(1);
  const std::filesystem::path data_dir = std::filesystem::path(scratch) / "data";
  EXPECT_EQ((*OpenObjectStore("file:", data_dir, file_system, clock, random))->Describe(),
            "file://" + (data_dir / "objects").string());
  EXPECT_EQ(
      (*OpenObjectStore("file://" + scratch + "/else where%20", data_dir, file_system, clock, random))->Describe(),
      "file://" + scratch + "/else where%20");
  EXPECT_TRUE(std::filesystem::is_directory(scratch + "/else where%20"));
  EXPECT_EQ((*OpenObjectStore("memory:", data_dir, file_system, clock, random))->Describe(), "memory:");
}

TEST(OpenObjectStoreTest, OthersAreRefused) {
  auto s3 = ObjectStoreKindOf("s3://bucket/prefix?secret=hunter2");
  EXPECT_EQ(s3.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s3.error().ToString().find("hunter2"), std::string::npos);
  for (const std::string_view url : {"", "file", "file:x", "file://host/path", "file:///", "memory", "memory:x",
                                     "https://user:hunter2@example.org/", "/path", "FILE:"}) {
    auto refused = ObjectStoreKindOf(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument) << url;
    EXPECT_EQ(refused.error().ToString().find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace
