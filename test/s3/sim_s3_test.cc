// Goal: the simulated S3 answers as S3 does, misbehaves as it is told, counts and prices what it was asked, and replays
// from its seed; a test on it is worth what these hold. Method: requests to the core, each answer looked at.
#include "test/s3/sim_s3.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/crc32c.h"
#include "test/s3/sim_s3_fixture.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using SimS3Test = SimS3Fixture;

TEST_F(SimS3Test, WhatWasPutIsGotBackWholeAndInRanges) {
  EXPECT_EQ(Ask("PUT", "/b/a/k.obj", "0123456789").status, 200);
  EXPECT_EQ(Text(Ask("GET", "/b/a/k.obj")), "0123456789");
  const auto range = [&](std::string_view text) {
    return Ask("GET", "/b/a/k.obj", {}, {{"range", std::string(text)}});
  };
  EXPECT_EQ(Text(range("bytes=2-4")), "234");
  EXPECT_EQ(range("bytes=2-4").status, 206);
  EXPECT_EQ(range("bytes=2-4").Header("content-range"), "bytes 2-4/10");
  EXPECT_EQ(Text(range("bytes=8-100")), "89");
  EXPECT_EQ(range("bytes=8-100").Header("content-range"), "bytes 8-9/10");
  EXPECT_EQ(Text(range("bytes=7-")), "789");
  EXPECT_EQ(Text(range("bytes=-2")), "89");
  EXPECT_EQ(range("bytes=10-12").status, 416);
  EXPECT_EQ(range("bytes=10-12").Header("content-range"), "bytes */10");
  EXPECT_EQ(Text(range("nonsense")), "0123456789");
}

TEST_F(SimS3Test, AHeadHasTheLengthAndNoBody) {
  Ask("PUT", "/b/k", "0123456789");
  const SimS3Reply head = Ask("HEAD", "/b/k");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.content_length, 10u);
  EXPECT_TRUE(head.body.empty());
  EXPECT_EQ(Ask("HEAD", "/b/none").status, 404);
  EXPECT_EQ(Between(Text(Ask("GET", "/b/none")), "Code"), "NoSuchKey");
  EXPECT_EQ(Between(Text(Ask("GET", "/none/k")), "Code"), "NoSuchBucket");
}

TEST_F(SimS3Test, PutIfAbsentIsATrait) {
  EXPECT_EQ(Ask("PUT", "/b/k", "first", {{"if-none-match", "*"}}).status, 200);
  EXPECT_EQ(Ask("PUT", "/b/k", "second", {{"if-none-match", "*"}}).status, 412);
  EXPECT_EQ(Text(Ask("GET", "/b/k")), "first");
  SimS3 careless(1, clock_, SimS3::PutIfAbsent::kIgnored);
  careless.CreateBucket("b");
  for (const std::string_view body : {"first", "second"}) {
    auto request = SimS3Request::Parse("PUT", "/b/k", {{"authorization", "x"}, {"if-none-match", "*"}},
                                       SharedBytes::Copy(AsBytes(body)));
    EXPECT_EQ(careless.Handle(*request).status, 200);
  }
  EXPECT_EQ(AsText(*careless.Object("b", "k")), "second");
}

TEST_F(SimS3Test, ChecksumsAreCheckedAndGiven) {
  const std::string right = ChecksumHeader(Crc32c(AsBytes("123456789")));
  EXPECT_EQ(right, "4waSgw==");  // 0xe3069283, the check value of CRC-32C
  EXPECT_EQ(Ask("PUT", "/b/k", "123456789", {{"x-amz-checksum-crc32c", right}}).status, 200);
  EXPECT_EQ(Between(Text(Ask("PUT", "/b/k", "damaged", {{"x-amz-checksum-crc32c", right}})), "Code"), "BadDigest");
  EXPECT_EQ(Ask("GET", "/b/k", {}, {{"x-amz-checksum-mode", "ENABLED"}}).Header("x-amz-checksum-crc32c"), right);
  EXPECT_EQ(Ask("GET", "/b/k").Header("x-amz-checksum-crc32c"), "");
}

TEST_F(SimS3Test, ListsGoOverPagesInOrder) {
  for (const std::string_view key : {"a/2", "a/1", "a-", "b", "a/3"}) Ask("PUT", "/b/" + std::string(key), key);
  std::vector<std::string> seen;
  std::string token;
  do {
    const std::string page = Text(Ask("GET", "/b?list-type=2&prefix=a&max-keys=2" +
                                                 (token.empty() ? "" : "&continuation-token=" + UrlEncoded(token))));
    for (std::size_t at = 0; const auto key = NextElement(page, "Key", &at);) seen.emplace_back(*key);
    token = Between(page, "IsTruncated") == "true" ? Between(page, "NextContinuationToken") : "";
  } while (!token.empty());
  EXPECT_EQ(seen, (std::vector<std::string>{"a-", "a/1", "a/2", "a/3"}));
  EXPECT_EQ(Between(Text(Ask("GET", "/b?list-type=2&prefix=zz")), "KeyCount"), "0");
}

TEST_F(SimS3Test, DeletesOneAndMany) {
  for (const std::string_view key : {"1", "2", "3"}) Ask("PUT", "/b/" + std::string(key), key);
  EXPECT_EQ(Ask("DELETE", "/b/1").status, 204);
  EXPECT_EQ(Ask("DELETE", "/b/1").status, 204);
  const std::string many = "<Delete><Object><Key>2</Key></Object><Object><Key>none</Key></Object></Delete>";
  EXPECT_EQ(Ask("POST", "/b?delete", many).status, 200);
  EXPECT_EQ(store_.objects("b"), 1u);
}

TEST_F(SimS3Test, KeysHaveTheirLimit) {
  EXPECT_EQ(Ask("PUT", "/b/" + std::string(1024, 'k'), "x").status, 200);
  EXPECT_EQ(Between(Text(Ask("PUT", "/b/" + std::string(1025, 'k'), "x")), "Code"), "KeyTooLongError");
}

TEST_F(SimS3Test, MultipartUploadsAreInvisibleUntilComplete) {
  const std::string id = Between(Text(Ask("POST", "/b/k?uploads")), "UploadId");
  const std::string big(5 << 20, 'x');
  EXPECT_EQ(Ask("PUT", "/b/k?partNumber=1&uploadId=" + id, big).status, 200);
  EXPECT_EQ(Ask("PUT", "/b/k?partNumber=2&uploadId=" + id, "tail").status, 200);
  EXPECT_EQ(Ask("GET", "/b/k").status, 404);
  const auto complete = [&](std::string_view parts) { return Ask("POST", "/b/k?uploadId=" + id, parts).status; };
  EXPECT_EQ(complete("<C><Part><PartNumber>1</PartNumber></Part><Part><PartNumber>3</PartNumber></Part></C>"), 400);
  EXPECT_EQ(complete("<C><Part><PartNumber>2</PartNumber></Part><Part><PartNumber>1</PartNumber></Part></C>"), 400);
  EXPECT_EQ(complete("<C><Part><PartNumber>1</PartNumber></Part><Part><PartNumber>2</PartNumber></Part></C>"), 200);
  EXPECT_EQ(Text(Ask("GET", "/b/k")), big + "tail");
  EXPECT_EQ(complete("<C><Part><PartNumber>1</PartNumber></Part></C>"), 404);
  const std::string other = Between(Text(Ask("POST", "/b/k?uploads")), "UploadId");
  EXPECT_EQ(store_.unfinished_uploads(), 1u);
  EXPECT_EQ(Ask("DELETE", "/b/k?uploadId=" + other).status, 204);
  EXPECT_EQ(store_.unfinished_uploads(), 0u);
}

TEST_F(SimS3Test, BothStylesOfAddressMeanTheSame) {
  Ask("PUT", "/b/a%20k", "x");
  EXPECT_EQ(Text(Ask("GET", "/a%20k", {}, {{"host", "b.s3.local:9000"}})), "x");
  EXPECT_FALSE(SimS3Request::Parse("GET", "/b/%zz", {}, {}));
  EXPECT_FALSE(SimS3Request::Parse("GET", "b/k", {}, {}));
}

TEST_F(SimS3Test, UnsignedOrBadlyTimedRequestsAreRefused) {
  EXPECT_EQ(Ask("GET", "/b/k", {}, {{"authorization", ""}}).status, 403);
  SimS3Behaviour skewed;
  skewed.clock_skew = std::chrono::minutes(20);
  store_.SetBehaviour(skewed);
  const SimS3Reply reply = Ask("PUT", "/b/k", "x", {{"x-amz-date", "20261121T160000Z"}});
  EXPECT_EQ(Between(Text(reply), "Code"), "RequestTimeTooSkewed");
  EXPECT_EQ(reply.Header("date"), "Sat, 21 Nov 2026 16:20:00 GMT");
  EXPECT_EQ(Ask("PUT", "/b/k", "x", {{"x-amz-date", "20261121T162000Z"}}).status, 200);
}

TEST_F(SimS3Test, EveryFaultIsWhatItSays) {
  const std::string body(1000, 'x');
  const auto meet = [&](S3Fault fault, std::string_view method, std::string_view target, std::string_view sent = {},
                        SimS3Request::Words headers = {}) {
    store_.FailRequest(1, fault);
    SimS3Reply reply = Ask(method, target, sent, std::move(headers));
    EXPECT_EQ(store_.fired(fault), 1u) << S3FaultName(fault);
    return reply;
  };
  EXPECT_EQ(meet(S3Fault::kSlowDown, "PUT", "/b/k", body).status, 503);
  EXPECT_EQ(meet(S3Fault::kTooMany, "PUT", "/b/k", body).status, 429);
  EXPECT_EQ(meet(S3Fault::kInternal, "PUT", "/b/k", body).status, 500);
  EXPECT_EQ(meet(S3Fault::kConflict, "PUT", "/b/k", body, {{"if-none-match", "*"}}).status, 409);
  EXPECT_EQ(meet(S3Fault::kClockSkew, "PUT", "/b/k", body).status, 403);
  EXPECT_EQ(meet(S3Fault::kResetBefore, "PUT", "/b/k", body).ending, SimS3Ending::kResetBeforeReply);
  EXPECT_EQ(store_.objects("b"), 0u);
  EXPECT_EQ(meet(S3Fault::kResetAfter, "PUT", "/b/k", body).ending, SimS3Ending::kResetBeforeReply);
  EXPECT_EQ(store_.objects("b"), 1u);
  EXPECT_EQ(meet(S3Fault::kUnanswered, "PUT", "/b/k2", body).first_byte, std::chrono::hours(1));
  EXPECT_EQ(store_.objects("b"), 2u);
  for (const auto& [fault, ending] : {std::pair(S3Fault::kResetInBody, SimS3Ending::kResetInBody),
                                      std::pair(S3Fault::kTruncated, SimS3Ending::kClosedInBody)}) {
    const SimS3Reply cut = meet(fault, "GET", "/b/k");
    EXPECT_EQ(cut.ending, ending);
    EXPECT_LT(cut.body.size(), body.size());
    EXPECT_EQ(cut.content_length, body.size());
  }
  const SimS3Reply shorter = meet(S3Fault::kShortRange, "GET", "/b/k", {}, {{"range", "bytes=0-99"}});
  EXPECT_LT(shorter.body.size(), 100u);
  EXPECT_EQ(shorter.content_length, shorter.body.size());
  const SimS3Reply wrong = meet(S3Fault::kWrongRange, "GET", "/b/k", {}, {{"range", "bytes=0-99"}});
  EXPECT_FALSE(wrong.Header("content-range").starts_with("bytes 0-"));
  EXPECT_NE(Text(meet(S3Fault::kFlippedBit, "GET", "/b/k")), body);
  EXPECT_EQ(Text(Ask("GET", "/b/k")), body);
  const SimS3Request::Words wants_checksum = {{"x-amz-checksum-mode", "ENABLED"}};
  EXPECT_NE(meet(S3Fault::kWrongChecksum, "GET", "/b/k", {}, wants_checksum).Header("x-amz-checksum-crc32c"),
            ChecksumHeader(Crc32c(AsBytes(body))));
  EXPECT_EQ(meet(S3Fault::kStall, "GET", "/b/k").stall, std::chrono::seconds(2));
  EXPECT_EQ(meet(S3Fault::kSlowGet, "GET", "/b/k").first_byte, std::chrono::seconds(2));
  Ask("PUT", "/b/new", "x");
  Ask("DELETE", "/b/k2");
  const std::string stale = Text(meet(S3Fault::kStaleList, "GET", "/b?list-type=2"));
  EXPECT_FALSE(stale.contains("<Key>new</Key>"));
  EXPECT_FALSE(stale.contains("<Key>k2</Key>"));  // its put is forgotten as well
}

TEST_F(SimS3Test, CountsAndPricesEveryRequest) {
  for (int i = 0; i < 3; ++i) Ask("PUT", "/b/k", "12345");
  for (int i = 0; i < 7; ++i) Ask("GET", "/b/k");
  Ask("HEAD", "/b/k");
  Ask("GET", "/b?list-type=2");
  Ask("DELETE", "/b/none");
  const std::string id = Between(Text(Ask("POST", "/b/m?uploads")), "UploadId");
  Ask("PUT", "/b/m?partNumber=1&uploadId=" + id, "1");
  Ask("DELETE", "/b/m?uploadId=" + id);
  store_.FailRequest(1, S3Fault::kSlowDown);
  Ask("GET", "/b/k");
  const SimS3Counts counts = store_.Counts();
  EXPECT_EQ(counts.of(S3Verb::kPut), 3u);
  EXPECT_EQ(counts.of(S3Verb::kGet), 8u);
  EXPECT_EQ(counts.of(S3Verb::kHead), 1u);
  EXPECT_EQ(counts.of(S3Verb::kList), 1u);
  EXPECT_EQ(counts.of(S3Verb::kDelete), 1u);
  EXPECT_EQ(counts.put_class(), 5u);
  EXPECT_EQ(counts.all(), 17u);
  EXPECT_EQ(counts.bytes_in, 16u);
  EXPECT_NEAR(counts.CostUsd(), 5 * 0.005 / 1000 + 1 * 0.005 / 1000 + 9 * 0.0004 / 1000, 1e-12);
}

TEST_F(SimS3Test, TheLogNormalTailHasItsMedian) {
  SimS3Behaviour behaviour;
  behaviour.first_byte = milliseconds(30);
  behaviour.first_byte_sigma = 0.5;
  store_.SetBehaviour(behaviour);
  std::vector<std::chrono::nanoseconds> seen;
  for (int i = 0; i < 2001; ++i) seen.push_back(Ask("GET", "/b/k").first_byte);
  std::ranges::sort(seen);
  EXPECT_GT(seen[1000], milliseconds(28));
  EXPECT_LT(seen[1000], milliseconds(32));
  EXPECT_GT(seen[1980], milliseconds(80));  // p99 = 30 ms * exp(0.5 * 2.33) = 96 ms
  EXPECT_LT(seen[1980], milliseconds(115));
}

TEST_F(SimS3Test, ASeedReplaysItsFaults) {
  const auto trace = [&](std::uint64_t seed) {
    SimS3 store(seed, clock_);
    store.CreateBucket("b");
    SimS3Behaviour behaviour;
    behaviour.first_byte = milliseconds(30);
    behaviour.first_byte_sigma = 0.5;
    for (std::size_t i = 0; i < kS3Faults; ++i) behaviour.Set(static_cast<S3Fault>(i), 50'000);
    store.SetBehaviour(behaviour);
    for (int i = 0; i < 300; ++i) {
      const std::string target = "/b/k" + std::to_string(i % 7);
      const std::string_view method = i % 3 == 0 ? "PUT" : "GET";
      store.Handle(*SimS3Request::Parse(method, target, {{"authorization", "x"}}, SharedBytes::Copy(AsBytes("body"))));
    }
    return store.trace_hash();
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

}  // namespace
}  // namespace millrace
