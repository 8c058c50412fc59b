// Goal: a process that may open no more descriptors is told so, and its appends have not begun. Method: the limit of
// open files, lowered for a moment.
#include "cli/records/append_queue.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>

#include "client/local_log.h"
#include "env/temporary_directory.h"

namespace millrace {
namespace {

/// No further descriptor can be had while it lives.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(AppendQueueTest, WithoutADescriptorItIsAnErrorAndLaterItIsNot) {
  const TemporaryDirectory directory;
  auto engine = Engine::Open({.data_dir = directory.path()});
  ASSERT_TRUE(engine) << engine.error().ToString();
  ASSERT_TRUE((*engine)->CreateTopic("t"));
  LocalLog log(**engine);
  auto appender = log.OpenAppender(*log.DescribeTopic("t"), {});
  ASSERT_TRUE(appender) << appender.error().ToString();
  {
    const NoDescriptorsLeft none;
    const auto refused = AppendQueue::Make(**appender);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
    EXPECT_NE(refused.error().hint().find("ulimit -n"), std::string_view::npos) << refused.error().ToString();
  }
  auto queue = AppendQueue::Make(**appender);
  ASSERT_TRUE(queue) << queue.error().ToString();
  const std::array<Record, 1> records = {Record{.value = "a"}};
  (*queue)->Append({"t", PartitionId(0)}, records, 1);
  (*queue)->Wait();
  const auto answers = (*queue)->Take();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(answers.front()) << answers.front().error().ToString();
}

}  // namespace
}  // namespace millrace
