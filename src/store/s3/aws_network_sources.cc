#include "store/s3/aws_network_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/limited_wait.h"
#include "base/try.h"
#include "http/http_time.h"
#include "http/uri_encoding.h"
#include "store/s3/s3_reply.h"
#include "store/s3/s3_settings.h"

namespace millrace {
namespace {

constexpr std::chrono::seconds kStsTimeMax{10};
constexpr std::chrono::seconds kAgentTimeMax{5}, kAgentConnectTimeMax{1};

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

std::string_view DomainOf(std::string_view region) {
  return region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
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

// What the services beside a machine or a container lend, in their JSON.
std::optional<AwsCredentials> ParseLent(std::string_view text) {
  const auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const std::string id = Member(document, "AccessKeyId"), key = Member(document, "SecretAccessKey");
  const std::string until = Member(document, "Expiration");
  const auto expires = ParseIsoTime(until);
  if (id.empty() || key.empty() || (!until.empty() && !expires)) return std::nullopt;
  return AwsCredentials{id, Secret(key), Secret(Member(document, "Token")), expires};
}

bool IsPassing(int status) { return status >= 500 || status == 429; }

struct Uri {
  std::string origin, target;  // "http://host:port", "/path?query"
};

// None: it is no URI of HTTP.
std::optional<Uri> ParseUri(const std::string& text) {
  const std::size_t scheme = text.find("://");
  const bool known = text.starts_with("http://") || text.starts_with("https://");
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
  if (!known || !printable) return std::nullopt;
  const std::size_t slash = text.find('/', scheme + 3);
  if (slash == std::string::npos) return Uri{text, "/"};
  return Uri{text.substr(0, slash), text.substr(slash)};
}

// Who may be asked without TLS: oneself, and the agents of ECS and EKS.
bool IsTrustedWithoutTls(std::string_view host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1" || host == "169.254.170.2" ||
         host == "169.254.170.23" || host == "fd00:ec2::23";
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
                                    .value_or(fmt::format("https://sts.{}.{}", region_, DomainOf(region_)))));
  request.method = HttpMethod::kPost;
  request.headers.push_back({"content-type", "application/x-www-form-urlencoded"});
  const SharedBytes body = SharedBytes::Copy(AsBytes(FormatQuery(form)));
  request.body = std::span(&body, 1);
  request.deadline = DeadlineInScope(clock_, kStsTimeMax);
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

Result<std::string> ContainerCredentials::Token() const {
  std::string token = surroundings_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
  if (const auto path = surroundings_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    auto text = surroundings_.file(*path);
    if (!text) return Error(ErrorCode::kUnavailable, std::string(text.error().message()));
    token = *std::move(text);
  }
  token = Trimmed(std::move(token));
  if (std::ranges::all_of(token, [](char c) { return c >= ' ' && c <= '~'; })) return token;
  return Error(ErrorCode::kInvalidArgument,
               "the authorization token of the container's credentials is no line of text");
}

Result<AwsCredentials> ContainerCredentials::Get() {
  const auto relative = surroundings_.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const auto full = surroundings_.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!relative && !full)
    return Error(ErrorCode::kNotFound, "no AWS_CONTAINER_CREDENTIALS_FULL_URI in the environment");
  const auto uri = ParseUri(relative ? "http://169.254.170.2" + *relative : *full);
  if (!uri) return Error(ErrorCode::kInvalidArgument, "AWS_CONTAINER_CREDENTIALS_FULL_URI is no URI of HTTP");
  MR_ASSIGN_OR_RETURN(HttpRequest request, RequestTo(uri->origin));
  if (!request.tls && !IsTrustedWithoutTls(request.host)) {
    return Error(ErrorCode::kInvalidArgument,
                 "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that is not asked for credentials without TLS",
                 "Use https, or an address of the loopback or of the agents of ECS and EKS");
  }
  request.target = uri->target;
  MR_ASSIGN_OR_RETURN(const std::string token, Token());
  if (!token.empty()) request.headers.push_back({"authorization", token});
  request.deadline = DeadlineInScope(clock_, kAgentTimeMax);
  const auto answer = transport_->Send(request);
  if (!answer) return answer.error().WithContext("asking for the container's credentials");
  if (answer->status != 200) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the service of the container's credentials answered {}", answer->status),
                 "Look at AWS_CONTAINER_CREDENTIALS_FULL_URI and the container's role")
        .WithRetryable(IsPassing(answer->status));
  }
  auto lent = ParseLent(BodyText(*answer));
  if (!lent) return Error(ErrorCode::kUnavailable, "the service of the container's credentials gave no whole ones");
  return *std::move(lent);
}

Result<HttpResponse> InstanceCredentials::Send(HttpMethod method, std::string target, std::vector<HttpHeader> headers) {
  MR_ASSIGN_OR_RETURN(
      HttpRequest request,
      RequestTo(surroundings_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("http://169.254.169.254")));
  request.method = method;
  request.target = std::move(target);
  std::ranges::move(headers, std::back_inserter(request.headers));
  request.deadline = DeadlineInScope(clock_, kAgentTimeMax);
  request.connect_time_max = kAgentConnectTimeMax;
  return transport_->Send(request);
}

// The header that a question needs; none where the service is one of version 1. kNotFound: no service is there.
Result<std::vector<HttpHeader>> InstanceCredentials::Proof() {
  const auto began = clock_.Monotonic();
  const auto answer = Send(HttpMethod::kPut, "/latest/api/token", {{"x-aws-ec2-metadata-token-ttl-seconds", "21600"}});
  if (!answer) {
    if (answer.error().code() == ErrorCode::kInvalidArgument) return answer.error();
    // A service took the question and kept silent: from within a container the token's answer may not come so far.
    if (clock_.Monotonic() - began >= kAgentTimeMax) return std::vector<HttpHeader>();
    return Error(ErrorCode::kNotFound, fmt::format("no metadata service of a machine: {}", answer.error().message()));
  }
  if (answer->status == 200)
    return std::vector<HttpHeader>{{"x-aws-ec2-metadata-token", Trimmed(std::string(BodyText(*answer)))}};
  if (IsPassing(answer->status) && answer->status != 501) {
    return Error(ErrorCode::kUnavailable, fmt::format("the machine's metadata service answered {}", answer->status));
  }
  return std::vector<HttpHeader>();
}

Result<std::string> InstanceCredentials::Ask(std::string target, const std::vector<HttpHeader>& proof) {
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, Send(HttpMethod::kGet, std::move(target), proof));
  if (answer.status != 200) {
    const ErrorCode code = IsPassing(answer.status) ? ErrorCode::kUnavailable : ErrorCode::kNotFound;
    return Error(code, fmt::format("the machine's metadata service answered {}", answer.status));
  }
  return Trimmed(std::string(BodyText(answer)));
}

Result<AwsCredentials> InstanceCredentials::Get() {
  if (surroundings_.variable("AWS_EC2_METADATA_DISABLED") == "true") {
    return Error(ErrorCode::kNotFound, "AWS_EC2_METADATA_DISABLED is true");
  }
  MR_ASSIGN_OR_RETURN(const std::vector<HttpHeader> proof, Proof());
  constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
  MR_ASSIGN_OR_RETURN(std::string role, Ask(std::string(kRoles), proof));
  role = role.substr(0, role.find('\n'));
  if (role.empty()) return Error(ErrorCode::kNotFound, "the machine has no role");
  MR_ASSIGN_OR_RETURN(const std::string text, Ask(fmt::format("{}{}", kRoles, UriEncode(role)), proof));
  auto lent = ParseLent(text);
  if (lent && lent->expires_ms) return *std::move(lent);
  return Error(ErrorCode::kUnavailable, "the machine's metadata service gave no whole credentials")
      .WithRetryable(false);
}

}  // namespace millrace
