// A directory that is there, empty and its owner's alone while that lives, and gone afterwards with what lies in it.
#include "env/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <utility>

namespace millrace {
namespace {

TEST(TemporaryDirectoryTest, GoesWithItsLastOwnerAndAllThatLiesInIt) {
  std::filesystem::path path;
  {
    TemporaryDirectory first;
    const TemporaryDirectory other;
    path = first.path();
    EXPECT_NE(path, other.path());
    EXPECT_TRUE(std::filesystem::is_empty(path));
    const TemporaryDirectory moved = std::move(first);
    EXPECT_EQ(moved.path(), path);
    std::filesystem::create_directories(path / "a" / "b");
    std::ofstream(path / "a" / "file") << "text";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryDirectoryTest, ParentsAreMadeOrTheErrorNamesThem) {
  const TemporaryDirectory ground;
  const auto below = TemporaryDirectory::In(ground.path() / "x" / "y");
  ASSERT_TRUE(below) << below.error().ToString();
  EXPECT_EQ(below->path().parent_path(), ground.path() / "x" / "y");
  std::ofstream(ground.path() / "file") << "text";
  const auto refused = TemporaryDirectory::In(ground.path() / "file");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().ToString().find((ground.path() / "file").string()), std::string::npos);
}

}  // namespace
}  // namespace millrace
