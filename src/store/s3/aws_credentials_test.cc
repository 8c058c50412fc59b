// Goal: credentials are found where they should be, in order, renewed before they end, and shown in no message. Method:
// a machine made of maps, a transport of tests, a simulated clock; each secret is a canary.
#include <gtest/gtest.h>

#include <map>
#include <type_traits>

#include "env/sim/sim_clock.h"
#include "http/fake_http_transport.h"
#include "http/http_time.h"
#include "millrace/request_scope.h"
#include "store/s3/aws_credential_chain.h"
#include "store/s3/aws_defaults.h"
#include "store/s3/aws_static_sources.h"

namespace millrace {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Streamable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string> && !std::is_convertible_v<Secret, std::string_view>);

class AwsCredentialsTest : public testing::Test {
 protected:
  AwsSurroundings Machine() {
    return {[this](const char* name) -> std::optional<std::string> {
              const auto found = variables_.find(name);
              return found == variables_.end() ? std::nullopt : std::optional(found->second);
            },
            [this](const std::filesystem::path& path) -> Result<std::string> {
              const auto found = files_.find(path.string());
              if (found == files_.end()) return Error(ErrorCode::kNotFound, "no file " + path.string());
              return found->second;
            }};
  }
  std::shared_ptr<AwsCredentialSource> Chain() {
    transport_ =
        std::make_shared<FakeHttpTransport>([this](const FakeHttpTransport::Sent& sent) { return answer_(sent); });
    return DefaultAwsCredentials(Machine(), "eu-west-3", transport_, clock_);
  }
  // "id secret token", or the code.
  static std::string Told(AwsCredentialSource& source) {
    const auto got = source.Get();
    if (!got) {
      EXPECT_EQ(got.error().ToString().find("canary"), std::string::npos) << got.error().ToString();
      return std::string(ErrorCodeName(got.error().code()));
    }
    return got->access_key_id + ' ' + std::string(got->secret_access_key.Reveal()) + ' ' +
           std::string(got->session_token.Reveal());
  }
  static std::string StsXml(std::string_view id, std::string_view until) {
    return "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>" +
           std::string(id) +
           "</AccessKeyId><SecretAccessKey>canary-s</SecretAccessKey><SessionToken>canary-t</SessionToken>" +
           "<Expiration>" + std::string(until) +
           "</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
  }

  SimClock clock_{*ParseIsoTime("2026-01-01T00:00:00Z")};
  std::map<std::string, std::string> variables_{{"HOME", "/home/u"}}, files_;
  std::function<Result<FakeAnswer>(const FakeHttpTransport::Sent&)> answer_ = [](const auto&) -> Result<FakeAnswer> {
    return Error(ErrorCode::kTimeout, "nobody answers");
  };
  std::shared_ptr<FakeHttpTransport> transport_;
};

TEST_F(AwsCredentialsTest, TheEnvironmentComesFirst) {
  variables_["AWS_ACCESS_KEY_ID"] = "env";
  EXPECT_EQ(Told(*Chain()), "kInvalidArgument");  // half of a pair
  variables_["AWS_SECRET_ACCESS_KEY"] = "canary-e";
  files_["/home/u/.aws/credentials"] = "[default]\naws_access_key_id=file\naws_secret_access_key=canary-f\n";
  EXPECT_EQ(Told(*Chain()), "env canary-e ");
  variables_["AWS_SESSION_TOKEN"] = "canary-t";
  EXPECT_EQ(Told(*Chain()), "env canary-e canary-t");
}

TEST_F(AwsCredentialsTest, ProfilesAreReadAsTheToolsWriteThem) {
  files_["/home/u/.aws/credentials"] =
      "# a comment\n[default]\naws_access_key_id = one\r\n  aws_secret_access_key=indented\nAWS_SECRET_ACCESS_KEY = "
      "canary-1=\n"
      "[ work "
      "]\naws_access_key_id=two\naws_secret_access_key=canary-2\naws_session_token=canary-3\n[half]\naws_access_key_id="
      "x\n";
  files_["/home/u/.aws/config"] = "[profile far]\naws_access_key_id=three\naws_secret_access_key=canary-4\n";
  EXPECT_EQ(Told(*Chain()), "one canary-1= ");
  variables_["AWS_PROFILE"] = "work";
  EXPECT_EQ(Told(*Chain()), "two canary-2 canary-3");
  variables_["AWS_PROFILE"] = "far";
  EXPECT_EQ(Told(*Chain()), "three canary-4 ");
  variables_["AWS_PROFILE"] = "half";
  EXPECT_EQ(Told(*Chain()), "kInvalidArgument");
  variables_["AWS_PROFILE"] = "absent";
  EXPECT_EQ(Told(*Chain()), "kInvalidArgument");
  variables_.erase("AWS_PROFILE");
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = "/else";
  files_["/else"] = "[default]\naws_access_key_id=four\naws_secret_access_key=canary-5";
  EXPECT_EQ(Told(*Chain()), "four canary-5 ");
}

TEST_F(AwsCredentialsTest, AWebIdentityIsChangedForCredentialsAndRenewedEarly) {
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/token";
  EXPECT_EQ(Told(*Chain()), "kInvalidArgument");  // no role
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/r";
  EXPECT_EQ(Told(*Chain()), "kUnavailable");  // no file
  files_["/token"] = "canary-token\n";
  int asked = 0;
  answer_ = [&](const auto& sent) -> Result<FakeAnswer> {
    EXPECT_EQ(sent.host, "sts.eu-west-3.amazonaws.com");
    EXPECT_NE(sent.body.find("WebIdentityToken=canary-token"), std::string::npos);
    return FakeAnswer{200, {}, StsXml("id" + std::to_string(++asked), "2026-01-01T01:00:00Z")};
  };
  const auto chain = Chain();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Told(*chain), "id1 canary-s canary-t");
  clock_.Advance(std::chrono::minutes(54));
  EXPECT_EQ(Told(*chain), "id1 canary-s canary-t");
  clock_.Advance(std::chrono::minutes(2));
  EXPECT_EQ(Told(*chain), "id2 canary-s canary-t");
  chain->Refused();
  EXPECT_EQ(Told(*chain), "id3 canary-s canary-t");
  answer_ = [](const auto&) {
    return FakeAnswer{
        403,
        {},
        "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>canary</Message></Error></ErrorResponse>"};
  };
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Told(*chain), "id3 canary-s canary-t");  // good until they end
  clock_.Advance(std::chrono::minutes(4));
  EXPECT_EQ(Told(*chain), "kUnavailable");
}

TEST_F(AwsCredentialsTest, TheMachinesRoleIsAskedForWithATokenFirst) {
  answer_ = [](const auto& sent) -> Result<FakeAnswer> {
    EXPECT_EQ(sent.host, "169.254.169.254");
    if (sent.method == HttpMethod::kPut) return FakeAnswer{200, {}, "proof"};
    EXPECT_EQ(sent.Header("x-aws-ec2-metadata-token"), "proof");
    if (sent.target.ends_with('/')) return FakeAnswer{200, {}, "my role\n"};
    EXPECT_TRUE(sent.target.ends_with("/my%20role"));
    return FakeAnswer{200,
                      {},
                      "{\"AccessKeyId\":\"ec2\",\"SecretAccessKey\":\"canary-s\",\"Token\":\"canary-t\","
                      "\"Expiration\":\"2026-01-01T06:00:00Z\"}"};
  };
  EXPECT_EQ(Told(*Chain()), "ec2 canary-s canary-t");
  for (const char* broken : {"", "{", "[]", "{\"AccessKeyId\":1}", "{\"AccessKeyId\":\"canary\"}"}) {
    answer_ = [&](const auto&) -> Result<FakeAnswer> { return FakeAnswer{200, {}, broken}; };
    EXPECT_EQ(Told(*Chain()), "kInvalidArgument") << broken;
  }
  variables_["AWS_EC2_METADATA_DISABLED"] = "true";
  EXPECT_EQ(Told(*Chain()), "kInvalidArgument");
  EXPECT_TRUE(transport_->sent().empty());
}

TEST_F(AwsCredentialsTest, AMetadataServiceWithoutTokensIsAskedWithout) {
  answer_ = [](const auto& sent) -> Result<FakeAnswer> {
    if (sent.method == HttpMethod::kPut) return FakeAnswer{404, {}, ""};
    EXPECT_EQ(sent.Header("x-aws-ec2-metadata-token"), "");
    if (sent.target.ends_with('/')) return FakeAnswer{200, {}, "role"};
    return FakeAnswer{200,
                      {},
                      "{\"AccessKeyId\":\"v1\",\"SecretAccessKey\":\"canary-s\",\"Token\":\"canary-t\","
                      "\"Expiration\":\"2026-01-01T06:00:00Z\"}"};
  };
  EXPECT_EQ(Told(*Chain()), "v1 canary-s canary-t");
}

TEST_F(AwsCredentialsTest, AMetadataServiceThatIsThereIsGivenTimeAndItsTroubleIsNoAbsence) {
  answer_ = [&](const auto& sent) -> Result<FakeAnswer> {
    EXPECT_GE(*sent.deadline - clock_.Monotonic(), std::chrono::seconds(5));
    return FakeAnswer{503, {}, ""};
  };
  const auto busy = Chain()->Get();
  EXPECT_EQ(busy.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(busy.error().retryable());
}

TEST_F(AwsCredentialsTest, WhoGivesUpHasNotFoundThatThereAreNone) {
  answer_ = [&](const auto& sent) -> Result<FakeAnswer> {
    clock_.Advance(*sent.deadline - clock_.Monotonic());
    return Error(ErrorCode::kTimeout, "silence");
  };
  const auto chain = Chain();
  const RequestScope scope({.deadline = clock_.Monotonic() + std::chrono::milliseconds(300)});
  EXPECT_EQ(Told(*chain), "kTimeout");
  EXPECT_EQ(transport_->sent().size(), 1u);
}

TEST_F(AwsCredentialsTest, AContainersAgentIsAsked) {
  const std::string lent =
      "{\"AccessKeyId\":\"pod\",\"SecretAccessKey\":\"canary-s\",\"Token\":\"canary-t\","
      "\"Expiration\":\"2026-01-01T06:00:00Z\"}";
  std::string host, target, authorization;
  answer_ = [&](const auto& sent) -> Result<FakeAnswer> {
    host = sent.host;
    target = sent.target;
    authorization = sent.Header("authorization");
    return FakeAnswer{200, {}, lent};
  };
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.23/v1/credentials?a=b";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/token";
  EXPECT_EQ(Told(*Chain()), "kUnavailable");  // no file
  files_["/token"] = "canary-file\n";
  EXPECT_EQ(Told(*Chain()), "pod canary-s canary-t");
  EXPECT_EQ(host + target + " " + authorization, "169.254.170.23/v1/credentials?a=b canary-file");
  files_["/token"] = "canary\nx-injected: canary";
  EXPECT_EQ(Told(*Chain()), "kInvalidArgument");
  variables_.erase("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "canary-text";
  variables_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/1";
  EXPECT_EQ(Told(*Chain()), "pod canary-s canary-t");
  EXPECT_EQ(host + target + " " + authorization, "169.254.170.2/v2/credentials/1 canary-text");
  answer_ = [](const auto&) { return FakeAnswer{403, {}, "canary"}; };
  EXPECT_EQ(Told(*Chain()), "kUnavailable");
}

TEST_F(AwsCredentialsTest, NoStrangerIsAskedForAContainersCredentials) {
  for (const char* uri : {"http://example.org/x", "http://169.254.169.254/x", "ftp://127.0.0.1/x", "http://10.0.0.1/x",
                          "http://localhost.example.org/", "http://127.0.0.1 /", "nothing"}) {
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = uri;
    EXPECT_EQ(Told(*Chain()), "kInvalidArgument") << uri;
    EXPECT_TRUE(transport_->sent().empty()) << uri;
  }
}

TEST_F(AwsCredentialsTest, TheTokenServiceOfAChineseRegionIsInChina) {
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/token";
  variables_["AWS_ROLE_ARN"] = "arn:aws-cn:iam::1:role/r";
  files_["/token"] = "canary";
  transport_ = std::make_shared<FakeHttpTransport>([](const FakeHttpTransport::Sent& sent) -> Result<FakeAnswer> {
    EXPECT_EQ(sent.host, "sts.cn-north-1.amazonaws.com.cn");
    return FakeAnswer{200, {}, StsXml("cn", "2026-01-01T01:00:00Z")};
  });
  EXPECT_EQ(Told(*DefaultAwsCredentials(Machine(), "cn-north-1", transport_, clock_)), "cn canary-s canary-t");
}

TEST_F(AwsCredentialsTest, RegionEndpointAndAuthoritiesAreThoseOfEnvironmentOrProfile) {
  EXPECT_EQ(RegionFrom(Machine()) + EndpointFrom(Machine(), "S3") + CaFileFrom(Machine()), "");
  files_["/home/u/.aws/config"] =
      "[default]\nregion = eu-central-1\n[profile far]\nregion=ap-south-1\nendpoint_url=http://p:1\nca_bundle=/p.pem\n";
  EXPECT_EQ(RegionFrom(Machine()), "eu-central-1");
  variables_["AWS_PROFILE"] = "far";
  variables_["SSL_CERT_FILE"] = "/s.pem";
  EXPECT_EQ(RegionFrom(Machine()), "ap-south-1");
  EXPECT_EQ(EndpointFrom(Machine(), "S3"), "http://p:1");
  EXPECT_EQ(CaFileFrom(Machine()), "/p.pem");
  variables_["AWS_DEFAULT_REGION"] = "us-west-1";
  variables_["AWS_ENDPOINT_URL"] = "http://e:1";
  variables_["AWS_CA_BUNDLE"] = "/a.pem";
  EXPECT_EQ(RegionFrom(Machine()), "us-west-1");
  EXPECT_EQ(EndpointFrom(Machine(), "S3"), "http://e:1");
  EXPECT_EQ(CaFileFrom(Machine()), "/a.pem");
  variables_["AWS_ENDPOINT_URL_S3"] = "http://s3:1";
  EXPECT_EQ(EndpointFrom(Machine(), "S3"), "http://s3:1");
  variables_["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_EQ(EndpointFrom(Machine(), "S3"), "");
}

TEST_F(AwsCredentialsTest, NoneAnywhereSaysWhereToPutThem) {
  const auto none = Chain()->Get();
  ASSERT_FALSE(none);
  EXPECT_FALSE(none.error().retryable());
  EXPECT_NE(none.error().hint().find("AWS_ACCESS_KEY_ID"), std::string_view::npos);
}

TEST_F(AwsCredentialsTest, KeysChangedInTheirFileAreTakenUp) {
  files_["/home/u/.aws/credentials"] = "[default]\naws_access_key_id=old\naws_secret_access_key=canary\n";
  const auto chain = Chain();
  EXPECT_EQ(Told(*chain), "old canary ");
  files_["/home/u/.aws/credentials"] = "[default]\naws_access_key_id=new\naws_secret_access_key=canary\n";
  clock_.Advance(std::chrono::minutes(2));
  EXPECT_EQ(Told(*chain), "new canary ");
}

}  // namespace
}  // namespace millrace
