// Goal: our signatures are the ones AWS computes. Method: the published vectors in both forms, and S3's own examples of
// a header and a query signature from its documentation.
#include "store/s3/sigv4.h"

#include <gtest/gtest.h>

#include <set>

#include "base/hex.h"
#include "http/http_time.h"
#include "http/uri_encoding.h"
#include "store/s3/digest.h"
#include "store/s3/sigv4_vectors.h"
#include "text/base64.h"

namespace millrace {
namespace {

const std::string kEmptyHash = ToHex(Sha256(std::string_view()));

AwsCredentials ExampleCredentials(const SigV4Vector& vector) {
  AwsCredentials credentials{"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), Secret(), {}};
  if (!vector.token_later) credentials.session_token = Secret(std::string(vector.token));
  return credentials;
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

struct Parsed {
  HttpRequest request;
  std::string body;
};

// The path goes out encoded once, which some vectors leave to the client.
Parsed Parse(const SigV4Vector& vector) {
  Parsed parsed;
  std::string_view rest = vector.request;
  const auto line = [&rest] {
    const std::string_view one = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    return one;
  };
  const std::string_view first = line();
  parsed.request.method = first.starts_with("POST") ? HttpMethod::kPost : HttpMethod::kGet;
  const std::size_t begin = first.find(' ') + 1;
  const std::string_view target = first.substr(begin, first.rfind(" HTTP") - begin);
  const std::string_view path = target.substr(0, target.find('?'));
  parsed.request.target = vector.encode_twice ? std::string(path) : UriEncode(*UriDecode(path), Slash::kKeep);
  parsed.request.target += target.substr(path.size());
  while (!rest.empty()) {
    const std::string_view header = line();
    if (header.empty()) break;
    if (header.front() == ' ') {
      parsed.request.headers.back().value += std::string("\n") + std::string(header);
      continue;
    }
    const std::size_t colon = header.find(':');
    const std::string name = Lower(std::string(header.substr(0, colon)));
    if (name != "x-amz-date") parsed.request.headers.push_back({name, std::string(header.substr(colon + 1))});
  }
  parsed.body = rest;
  return parsed;
}

SigV4 SignerFor(const SigV4Vector& vector) {
  return SigV4({.region = "us-east-1",
                .service = "service",
                .normalisation = vector.normalize ? PathNormalisation::kDotSegments : PathNormalisation::kNone,
                .encoding = vector.encode_twice ? PathEncoding::kTwice : PathEncoding::kOnce});
}

constexpr std::int64_t kVectorTime = 1'440'938'160'000;  // 2015-08-30T12:36:00Z

TEST(SigV4Test, HeaderSignaturesAreThePublishedOnes) {
  int checked = 0;
  for (const SigV4Vector& vector : kSigV4Vectors) {
    if (vector.encode_twice) continue;
    auto [request, body] = Parse(vector);
    const std::string hash = ToHex(Sha256(body));
    if (vector.sign_body) request.headers.push_back({"x-amz-content-sha256", hash});
    SignerFor(vector).Sign(request, ExampleCredentials(vector), kVectorTime, hash);
    const std::string& signed_as = request.headers.back().value;
    EXPECT_TRUE(signed_as.ends_with("Signature=" + std::string(vector.header_signature)))
        << vector.name << ": " << signed_as;
    ++checked;
  }
  EXPECT_EQ(checked, 38);
}

TEST(SigV4Test, APathIsEncodedTwiceWhereAServiceWantsIt) {
  // Region and service of this vector are its own.
  const SigV4Vector* vector =
      std::ranges::find(kSigV4Vectors, std::string_view("double-url-encode"), &SigV4Vector::name);
  auto [request, body] = Parse(*vector);
  const SigV4 signer({.region = "us-east-2", .service = "lambda", .encoding = PathEncoding::kTwice});
  signer.Sign(request, ExampleCredentials(*vector), *ParseIsoTime("2021-05-11T15:40:45Z"), kEmptyHash);
  EXPECT_TRUE(request.headers.back().value.ends_with("Signature=" + std::string(vector->header_signature)))
      << request.headers.back().value;
}

// Source of the two: the pages "Authenticating Requests" in the S3 API reference.
class SigV4S3Test : public testing::Test {
 protected:
  const AwsCredentials credentials_{
      "AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret(), {}};
  const SigV4 signer_{{.region = "us-east-1"}};
  const std::int64_t at_ = *ParseIsoTime("2013-05-24T00:00:00Z");
};

TEST_F(SigV4S3Test, ARangedGetIsSignedInItsHeaders) {
  HttpRequest request{
      .target = "/test.txt",
      .headers = {
          {"host", "examplebucket.s3.amazonaws.com"}, {"range", "bytes=0-9"}, {"x-amz-content-sha256", kEmptyHash}}};
  signer_.Sign(request, credentials_, at_, kEmptyHash);
  EXPECT_EQ(request.headers.back().value,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(DigestTest, KnownValues) {
  EXPECT_EQ(Md5Base64("hello"), "XUFAKrxLKna5cZ2REBfFkg==");
  EXPECT_EQ(CrcBase64(0x01020304), "AQIDBA==");
  EXPECT_EQ(ToBase64(AsBytes("any carnal pleas")), "YW55IGNhcm5hbCBwbGVhcw==");
  std::vector<SharedBytes> pieces;
  for (const std::string_view text : {"ab", "", "c"}) pieces.push_back(SharedBytes::Copy(AsBytes(text)));
  EXPECT_EQ(Sha256(pieces), Sha256("abc"));
}

TEST(HttpTimeTest, EveryFormIsReadAndNothingElse) {
  EXPECT_EQ(ParseHttpTime("Sun, 30 Aug 2015 12:36:00 GMT"), kVectorTime);
  EXPECT_EQ(ParseIsoTime("2015-08-30T12:36:00Z"), kVectorTime);
  EXPECT_EQ(ParseIsoTime("2015-08-30T12:36:00.250Z"), kVectorTime + 250);
  EXPECT_EQ(ParseIsoTime("2015-08-30T12:36:00.123456789Z"), kVectorTime + 123);
  EXPECT_EQ(FormatSigningTime(kVectorTime), "20150830T123600Z");
  EXPECT_EQ(FormatTimeOfDay(kVectorTime), "12:36:00Z");
  for (const std::string_view wrong :
       {"", "Sun, 30 Aug 2015 12:36:00", "Sun, 30 Aug 2015 12:36:0x GMT", "Sun, 31 Feb 2015 12:36:00 GMT",
        "Sun, 30 Xxx 2015 12:36:00 GMT", "2015-08-30T12:36:00Z", "Sun, 30 Aug 2015 25:36:00 GMT"}) {
    EXPECT_EQ(ParseHttpTime(wrong), std::nullopt) << wrong;
  }
  for (const std::string_view wrong : {"", "2015-08-30", "2015-13-30T12:36:00Z", "2015-08-30T12:36:00.Z",
                                       "2015-08-30T12:36:00.xZ", "2015-08-30 12:36:00Z", "2015-08-30T12:36:00+02"}) {
    EXPECT_EQ(ParseIsoTime(wrong), std::nullopt) << wrong;
  }
}

TEST(UriEncodingTest, GoesThereAndBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(UriDecode(UriEncode(all)), all);
  EXPECT_EQ(UriEncode("a b/c~-._+"), "a%20b%2Fc~-._%2B");
  EXPECT_EQ(UriEncode("a/b", Slash::kKeep), "a/b");
  for (const std::string_view wrong : {"%", "%1", "%g1", "a%1"}) EXPECT_EQ(UriDecode(wrong), std::nullopt);
  EXPECT_EQ(FormatQuery(*ParseQuery("b=2&a&c=x%20y&a=1&&")), "a=&a=1&b=2&c=x%20y");
}

}  // namespace
}  // namespace millrace
