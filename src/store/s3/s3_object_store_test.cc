// Goal: every answer S3 can give, and every one it should not, becomes right bytes or a typed error; a put without an
// answer is settled by looking (rules 9 and 12 of the reliability page, B76, B79). Method: a transport whose answers
// the test chooses.
#include "store/s3/s3_object_store.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "env/sim/sim_clock.h"
#include "http/fake_http_transport.h"
#include "millrace/request_scope.h"
#include "store/object_pieces.h"
#include "store/s3/digest.h"
#include "store/s3/s3_settings.h"

namespace millrace {
namespace {

using Sent = FakeHttpTransport::Sent;

std::string CrcOf(std::string_view text) { return CrcBase64(Crc32c(AsBytes(text))); }

std::string RefusalXml(std::string_view code, std::string_view more = "") {
  return "<?xml version=\"1.0\"?><Error><Code>" + std::string(code) + "</Code><Message>told</Message>" +
         std::string(more) + "</Error>";
}

class S3ObjectStoreTest : public testing::Test {
 protected:
  S3ObjectStore Open(FakeHttpTransport::Answering answering, std::string_view url = kUrl) {
    transport_ = std::make_shared<FakeHttpTransport>(std::move(answering));
    S3Settings settings = *ParseS3Url(url);
    settings.single_put_bytes_max = single_put_bytes_max_;
    settings.multipart_part_bytes = 4;
    settings.breaker.failures_max = breaker_failures_max_;
    auto credentials = std::make_shared<FixedAwsCredentials>(
        AwsCredentials{"AKID", Secret("canary-secret"), Secret("canary-token"), {}});
    return {std::move(settings), transport_, std::move(credentials), clock_};
  }
  static Result<void> Put(ObjectStore& store, std::string_view key, std::string_view text,
                          PutMode mode = PutMode::kOverwrite) {
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    return store.Put(key, std::span(&bytes, 1), mode);
  }
  // "ok" or the code, with a star if it may be retried.
  template <class T>
  static std::string Told(const Result<T>& result) {
    if (result) return "ok";
    return std::string(ErrorCodeName(result.error().code())) + (result.error().retryable() ? "*" : "");
  }
  static std::string GetTold(ObjectStore& store, ByteRange range) {
    auto got = store.Get("k", range);
    return got ? std::string(AsText(*got)) : Told(got);
  }

  static constexpr std::string_view kUrl = "s3://bucket/pre?endpoint=http://127.0.0.1:9000&region=eu-west-3";
  SimClock clock_;
  std::uint64_t single_put_bytes_max_ = 1 << 20;
  std::uint32_t breaker_failures_max_ = 1'000;
  std::shared_ptr<FakeHttpTransport> transport_;
};

TEST_F(S3ObjectStoreTest, ARequestIsAddressedSignedAndChecksummed) {
  auto store = Open([](const Sent&) { return FakeAnswer{}; });
  ASSERT_TRUE(Put(store, "a/b.obj", "hello", PutMode::kIfAbsent));
  const Sent put = transport_->sent().front();
  EXPECT_EQ(put.method, HttpMethod::kPut);
  EXPECT_EQ(put.target, "/bucket/pre/a/b.obj");
  EXPECT_EQ(put.body, "hello");
  EXPECT_EQ(put.Header("host"), "127.0.0.1:9000");
  EXPECT_EQ(put.Header("if-none-match"), "*");
  EXPECT_EQ(put.Header("x-amz-checksum-crc32c"), CrcOf("hello"));
  EXPECT_EQ(put.Header("x-amz-content-sha256"), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_TRUE(put.Header("authorization")
                  .starts_with("AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-3/s3/aws4_request, SignedHeaders="
                               "host;if-none-match;x-amz-checksum-crc32c;x-amz-content-sha256;x-amz-date;"
                               "x-amz-security-token, Signature="));
}

TEST_F(S3ObjectStoreTest, OverTlsTheBodyIsNotHashedAndTheBucketIsInTheHost) {
  auto store = Open([](const Sent&) { return FakeAnswer{}; }, "s3://bucket?region=eu-west-3");
  ASSERT_TRUE(Put(store, "k", "hello"));
  const Sent put = transport_->sent().front();
  EXPECT_EQ(put.host, "bucket.s3.eu-west-3.amazonaws.com");
  EXPECT_EQ(put.Header("host"), "bucket.s3.eu-west-3.amazonaws.com");
  EXPECT_EQ(put.target, "/k");
  EXPECT_EQ(put.Header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
}

TEST_F(S3ObjectStoreTest, ARangeThatIsTheOneAskedForIsServed) {
  FakeAnswer answer;
  auto store = Open([&](const Sent&) { return answer; });
  answer = {206, {{"content-range", "bytes 2-4/10"}}, "234"};
  EXPECT_EQ(GetTold(store, {2, 3}), "234");
  EXPECT_EQ(transport_->sent().back().Header("range"), "bytes=2-4");
  answer = {206, {{"content-range", "bytes 8-9/10"}}, "89"};
  EXPECT_EQ(GetTold(store, {8, 5}), "89");  // cut at the end
  answer = {206, {{"content-range", "bytes 8-9/*"}}, "89"};
  EXPECT_EQ(GetTold(store, {8, 2}), "89");
  answer = {200, {}, "0123"};
  EXPECT_EQ(GetTold(store, {0, 10}), "0123");  // all of it, though not as a range
  answer = {416, {}, RefusalXml("InvalidRange")};
  EXPECT_EQ(GetTold(store, {10, 1}), "kOutOfRange");
  answer = {404, {}, RefusalXml("NoSuchKey")};
  EXPECT_EQ(GetTold(store, {0, 1}), "kNotFound");
  answer = {206, {{"content-range", "bytes 1-8/10"}}, "12345678"};
  const std::uint64_t lengths[] = {3, 0, 5};
  const auto parts = store.GetParts("k", 1, lengths);
  ASSERT_TRUE(parts);
  EXPECT_EQ(AsText((*parts)[0]), "123");
  EXPECT_TRUE((*parts)[1].empty());
  EXPECT_EQ(AsText((*parts)[2]), "45678");
}

TEST_F(S3ObjectStoreTest, ABodyThatIsNotWhatWasAskedForIsAnErrorToRetry) {
  FakeAnswer answer;
  auto store = Open([&](const Sent&) { return answer; });
  const struct {
    const char* name;
    FakeAnswer answer;
  } cases[] = {
      {"short", {206, {{"content-range", "bytes 2-4/10"}}, "23"}},
      {"overlong", {206, {{"content-range", "bytes 2-4/10"}}, "2345"}},
      {"another begin", {206, {{"content-range", "bytes 3-5/10"}}, "345"}},
      {"less, though there is more", {206, {{"content-range", "bytes 2-3/10"}}, "23"}},
      {"more", {206, {{"content-range", "bytes 2-5/10"}}, "2345"}},
      {"no range", {206, {}, "234"}},
      {"a range that is none", {206, {{"content-range", "bytes 4-2/10"}}, "234"}},
      {"a range past the total", {206, {{"content-range", "bytes 2-4/4"}}, "234"}},
      {"the range ignored", {200, {}, "012"}},
      {"no content", {204, {}, ""}},
      {"server error", {500, {}, RefusalXml("InternalError")}},
      {"slow down", {503, {}, RefusalXml("SlowDown")}},
      {"too many", {429, {}, ""}},
      {"a proxy's page", {502, {}, "<html><body>Bad Gateway"}},
  };
  for (const auto& one : cases) {
    answer = one.answer;
    EXPECT_EQ(GetTold(store, {2, 3}), "kUnavailable*") << one.name;
  }
  answer = {408, {}, RefusalXml("RequestTimeout")};
  EXPECT_EQ(GetTold(store, {2, 3}), "kTimeout*");
}

TEST_F(S3ObjectStoreTest, TheChecksumOfAWholeObjectIsVerified) {
  FakeAnswer answer{206, {{"content-range", "bytes 0-4/5"}, {"x-amz-checksum-crc32c", CrcOf("hello")}}, "hello"};
  auto store = Open([&](const Sent&) { return answer; });
  EXPECT_EQ(GetTold(store, {0, 100}), "hello");
  answer.body = "hellO";
  EXPECT_EQ(GetTold(store, {0, 100}), "kUnavailable*");
  // One of parts, or of an object of which this is a piece, says nothing about these bytes.
  answer.headers = {{"content-range", "bytes 0-4/5"}, {"x-amz-checksum-crc32c", CrcOf("other") + "-2"}};
  EXPECT_EQ(GetTold(store, {0, 100}), "hellO");
  answer.headers = {{"content-range", "bytes 0-4/9"}, {"x-amz-checksum-crc32c", CrcOf("other")}};
  EXPECT_EQ(GetTold(store, {0, 5}), "hellO");
}

TEST_F(S3ObjectStoreTest, AnEmptyRangeAsksHowLargeTheObjectIs) {
  std::string size = "10";
  auto store = Open([&](const Sent& sent) {
    EXPECT_EQ(sent.method, HttpMethod::kHead);
    return FakeAnswer{200, {{"content-length", size}, {"last-modified", "Sun, 30 Aug 2015 12:36:00 GMT"}}, ""};
  });
  EXPECT_EQ(GetTold(store, {4, 0}), "");
  EXPECT_EQ(GetTold(store, {10, 0}), "kOutOfRange");
  EXPECT_EQ(GetTold(store, {UINT64_MAX, 1}), "kOutOfRange");
  const auto head = store.Head("k");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->size_bytes, 10u);
  EXPECT_EQ(head->modified_ms, 1'440'938'160'000);
  size = "x";
  EXPECT_EQ(Told(store.Head("k")), "kUnavailable*");
}

TEST_F(S3ObjectStoreTest, RefusalsSayWhatToDo) {
  FakeAnswer answer;
  auto store = Open([&](const Sent&) { return answer; });
  answer = {403, {{"date", "Tue, 14 Nov 2023 22:24:59 GMT"}}, RefusalXml("RequestTimeTooSkewed")};
  auto skewed = store.Get("k", {0, 1});
  EXPECT_EQ(Told(skewed), "kUnavailable*");
  EXPECT_NE(skewed.error().message().find("its clock is 22:24:59Z, ours 22:13:20Z"), std::string_view::npos)
      << skewed.error().message();
  EXPECT_NE(skewed.error().hint().find("Set the clock"), std::string_view::npos);
  answer = {403, {}, RefusalXml("InvalidAccessKeyId")};
  auto unknown = store.Get("k", {0, 1});
  EXPECT_EQ(Told(unknown), "kPermissionDenied");
  EXPECT_NE(unknown.error().hint().find("AWS_ACCESS_KEY_ID"), std::string_view::npos);
  answer = {403, {}, RefusalXml("ExpiredToken")};
  EXPECT_EQ(Told(store.Get("k", {0, 1})), "kUnavailable*");  // with new credentials
  for (const FakeAnswer& redirect :
       {FakeAnswer{301, {{"x-amz-bucket-region", "ap-south-1"}}, RefusalXml("PermanentRedirect")},
        FakeAnswer{307, {{"x-amz-bucket-region", "ap-south-1"}}, ""},
        FakeAnswer{400, {}, RefusalXml("AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>")}}) {
    answer = redirect;
    auto elsewhere = store.Get("k", {0, 1});
    EXPECT_EQ(Told(elsewhere), "kInvalidArgument");
    EXPECT_NE(elsewhere.error().hint().find("region=ap-south-1"), std::string_view::npos);
  }
  answer = {307, {}, RefusalXml("TemporaryRedirect", "<Endpoint>b.s3.example</Endpoint>")};
  auto for_now = store.Get("k", {0, 1});
  EXPECT_EQ(Told(for_now), "kUnavailable*");
  EXPECT_NE(for_now.error().hint().find("b.s3.example"), std::string_view::npos);
  answer = {404, {}, RefusalXml("NoSuchBucket")};
  EXPECT_NE(store.Get("k", {0, 1}).error().message().find("no such bucket"), std::string_view::npos);
  EXPECT_EQ(Told(store.Delete("k")), "kInvalidArgument");  // kNotFound would say that the object is not there
}

TEST_F(S3ObjectStoreTest, APutIfAbsentOnATakenKeyIsRefused) {
  FakeAnswer put{412, {}, RefusalXml("PreconditionFailed")}, head{404, {}, ""};
  auto store = Open([&](const Sent& sent) { return sent.method == HttpMethod::kHead ? head : put; });
  EXPECT_EQ(Told(Put(store, "k", "x", PutMode::kIfAbsent)), "kAlreadyExists");
  put.status = 409;
  EXPECT_EQ(Told(Put(store, "k", "x", PutMode::kIfAbsent)), "kUnavailable*");  // a race that no put won
  head = {200, {{"content-length", "1"}}, ""};
  EXPECT_EQ(Told(Put(store, "k", "x", PutMode::kIfAbsent)), "kAlreadyExists");
}

TEST_F(S3ObjectStoreTest, APutWithoutAnAnswerIsSettledByLooking) {
  Result<FakeAnswer> put = Error(ErrorCode::kTimeout, "no answer");
  FakeAnswer head;
  auto store =
      Open([&](const Sent& sent) { return sent.method == HttpMethod::kHead ? Result<FakeAnswer>(head) : put; });
  const auto both = [&] {
    return Told(Put(store, "k", "hello")) + " " + Told(Put(store, "k", "hello", PutMode::kIfAbsent));
  };
  head = {404, {}, ""};
  EXPECT_EQ(both(), "kTimeout* kTimeout*");  // not there, or not yet
  head = {200, {{"content-length", "5"}, {"x-amz-checksum-crc32c", CrcOf("hello")}}, ""};
  EXPECT_EQ(both(), "ok ok");
  head = {200, {{"content-length", "5"}, {"x-amz-checksum-crc32c", CrcOf("other")}}, ""};
  EXPECT_EQ(both(), "kTimeout* kAlreadyExists");
  head = {200, {{"content-length", "4"}}, ""};
  EXPECT_EQ(both(), "kTimeout* kAlreadyExists");
  head = {200, {{"content-length", "5"}}, ""};
  EXPECT_EQ(both(), "kTimeout* kTimeout*");  // cannot be told
  head = {500, {}, ""};
  EXPECT_EQ(both(), "kTimeout* kTimeout*");
  put = FakeAnswer{500, {}, RefusalXml("InternalError")};
  head = {200, {{"content-length", "5"}, {"x-amz-checksum-crc32c", CrcOf("hello")}}, ""};
  EXPECT_EQ(both(), "ok ok");
  // Throttled means not done: the store does not ask.
  put = FakeAnswer{503, {}, RefusalXml("SlowDown")};
  const std::size_t before = transport_->sent().size();
  EXPECT_EQ(both(), "kUnavailable* kUnavailable*");
  EXPECT_EQ(transport_->sent().size(), before + 2);
}

TEST_F(S3ObjectStoreTest, AStoreThatReceivedOtherBytesIsToldAgain) {
  auto store = Open([&](const Sent&) { return FakeAnswer{200, {{"x-amz-checksum-crc32c", CrcOf("hellO")}}, ""}; });
  EXPECT_EQ(Told(Put(store, "k", "hello")), "kUnavailable*");
}

TEST_F(S3ObjectStoreTest, ListingsAreReadOverPagesAndForeignNamesLeftOut) {
  const std::string page =
      "<ListBucketResult "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Contents><Key>pre/a/one.obj</Key><Size>7</Size>"
      "<LastModified>2015-08-30T12:36:00.000Z</LastModified></Contents><Contents><Key>pre/a/</Key><Size>0</Size></"
      "Contents>"
      "<Contents><Key>pre/a/&lt;odd&gt;</Key><Size>0</Size></Contents><IsTruncated>true</IsTruncated>"
      "<NextContinuationToken>to=ken</NextContinuationToken></ListBucketResult>";
  FakeAnswer answer{200, {}, page};
  auto store = Open([&](const Sent&) { return answer; });
  auto listed = store.List("a", "", 3);
  ASSERT_TRUE(listed) << listed.error().ToString();
  EXPECT_EQ(transport_->sent().back().target, "/bucket?list-type=2&max-keys=3&prefix=pre%2Fa");
  ASSERT_EQ(listed->objects.size(), 1u);
  EXPECT_EQ(listed->objects[0].key, "a/one.obj");
  EXPECT_EQ(listed->objects[0].size_bytes, 7u);
  EXPECT_EQ(listed->objects[0].modified_ms, 1'440'938'160'000);
  EXPECT_EQ(listed->next, "to=ken");
  EXPECT_EQ(Told(store.List("a", "to=ken", 2)), "kUnavailable*");  // more than asked
  EXPECT_EQ(transport_->sent().back().target,
            "/bucket?continuation-token=to%3Dken&list-type=2&max-keys=2&prefix=pre%2Fa");
  EXPECT_EQ(Told(store.List("b", "", 3)), "kUnavailable*");  // keys that were not asked for
  EXPECT_EQ(Told(store.List("a", "", 0)), "kInvalidArgument");
  // A failed or short listing is never an empty one.
  for (const std::string& broken :
       {std::string(), page.substr(0, page.size() / 2), std::string("<html/>"),
        std::string("<ListBucketResult></ListBucketResult>"),
        std::string("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"),
        std::string("<ListBucketResult><Contents><Key>pre/a</Key></Contents><IsTruncated>false</IsTruncated>"
                    "</ListBucketResult>"),
        RefusalXml("InternalError")}) {
    answer = {200, {}, broken};
    EXPECT_EQ(Told(store.List("a", "", 9)), "kUnavailable*") << broken;
  }
}

TEST_F(S3ObjectStoreTest, ManyAreDeletedInOneRequest) {
  FakeAnswer batch{200, {}, "<DeleteResult></DeleteResult>"};
  auto store =
      Open([&](const Sent& sent) { return sent.method == HttpMethod::kPost ? batch : FakeAnswer{204, {}, ""}; });
  std::vector<std::string> keys;
  for (int i = 0; i < 1001; ++i) keys.push_back("k" + std::to_string(i));
  EXPECT_EQ(Told(store.DeleteMany(keys)), "ok");
  ASSERT_EQ(transport_->sent().size(), 2u);
  EXPECT_EQ(transport_->sent()[0].target, "/bucket?delete=");
  EXPECT_NE(transport_->sent()[0].body.find("<Key>pre/k999</Key>"), std::string::npos);
  EXPECT_FALSE(transport_->sent()[0].Header("content-md5").empty());
  EXPECT_EQ(transport_->sent()[1].target, "/bucket/pre/k1000");
  batch.body = "<DeleteResult><Error><Key>pre/k3</Key><Code>InternalError</Code></Error></DeleteResult>";
  EXPECT_EQ(Told(store.DeleteMany(keys)), "kUnavailable*");
  batch = {501, {}, ""};  // a store without batches
  keys.resize(3);
  const std::size_t before = transport_->sent().size();
  EXPECT_EQ(Told(store.DeleteMany(keys)), "ok");
  EXPECT_EQ(transport_->sent().size(), before + 4);
}

TEST_F(S3ObjectStoreTest, WhatIsTooLargeForOnePutGoesInParts) {
  single_put_bytes_max_ = 4;
  std::string etag = "\"e\"";
  int fail_part = 0;
  auto store = Open([&](const Sent& sent) -> Result<FakeAnswer> {
    if (sent.target.ends_with("uploads=")) {
      return FakeAnswer{
          200, {}, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"};
    }
    if (sent.method == HttpMethod::kPut) {
      if (fail_part > 0 && sent.target.find("partNumber=" + std::to_string(fail_part)) != std::string::npos) {
        return FakeAnswer{500, {}, ""};
      }
      return FakeAnswer{200, {{"etag", etag}}, ""};
    }
    if (sent.method == HttpMethod::kPost) {
      return FakeAnswer{200, {}, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"};
    }
    return FakeAnswer{204, {}, ""};
  });
  std::vector<SharedBytes> pieces;
  for (const std::string_view text : {"abc", "", "defgh", "ij"}) pieces.push_back(SharedBytes::Copy(AsBytes(text)));
  ASSERT_TRUE(store.Put("k", pieces, PutMode::kIfAbsent));
  auto sent = transport_->sent();
  ASSERT_EQ(sent.size(), 5u);
  EXPECT_EQ(sent[1].target, "/bucket/pre/k?partNumber=1&uploadId=u1");
  EXPECT_EQ(sent[1].body, "abcd");
  EXPECT_EQ(sent[2].body, "efgh");
  EXPECT_EQ(sent[3].body, "ij");
  EXPECT_EQ(sent[3].Header("x-amz-checksum-crc32c"), CrcOf("ij"));
  EXPECT_EQ(sent[4].Header("if-none-match"), "*");
  EXPECT_NE(sent[4].body.find("<PartNumber>3</PartNumber><ETag>&quot;e&quot;</ETag><ChecksumCRC32C>" + CrcOf("ij")),
            std::string::npos);
  fail_part = 2;
  EXPECT_EQ(Told(store.Put("k", pieces, PutMode::kOverwrite)), "kUnavailable*");
  EXPECT_EQ(transport_->sent().back().method, HttpMethod::kDelete);
  EXPECT_EQ(transport_->sent().back().target, "/bucket/pre/k?uploadId=u1");
}

TEST_F(S3ObjectStoreTest, TheEndOfAMultipartUploadMayFailAfterItsStatus) {
  single_put_bytes_max_ = 4;
  FakeAnswer head{404, {}, ""};
  auto store = Open([&](const Sent& sent) {
    if (sent.target.ends_with("uploads=")) {
      return FakeAnswer{
          200, {}, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"};
    }
    if (sent.method == HttpMethod::kHead) return head;
    if (sent.method == HttpMethod::kPost) return FakeAnswer{200, {}, RefusalXml("InternalError")};
    return FakeAnswer{200, {{"etag", "e"}}, ""};
  });
  EXPECT_EQ(Told(Put(store, "k", "abcdef")), "kUnavailable*");
  std::vector<std::byte> crcs;
  for (const std::string_view part : {"abcd", "ef"}) {
    const std::uint32_t crc = Crc32c(AsBytes(part));
    for (int shift = 24; shift >= 0; shift -= 8) crcs.push_back(static_cast<std::byte>(crc >> shift));
  }
  head = {200, {{"content-length", "6"}, {"x-amz-checksum-crc32c", CrcBase64(Crc32c(crcs)) + "-2"}}, ""};
  EXPECT_EQ(Told(Put(store, "k", "abcdef")), "ok");
}

TEST_F(S3ObjectStoreTest, AStoreThatFailsAgainAndAgainIsLeftAloneAndThenUsedAgain) {
  breaker_failures_max_ = 5;
  bool broken = true;
  auto store = Open([&](const Sent&) -> Result<FakeAnswer> {
    if (broken) return Error(ErrorCode::kUnavailable, "connection reset");
    return FakeAnswer{200, {{"content-length", "1"}}, ""};
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Told(store.Head("k")), "kUnavailable*");
  EXPECT_EQ(transport_->sent().size(), 5u);
  clock_.Advance(std::chrono::milliseconds(500));
  const auto left_alone = store.Head("k");
  EXPECT_EQ(Told(left_alone), "kUnavailable*");  // the probe
  EXPECT_NE(left_alone.error().message().find("connection reset"), std::string_view::npos);
  const auto refused = store.Head("k");
  EXPECT_EQ(Told(refused), "kUnavailable*");
  EXPECT_NE(refused.error().message().find("connection reset"), std::string_view::npos);  // the cause of the cause
  EXPECT_EQ(transport_->sent().size(), 6u);
  broken = false;
  clock_.Advance(std::chrono::milliseconds(1000));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Told(store.Head("k")), "ok");
  EXPECT_EQ(store.Counts().breaker_opened, 2u);
  EXPECT_EQ(store.Counts().breaker_refused, 16u);
}

TEST_F(S3ObjectStoreTest, SlowGetsAreSentTwiceAndNeverMoreThanTheCap) {
  auto store = Open([&](const Sent&) {
    clock_.Advance(std::chrono::milliseconds(30));
    return FakeAnswer{206, {{"content-range", "bytes 0-0/1"}}, "x"};
  });
  for (int i = 0; i < 1'020; ++i) EXPECT_EQ(GetTold(store, {0, 1}), "x");
  const S3Counts counts = store.Counts();
  EXPECT_EQ(counts.requests, 1'020u);
  EXPECT_EQ(counts.hedges, 51u);  // 5 %, though each of them would have liked to
  EXPECT_EQ(counts.hedges_won, 51u);
  ASSERT_EQ(transport_->hedge_after().size(), 1'000u);  // the first 20 measure
  EXPECT_EQ(transport_->hedge_after().front(), std::chrono::milliseconds(30));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Put(store, "k", "x"));
  EXPECT_EQ(store.Counts().hedges, 51u);  // a put never
}

TEST_F(S3ObjectStoreTest, WhoGivesUpIsNotTheStoresFailure) {
  breaker_failures_max_ = 3;
  auto store = Open([&](const Sent& sent) -> Result<FakeAnswer> {
    clock_.Advance(*sent.deadline - clock_.Monotonic());
    return Error(ErrorCode::kTimeout, "silence");
  });
  for (int i = 0; i < 5; ++i) {
    const RequestScope scope({.deadline = clock_.Monotonic() + std::chrono::milliseconds(10)});
    const auto begin = clock_.Monotonic();
    EXPECT_EQ(Told(store.Head("k")), "kTimeout*");
    EXPECT_EQ(clock_.Monotonic() - begin, std::chrono::milliseconds(10));
    EXPECT_EQ(Told(Put(store, "k", "x")), "kTimeout*");  // passed: nothing is sent
  }
  EXPECT_EQ(transport_->sent().size(), 5u);
  EXPECT_EQ(store.Counts().breaker_opened, 0u);
}

TEST_F(S3ObjectStoreTest, AStopEndsACallBeforeAndWithinIt) {
  std::stop_source stop;
  auto store = Open([&](const Sent&) -> Result<FakeAnswer> {
    stop.request_stop();
    return Error(ErrorCode::kUnavailable, "reset");
  });
  const RequestScope scope({.stop = stop.get_token()});
  EXPECT_EQ(Told(Put(store, "k", "x")), "kClosed");
  EXPECT_EQ(transport_->sent().size(), 1u);  // the store does not look what became of it
  EXPECT_EQ(Told(store.Head("k")), "kClosed");
  EXPECT_EQ(transport_->sent().size(), 1u);
}

TEST_F(S3ObjectStoreTest, AStoreThatRefusesChecksumsIsAskedWithoutFromThenOn) {
  int refused = 0;
  auto store = Open(
      [&](const Sent& sent) -> FakeAnswer {
        if (sent.Header("x-amz-checksum-crc32c").empty()) return {200, {}, ""};
        ++refused;
        return {501, {}, RefusalXml("NotImplemented")};
      },
      "s3://bucket?region=eu-west-3");
  EXPECT_EQ(Told(Put(store, "k", "hello")), "ok");
  EXPECT_EQ(refused, 1);
  EXPECT_TRUE(store.Counts().checksums_refused);
  const Sent second = transport_->sent().back();
  EXPECT_EQ(second.Header("x-amz-content-sha256"), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(Told(Put(store, "k", "hello")), "ok");
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(transport_->sent().size(), 3u);
}

TEST_F(S3ObjectStoreTest, ARefusalThatHasNothingToDoWithChecksumsIsToldAsItIs) {
  auto store = Open([&](const Sent&) { return FakeAnswer{501, {}, RefusalXml("NotImplemented")}; });
  EXPECT_EQ(Told(Put(store, "k", "hello")), "kUnavailable");
  EXPECT_FALSE(store.Counts().checksums_refused);
}

TEST_F(S3ObjectStoreTest, AUrlCanSayThatThereAreNoChecksums) {
  single_put_bytes_max_ = 8;
  auto store = Open(
      [&](const Sent& sent) -> FakeAnswer {
        for (const HttpHeader& header : sent.headers) {
          EXPECT_EQ(header.name.find("checksum"), std::string::npos) << header.name;
        }
        EXPECT_EQ(sent.body.find("Checksum"), std::string::npos);
        if (sent.target.ends_with("uploads=")) {
          return {200, {}, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"};
        }
        if (sent.method == HttpMethod::kPost) {
          return {200, {}, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"};
        }
        return {200, {{"etag", "e"}, {"content-length", "1"}}, ""};
      },
      "s3://bucket/pre?endpoint=http://127.0.0.1:9000&checksum=none");
  EXPECT_EQ(Told(Put(store, "k", "hello")), "ok");
  EXPECT_EQ(Told(Put(store, "k", "a body in parts")), "ok");
  EXPECT_EQ(Told(store.Head("k")), "ok");
  EXPECT_EQ(transport_->sent().size(), 8u);
  EXPECT_FALSE(store.Counts().checksums_refused);
}

TEST_F(S3ObjectStoreTest, WhatAKeyOfKmsRefusesIsToldApart) {
  FakeAnswer answer;
  auto store = Open([&](const Sent&) { return answer; });
  const auto told_with_hint = [&] {
    const auto got = store.Get("k", {0, 1});
    EXPECT_EQ(Told(got), "kPermissionDenied");
    EXPECT_NE(got.error().hint().find("kms:GenerateDataKey and kms:Decrypt"), std::string_view::npos)
        << got.error().hint();
  };
  answer = {403,
            {},
            "<Error><Code>AccessDenied</Code><Message>User u is not authorized to perform: kms:Decrypt on r</Message>"
            "</Error>"};
  told_with_hint();
  answer = {400, {}, RefusalXml("KMS.DisabledException")};
  told_with_hint();
  for (const char* code : {"ThrottlingException", "KMS.ThrottlingException"}) {
    answer = {400, {}, RefusalXml(code)};
    EXPECT_EQ(Told(store.Get("k", {0, 1})), "kUnavailable*") << code;
  }
}

TEST_F(S3ObjectStoreTest, NoSecretIsInAnyErrorOrDescription) {
  FakeAnswer answer;
  auto store = Open([&](const Sent&) { return answer; });
  EXPECT_EQ(store.Describe(), "s3://bucket/pre");
  const std::string echo = "<StringToSign>canary-secret</StringToSign><Token-0>canary-token</Token-0>";
  for (const int status : {301, 400, 401, 403, 404, 409, 412, 416, 429, 500, 501, 503}) {
    for (const char* code : {"SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AccessDenied", "Other"}) {
      answer = {status, {}, RefusalXml(code, echo)};
      const std::string told = store.Get("k", {0, 1}).error().ToString() +
                               store.Put("k", {}, PutMode::kIfAbsent).error().ToString() +
                               store.List("", "", 1).error().ToString();
      EXPECT_EQ(told.find("canary"), std::string::npos) << told;
    }
  }
}

}  // namespace
}  // namespace millrace
