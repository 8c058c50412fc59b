#include "store/aws_network_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "store/http_time.h"
#include "store/s3_reply.h"
#include "store/s3_settings.h"
#include "store/uri_encoding.h"

namespace millrace {
namespace {

constexpr std::chrono::seconds kStsTimeMax{10};
constexpr std::chrono::seconds kInstanceTimeMax{1};

std::string_view BodyText(const HttpResponse& answer) {
  return answer.parts.empty() ? std::string_view() : AsText(answer.parts.front());
}

// A place to send to, out of "https://host:port".
Result<HttpRequest> RequestTo(std::string_view endpoint) {
  MR_ASSIGN_OR_RETURN(const S3Settings place, ParseS3Url(fmt::format("s3://none?endpoint={}", UriEncode(endpoint))));
  HttpRequest request;
  request.tls = place.tls;
  request.host = place.host;
  request.port = place.port;
  request.headers = {{"host", fmt::format("{}:{}", place.host, place.port)}};
  return request;
}

std::string Trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

// "" if there is no such text.
std::string Member(const nlohmann::json& document, const char* name) {
  if (!document.is_object()) return {};
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result<AwsCredentials> WebIdentityCredentials::Get() {
  const auto token_file = surroundings_.variable("AWS_WEB_IDENTITY_TOKEN_FILE");
  const auto role = surroundings_.variable("AWS_ROLE_ARN");
  if (!token_file) return Error(ErrorCode::kNotFound, "no AWS_WEB_IDENTITY_TOKEN_FILE in the environment");
  if (!role) return Error(ErrorCode::kInvalidArgument, "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not");
  auto token = surroundings_.file(*token_file);
  if (!token) return Error(ErrorCode::kUnavailable, std::string(token.error().message()));
  const Query form = {{"Action", "AssumeRoleWithWebIdentity"},
                      {"Version", "2011-06-15"},
                      {"RoleArn", *role},
                      {"RoleSessionName", surroundings_.variable("AWS_ROLE_SESSION_NAME").value_or("millrace")},
                      {"WebIdentityToken", Trimmed(*std::move(token))}};
  MR_ASSIGN_OR_RETURN(HttpRequest request,
                      RequestTo(surroundings_.variable("AWS_ENDPOINT_URL_STS")
                                    .value_or(fmt::format("https://sts.{}.amazonaws.com", region_))));
  request.method = HttpMethod::kPost;
  request.headers.push_back({"content-type", "application/x-www-form-urlencoded"});
  const SharedBytes body = SharedBytes::Copy(AsBytes(FormatQuery(form)));
  request.body = std::span(&body, 1);
  request.deadline = clock_.Monotonic() + kStsTimeMax;
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, transport_->Send(request));
  if (answer.status != 200) {
    // Its message may quote the token: the code alone is shown.
    return Error(ErrorCode::kUnavailable, fmt::format("the token service refused the web identity: {} {}",
                                                      answer.status, ParseS3Refusal(BodyText(answer)).code))
        .WithRetryable(answer.status >= 500);
  }
  MR_ASSIGN_OR_RETURN(StsReply reply, ParseStsReply(BodyText(answer)));
  return AwsCredentials{std::move(reply.access_key_id), Secret(std::move(reply.secret_access_key)),
                        Secret(std::move(reply.session_token)), reply.expires_ms};
}

Result<std::string> InstanceCredentials::Ask(HttpMethod method, std::string target, std::vector<HttpHeader> headers) {
  MR_ASSIGN_OR_RETURN(
      HttpRequest request,
      RequestTo(surroundings_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("http://169.254.169.254")));
  request.method = method;
  request.target = std::move(target);
  std::ranges::move(headers, std::back_inserter(request.headers));
  request.deadline = clock_.Monotonic() + kInstanceTimeMax;
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, transport_->Send(request));
  if (answer.status != 200) {
    return Error(ErrorCode::kNotFound, fmt::format("the machine's metadata service answered {}", answer.status));
  }
  return Trimmed(std::string(BodyText(answer)));
}

Result<AwsCredentials> InstanceCredentials::Get() {
  if (surroundings_.variable("AWS_EC2_METADATA_DISABLED") == "true") {
    return Error(ErrorCode::kNotFound, "AWS_EC2_METADATA_DISABLED is true");
  }
  MR_ASSIGN_OR_RETURN(const std::string token,
                      Ask(HttpMethod::kPut, "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}}));
  constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
  const HttpHeader proof{"x-aws-ec2-metadata-token", token};
  MR_ASSIGN_OR_RETURN(std::string role, Ask(HttpMethod::kGet, std::string(kRoles), {proof}));
  role = role.substr(0, role.find('\n'));
  if (role.empty()) return Error(ErrorCode::kNotFound, "the machine has no role");
  MR_ASSIGN_OR_RETURN(const std::string text,
                      Ask(HttpMethod::kGet, fmt::format("{}{}", kRoles, UriEncode(role)), {proof}));
  const auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const std::string id = Member(document, "AccessKeyId"), key = Member(document, "SecretAccessKey");
  const auto expires = ParseIsoTime(Member(document, "Expiration"));
  if (id.empty() || key.empty() || !expires) {
    return Error(ErrorCode::kUnavailable, "the machine's metadata service gave no whole credentials");
  }
  return AwsCredentials{id, Secret(key), Secret(Member(document, "Token")), *expires};
}

}  // namespace millrace
