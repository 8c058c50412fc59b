#include "store/s3/s3_refusal.h"

#include <fmt/format.h>

#include "http/http_time.h"
#include "store/object_key.h"
#include "store/s3/s3_reply.h"

namespace millrace {
namespace {

S3Refusal RefusalOf(const HttpResponse& response) {
  return response.parts.empty() ? S3Refusal() : ParseS3Refusal(AsText(response.parts.front()));
}

std::string Text(const S3Asked& asked, const HttpResponse& response, const S3Refusal& refusal) {
  std::string text = fmt::format("{}: {}: the store answered {}", asked.store, asked.what, response.status);
  if (!refusal.code.empty()) text += ' ' + refusal.code;
  if (!refusal.message.empty()) text += fmt::format(" ({})", refusal.message);
  return text;
}

Error WrongClock(const S3Asked& asked, const HttpResponse& response) {
  const auto theirs = ParseHttpTime(response.Header("date").value_or(""));
  return {ErrorCode::kUnavailable,
          fmt::format("{}: the store refused a signed request: its clock is {}, ours {}, and S3 allows 15 minutes",
                      asked.store, theirs ? FormatTimeOfDay(*theirs) : "not told", FormatTimeOfDay(asked.wall_ms)),
          "Set the clock (chrony, timesyncd), then run `millrace doctor`"};
}

constexpr std::string_view kHintForKms =
    "The bucket encrypts with a key of KMS: it has to be enabled, and this identity needs kms:GenerateDataKey and "
    "kms:Decrypt on it";

std::string_view HintFor403(const S3Refusal& refusal) {
  const std::string_view code = refusal.code;
  if (refusal.message.contains("kms:")) return kHintForKms;
  if (code == "InvalidAccessKeyId")
    return "The store does not know this access key: check AWS_ACCESS_KEY_ID or the profile";
  if (code == "SignatureDoesNotMatch") {
    return "The secret key does not belong to the access key, or something between changes requests";
  }
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "ExpiredTokenException") {
    return "The session's credentials are no longer valid: get new ones";
  }
  return "The identity needs s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on the prefix and "
         "s3:ListBucket on the bucket; `millrace doctor` tells which is missing";
}

Error WrongRegion(const S3Asked& asked, const HttpResponse& response, const S3Refusal& refusal) {
  std::string region(response.Header("x-amz-bucket-region").value_or(refusal.region).substr(0, 64));
  for (char& c : region) {
    if (c < '!' || c > '~') c = '?';
  }
  std::string hint;
  if (!region.empty()) {
    hint = fmt::format("The bucket is in region {}: write region={} into the URL (it says {})", region, region,
                       asked.region);
  } else if (!refusal.endpoint.empty()) {
    hint = fmt::format("The bucket is to be reached at {}", refusal.endpoint);
  } else {
    hint = "The bucket is in another region: name it in the URL as region=NAME";
  }
  // A temporary redirect that names no region: the bucket is new, or moves; the address of today will do again.
  const bool for_now = response.status == 307 && region.empty();
  return {for_now ? ErrorCode::kUnavailable : ErrorCode::kInvalidArgument, Text(asked, response, refusal),
          std::move(hint)};
}

/// What arrived is not what was sent: something on the way changed or cut it, and may not do so again.
bool IsDamagedOnItsWay(std::string_view code) {
  return code == "BadDigest" || code == "IncompleteBody" || code == "XAmzContentChecksumMismatch" ||
         code == "XAmzContentSHA256Mismatch";
}

}  // namespace

bool MayRefuseHeaders(const HttpResponse& response) {
  if (response.status == 501) return true;
  if (response.status != 400) return false;
  const std::string code = RefusalOf(response).code;
  return code == "NotImplemented" || code == "InvalidRequest" || code == "InvalidArgument" ||
         code == "UnsupportedHeader";
}

bool IsExpiredCredentials(const HttpResponse& response) {
  if (response.status != 400 && response.status != 401 && response.status != 403) return false;
  const S3Refusal refusal = RefusalOf(response);
  return refusal.code == "ExpiredToken" || refusal.code == "InvalidToken" || refusal.code == "TokenRefreshRequired";
}

Error S3Error(const S3Asked& asked, const HttpResponse& response) {
  const S3Refusal refusal = RefusalOf(response);
  const int status = response.status;
  if (refusal.code == "RequestTimeTooSkewed" || refusal.code == "RequestExpired") return WrongClock(asked, response);
  const bool redirected = status == 301 || status == 302 || status == 307 || status == 308;
  if (redirected || refusal.code == "AuthorizationHeaderMalformed" ||
      refusal.code == "IllegalLocationConstraintException") {
    return WrongRegion(asked, response, refusal);
  }
  if (status == 404 && refusal.code == "NoSuchBucket") {
    return {ErrorCode::kInvalidArgument, fmt::format("{}: there is no such bucket", asked.store),
            "Create it, or correct bucket, region and endpoint in the URL"};
  }
  if (status == 404 && !asked.key.empty()) return ObjectNotFound(asked.store, asked.key);
  Error error(ErrorCode::kInvalidArgument, Text(asked, response, refusal));
  if (status == 404) return {ErrorCode::kNotFound, std::string(error.message())};
  if (status == 412 || status == 409) {
    return {ErrorCode::kAlreadyExists, fmt::format("{}: there is already an object {}", asked.store, asked.key)};
  }
  if (status == 416) {
    return {ErrorCode::kOutOfRange, fmt::format("{}: object {} has no such range", asked.store, asked.key)};
  }
  if (status == 408 || status == 504 || refusal.code == "RequestTimeout") {
    return {ErrorCode::kTimeout, std::string(error.message())};
  }
  if (IsDamagedOnItsWay(refusal.code)) return {ErrorCode::kUnavailable, std::string(error.message())};
  if (status == 429 || status >= 500) {
    // 501: the store will never do it.
    Error failed(ErrorCode::kUnavailable, std::string(error.message()));
    return status == 501 ? failed.WithRetryable(false) : failed;
  }
  if (IsExpiredCredentials(response)) {
    return {ErrorCode::kUnavailable, std::string(error.message()), std::string(HintFor403(refusal))};
  }
  // 400, since S3 passes on what KMS says.
  if (refusal.code.ends_with("ThrottlingException")) return {ErrorCode::kUnavailable, std::string(error.message())};
  if (refusal.code.starts_with("KMS."))
    return {ErrorCode::kPermissionDenied, std::string(error.message()), std::string(kHintForKms)};
  if (status == 403 || status == 401) {
    return {ErrorCode::kPermissionDenied, std::string(error.message()), std::string(HintFor403(refusal))};
  }
  return error;
}

}  // namespace millrace
