// Goal: in virtual time an exchange takes first byte + bytes / bandwidth, to the nanosecond; races, deadlines and
// broken connections come out as on a real network. Method: exchanges on a simulated clock, which is read before and
// after.
#include "test/s3/sim_s3_transport.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class SimS3TransportTest : public testing::Test {
 protected:
  SimS3TransportTest() {
    store_.CreateBucket("b");
    behaviour_.first_byte = milliseconds(30);
    behaviour_.bytes_per_second = 80'000'000;
    body_ = SharedBytes::Copy(AsBytes(std::string(8'000'000, 'x')));
    EXPECT_EQ(Send(HttpMethod::kPut)->status, 200);
    store_.SetBehaviour(behaviour_);
  }
  HttpRequest Request(HttpMethod method) const {
    HttpRequest request{.method = method, .tls = false, .host = "127.0.0.1", .port = 9000, .target = "/b/k"};
    request.headers.push_back({"authorization", "x"});
    if (method == HttpMethod::kPut) request.body = std::span(&body_, 1);
    if (method == HttpMethod::kGet) request.part_lengths = parts_;
    return request;
  }
  Result<HttpResponse> Send(HttpMethod method) { return transport_.Send(Request(method)); }
  /// What the call moved the clock by.
  template <class Call>
  nanoseconds Took(Call&& call) {
    const nanoseconds before = clock_.Monotonic();
    call();
    return clock_.Monotonic() - before;
  }
  Result<HttpResponse> Race(bool allowed = true) {
    return transport_.Race(Request(HttpMethod::kGet), {.after = milliseconds(200), .allowed = [=] { return allowed; }});
  }

  SimClock clock_;
  SimS3 store_{1, clock_};
  SimS3Transport transport_{store_, clock_};
  SimS3Behaviour behaviour_;
  SharedBytes body_;
  std::vector<std::uint64_t> parts_ = {8'000'000};
};

TEST_F(SimS3TransportTest, TimeIsFirstBytePlusBytesByBandwidth) {
  EXPECT_EQ(Took([&] { EXPECT_EQ(Send(HttpMethod::kGet)->body_bytes, 8'000'000u); }), milliseconds(130));
  EXPECT_EQ(Took([&] { EXPECT_EQ(Send(HttpMethod::kPut)->status, 200); }), milliseconds(130));
  EXPECT_EQ(Took([&] { EXPECT_EQ(Send(HttpMethod::kHead)->Header("content-length"), "8000000"); }), milliseconds(30));
  store_.FailRequest(1, S3Fault::kStall);
  EXPECT_EQ(Took([&] { EXPECT_TRUE(Send(HttpMethod::kGet)); }), milliseconds(2'130));
}

TEST_F(SimS3TransportTest, BodiesComeInPartsAndNoFurther) {
  parts_ = {3, 0, 5};
  const auto got = Send(HttpMethod::kGet);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->parts.size(), 3u);
  EXPECT_EQ(got->body_bytes, 8u);
  EXPECT_TRUE(got->overlong);
  parts_ = {8'000'000, 7};
  EXPECT_EQ(Send(HttpMethod::kGet)->parts.size(), 2u);
  EXPECT_FALSE(Send(HttpMethod::kGet)->overlong);
}

TEST_F(SimS3TransportTest, BrokenConnectionsAreErrorsAndStatusesAreNot) {
  for (const S3Fault fault :
       {S3Fault::kResetBefore, S3Fault::kResetAfter, S3Fault::kResetInBody, S3Fault::kTruncated}) {
    store_.FailRequest(1, fault);
    const auto got = Send(HttpMethod::kGet);
    ASSERT_FALSE(got) << S3FaultName(fault);
    EXPECT_EQ(got.error().code(), ErrorCode::kUnavailable);
  }
  store_.FailRequest(1, S3Fault::kSlowDown);
  EXPECT_EQ(Send(HttpMethod::kGet)->status, 503);
}

TEST_F(SimS3TransportTest, DeadlinesEndTheWaitButNotTheEffect) {
  HttpRequest request = Request(HttpMethod::kGet);
  request.deadline = clock_.Monotonic() + milliseconds(50);
  const auto late = [&] {
    const auto got = transport_.Send(request);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::kTimeout);
  };
  EXPECT_EQ(Took(late), milliseconds(50));
  store_.FailRequest(1, S3Fault::kUnanswered);
  EXPECT_EQ(Took([&] { EXPECT_EQ(Send(HttpMethod::kPut).error().code(), ErrorCode::kTimeout); }),
            std::chrono::seconds(30));
}

TEST_F(SimS3TransportTest, ASlowGetIsOvertakenByItsSecond) {
  store_.FailRequest(1, S3Fault::kSlowGet);
  Result<HttpResponse> got = HttpResponse{};
  EXPECT_EQ(Took([&] { got = Race(); }), milliseconds(200 + 130));
  EXPECT_TRUE(got->hedged && got->hedge_won);
  EXPECT_EQ(Took([&] { got = Race(); }), milliseconds(130));
  EXPECT_FALSE(got->hedged);
  store_.FailRequest(1, S3Fault::kSlowGet);
  EXPECT_EQ(Took([&] { got = Race(false); }), milliseconds(2'130));
  EXPECT_FALSE(got->hedged);
}

TEST_F(SimS3TransportTest, ABadSecondDoesNotEndTheRace) {
  SimS3Behaviour slow = behaviour_;
  slow.first_byte = milliseconds(250);
  store_.SetBehaviour(slow);
  store_.FailRequest(2, S3Fault::kSlowDown);
  const auto got = Race();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, 200);
  EXPECT_TRUE(got->hedged);
  EXPECT_FALSE(got->hedge_won);
}

}  // namespace
}  // namespace millrace
