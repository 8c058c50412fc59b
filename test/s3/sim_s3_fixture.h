// Requests to a simulated S3 as short as a test wants them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "env/sim/sim_clock.h"
#include "test/s3/sim_s3.h"

namespace millrace {

class SimS3Fixture : public testing::Test {
 protected:
  SimS3Fixture() { store_.CreateBucket("b"); }

  SimS3Reply Ask(std::string_view method, std::string_view target, std::string_view body = {},
                 SimS3Request::Words headers = {}) {
    headers.try_emplace("authorization", "AWS4-HMAC-SHA256 …");
    auto request = SimS3Request::Parse(method, target, std::move(headers), SharedBytes::Copy(AsBytes(body)));
    EXPECT_TRUE(request);
    return store_.Handle(*request);
  }
  static std::string Text(const SimS3Reply& reply) { return std::string(AsText(reply.body)); }
  static std::string Between(std::string_view text, std::string_view element) {
    std::size_t at = 0;
    return std::string(NextElement(text, element, &at).value_or("none"));
  }

  SimClock clock_{1'795'276'800'000};
  SimS3 store_{1, clock_};
};

}  // namespace millrace
