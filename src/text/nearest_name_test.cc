// Goal: a slip of the finger finds the name that was meant, anything else finds none.
#include "text/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace {
namespace {

TEST(NearestNameTest, OnlyWhatIsNear) {
  std::vector<std::string_view> known{"consume", "produce", "tail"};
  EXPECT_EQ(NearestName("consmue", known), "consume");
  EXPECT_EQ(NearestName("tial", known), "tail");
  EXPECT_EQ(NearestName("xyz", known), std::nullopt);
}

}  // namespace
}  // namespace millrace
