// Goal: limits of a thread are those of the scopes it is in, and are gone with them.
#include "millrace/request_scope.h"

#include <gtest/gtest.h>

#include <thread>

namespace millrace {
namespace {

using std::chrono::nanoseconds;

TEST(RequestScopeTest, TheNearerDeadlineCounts) {
  EXPECT_EQ(RequestScope::Current().deadline, nanoseconds::max());
  {
    const RequestScope outer({.deadline = nanoseconds(10)});
    const RequestScope inner({.deadline = nanoseconds(20)});
    EXPECT_EQ(RequestScope::Current().deadline, nanoseconds(10));
    const RequestScope nearer({.deadline = nanoseconds(5)});
    EXPECT_EQ(RequestScope::Current().deadline, nanoseconds(5));
  }
  EXPECT_EQ(RequestScope::Current().deadline, nanoseconds::max());
}

TEST(RequestScopeTest, AnInnerScopeWithoutAStopKeepsTheOuterOne) {
  std::stop_source source;
  const RequestScope outer({.stop = source.get_token()});
  const RequestScope inner({.deadline = nanoseconds(1)});
  source.request_stop();
  EXPECT_TRUE(RequestScope::Current().stop.stop_requested());
}

TEST(RequestScopeTest, AnotherThreadHasLimitsOfItsOwn) {
  const RequestScope scope({.deadline = nanoseconds(1)});
  std::jthread([] { EXPECT_EQ(RequestScope::Current().deadline, nanoseconds::max()); }).join();
}

}  // namespace
}  // namespace millrace
