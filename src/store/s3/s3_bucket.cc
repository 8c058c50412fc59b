#include "store/s3/s3_bucket.h"

#include <string_view>
#include <utility>

#include "store/s3/s3_client.h"
#include "store/s3/s3_reply.h"

namespace millrace {
namespace {

struct Answer {
  int status = 0;
  std::string body;
};

/// None: no answer that could be read.
std::optional<Answer> Ask(S3Client& client, std::string_view question) {
  S3Request request{.kind = RequestKind::kList, .unsized_bytes_max = kS3ReplyBytesMax};
  request.query = {{std::string(question), ""}};
  auto answer = client.Exchange(request);
  if (!answer || answer->overlong) return {};
  return Answer{answer->status, answer->parts.empty() ? std::string() : std::string(AsText(answer->parts.front()))};
}

/// An answer of 404 with `code` says that nothing is set.
bool SaysNone(const Answer& answer, std::string_view code) {
  return answer.status == 404 && ParseS3Refusal(answer.body).code == code;
}

std::optional<bool> IsVersioned(S3Client& client) {
  const auto answer = Ask(client, "versioning");
  if (!answer || answer->status != 200) return {};
  const auto versioned = ParseS3Versioning(answer->body);
  return versioned ? std::optional(*versioned) : std::nullopt;
}

std::optional<bool> IsLocked(S3Client& client) {
  const auto answer = Ask(client, "object-lock");
  if (answer && SaysNone(*answer, "ObjectLockConfigurationNotFoundError")) return false;
  if (!answer || answer->status != 200) return {};
  const auto locked = ParseS3ObjectLock(answer->body);
  return locked ? std::optional(*locked) : std::nullopt;
}

std::optional<std::vector<std::string>> Expiring(S3Client& client) {
  const auto answer = Ask(client, "lifecycle");
  if (answer && SaysNone(*answer, "NoSuchLifecycleConfiguration")) return std::vector<std::string>();
  if (!answer || answer->status != 200) return {};
  const auto rules = ParseS3Lifecycle(answer->body);
  if (!rules) return {};
  const std::string ours = client.FullKey("");
  std::vector<std::string> reaching;
  for (const S3ExpiryRule& rule : *rules)
    if (rule.prefix.starts_with(ours) || ours.starts_with(rule.prefix)) reaching.push_back(rule.name);
  return reaching;
}

std::optional<S3Encryption> Encryption(S3Client& client) {
  const auto answer = Ask(client, "encryption");
  if (answer && SaysNone(*answer, "ServerSideEncryptionConfigurationNotFoundError")) return S3Encryption();
  if (!answer || answer->status != 200) return {};
  auto encryption = ParseS3Encryption(answer->body);
  return encryption ? std::optional(*std::move(encryption)) : std::nullopt;
}

}  // namespace

S3BucketRules AskBucketRules(S3Client& client) {
  return {.versioned = IsVersioned(client),
          .locked = IsLocked(client),
          .expiring = Expiring(client),
          .encryption = Encryption(client)};
}

}  // namespace millrace
