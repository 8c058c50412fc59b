// Which names a group may have.
#include "meta/group_name.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

TEST(GroupNameTest, AnyTextOfUpTo249BytesWithoutControlBytes) {
  EXPECT_TRUE(CheckGroupName("a group, with anything: \xc3\xa4/.."));
  for (const std::string& bad : {std::string(), std::string(250, 'g'), std::string("a\0b", 3), std::string("a\nb")})
    EXPECT_FALSE(CheckGroupName(bad));
}

}  // namespace
}  // namespace millrace
