#include "store/s3/s3_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hex.h"
#include "base/limited_wait.h"
#include "store/s3/digest.h"
#include "store/s3/s3_refusal.h"

namespace millrace {
namespace {

// Requests ahead of their reader hold each other up where bandwidth is short; a second one would only add to that.
constexpr int kBackgroundPatience = 3;
constexpr std::chrono::milliseconds kHedgeAfterMin{5};
constexpr std::chrono::milliseconds kTimePerMiB{1'000};

std::string PlaceOf(const S3Settings& settings) {
  std::string place = "s3://" + settings.bucket;
  if (!settings.prefix.empty()) place += '/' + settings.prefix;
  return place;
}

std::string HostHeader(const HttpRequest& request) {
  const bool usual = request.port == (request.tls ? 443 : 80);
  const bool numeric6 = request.host.find(':') != std::string::npos;
  const std::string host = numeric6 ? '[' + request.host + ']' : request.host;
  return usual ? host : fmt::format("{}:{}", host, request.port);
}

std::string What(const S3Request& request) {
  if (request.key.empty()) return fmt::format("{} on the bucket", HttpMethodName(request.method));
  return fmt::format("{} {}", HttpMethodName(request.method), request.key);
}

}  // namespace

S3Client::S3Client(S3Settings settings, std::shared_ptr<HttpTransport> transport,
                   std::shared_ptr<AwsCredentialSource> credentials, const Clock& clock)
    : settings_(std::move(settings)),
      place_(PlaceOf(settings_)),
      transport_(std::move(transport)),
      credentials_(std::move(credentials)),
      clock_(clock),
      signer_({.region = settings_.region}),
      limiter_(settings_.limits),
      breaker_(settings_.breaker),
      hedge_budget_(settings_.hedge_percent_max),
      checksums_(settings_.checksums == Checksums::kOn) {}

std::string S3Client::FullKey(std::string_view key) const {
  std::string full = settings_.prefix;
  if (!full.empty()) full += '/';
  return full.append(key);
}

HttpRequest S3Client::Signed(const S3Request& request, const AwsCredentials& credentials) const {
  HttpRequest out;
  out.method = request.method;
  out.tls = settings_.tls;
  out.port = settings_.port;
  out.host = settings_.host;
  out.target = "/";
  if (settings_.addressing == S3Addressing::kVirtualHost) {
    out.host = settings_.bucket + '.' + out.host;
  } else {
    out.target += settings_.bucket;
    if (!request.key.empty()) out.target += '/';
  }
  if (!request.key.empty()) out.target += UriEncode(FullKey(request.key), Slash::kKeep);
  if (!request.query.empty()) out.target += '?' + FormatQuery(request.query);
  out.headers = request.headers;
  out.headers.push_back({"host", HostHeader(out)});
  out.body = request.body;
  out.part_lengths = request.part_lengths;
  out.unsized_bytes_max = request.unsized_bytes_max;
  // Over TLS the body is protected already, and carries a checksum; hashing it would only cost.
  const bool bare = settings_.tls && !request.body.empty() && !request.sign_body;
  const std::string hash = bare ? std::string(kUnsignedPayload) : ToHex(Sha256(request.body));
  out.headers.push_back({"x-amz-content-sha256", hash});
  signer_.Sign(out, credentials, clock_.WallMs(), hash);
  const std::uint64_t mebibytes = std::min<std::uint64_t>(request.body_bytes >> 20, 6 * 1024);
  out.deadline =
      DeadlineInScope(clock_, settings_.attempt_time_max + static_cast<std::int64_t>(mebibytes) * kTimePerMiB);
  return out;
}

Result<HttpResponse> S3Client::Deliver(const S3Request& request, const HttpRequest& signed_request) {
  requests_.Add();
  if (request.hedging == Hedging::kOff || settings_.hedging == Hedging::kOff) return transport_->Send(signed_request);
  hedge_budget_.OnRequest();
  const auto begin = clock_.Monotonic();
  const auto usual = latency_.Percentile95(request.body_bytes);
  const int patience = request.urgency == Urgency::kBackground ? kBackgroundPatience : 1;
  Result<HttpResponse> answer = [&] {
    if (!usual) return transport_->Send(signed_request);
    const HedgePlan plan{.after = std::max<std::chrono::nanoseconds>(*usual * patience, kHedgeAfterMin),
                         .allowed = [this] { return hedge_budget_.TryHedge(); }};
    return transport_->Race(signed_request, plan);
  }();
  if (answer && answer->status / 100 == 2) latency_.Record(request.body_bytes, clock_.Monotonic() - begin);
  if (answer && answer->hedged) hedges_.Add();
  if (answer && answer->hedge_won) hedges_won_.Add();
  return answer;
}

void S3Client::Learn(const S3Request& request, const Result<HttpResponse>& answer) {
  // A caller that gave up says nothing of the store.
  if (!answer && LimitReached(clock_, "")) return;
  if (answer && (answer->status < 500 || answer->status == 501 || IsThrottling(answer->status))) {
    // Throttled or not, it is there; the limit of its kind takes care of the rest.
    breaker_.Succeeded();
    if (IsExpiredCredentials(*answer)) credentials_->Refused();
    return;
  }
  failed_.Add();
  breaker_.Failed(clock_.Monotonic(), answer ? ErrorOf(request, *answer) : InPlace(request, answer.error()));
}

Result<HttpResponse> S3Client::Exchange(const S3Request& request) {
  if (const auto limit = LimitReached(clock_, What(request))) return limit->WithContext(place_);
  if (const auto refused = breaker_.Refusal(clock_.Monotonic())) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} (the last of several failures; asked again in {} ms)", refused->why.message(),
                             std::chrono::ceil<std::chrono::milliseconds>(refused->wait).count()),
                 std::string(refused->why.hint()));
  }
  // Before there is room for it: a caller that waits for a token service keeps no other from the store.
  const auto credentials = credentials_->Get();
  if (!credentials) return credentials.error().WithContext(place_);
  const auto permit = limiter_.Acquire(request.kind, request.urgency, clock_);
  if (!permit) return InPlace(request, permit.error());
  const HttpRequest signed_request = Signed(request, *credentials);
  Result<HttpResponse> answer = Deliver(request, signed_request);
  const bool throttled = answer && IsThrottling(answer->status);
  limiter_.Release(*permit, throttled ? RequestLimiter::Outcome::kThrottled : RequestLimiter::Outcome::kDone);
  Learn(request, answer);
  if (!answer) return InPlace(request, answer.error());
  return answer;
}

Result<HttpResponse> S3Client::ExchangeChecked(S3Request request, HttpHeader header) {
  request.sign_body = !checksums();
  if (request.sign_body) return Exchange(request);
  request.headers.push_back(std::move(header));
  Result<HttpResponse> answer = Exchange(request);
  if (!answer || !MayRefuseHeaders(*answer)) return answer;
  request.headers.pop_back();
  request.sign_body = true;
  Result<HttpResponse> without = Exchange(request);
  if (!without || without->status / 100 != 2) return answer;
  checksums_ = false;
  return without;
}

Error S3Client::InPlace(const S3Request& request, const Error& error) const {
  return error.WithContext(fmt::format("{}: {}", place_, What(request)));
}

Error S3Client::ErrorOf(const S3Request& request, const HttpResponse& response) const {
  return S3Error({place_, What(request), std::string(request.key), settings_.region, clock_.WallMs()}, response);
}

Error S3Client::BadAnswer(const S3Request& request, std::string_view what) const {
  return {ErrorCode::kUnavailable, fmt::format("{}: {}: {}", place_, What(request), what)};
}

S3Counts S3Client::Counts() const {
  return {requests_.value(),    failed_.value(),
          limiter_.throttled(), hedges_.value(),
          hedges_won_.value(),  breaker_.opened(),
          breaker_.refused(),   settings_.checksums == Checksums::kOn && !checksums()};
}

}  // namespace millrace
