#include "store/s3/s3_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>

#include "base/try.h"
#include "http/content_range.h"
#include "http/http_time.h"

namespace millrace {
namespace {

// Each tag becomes some 60 bytes of tree: their number bounds it.
constexpr std::ptrdiff_t kTagsMax = 100'000;
constexpr std::size_t kShownMax = 300;

Error Unreadable(std::string_view what) {
  return {ErrorCode::kUnavailable, fmt::format("the store's answer cannot be read: {}", what)};
}

bool Load(pugi::xml_document& document, std::string_view body) {
  if (body.size() > kS3ReplyBytesMax || std::ranges::count(body, '<') > kTagsMax) return false;
  return document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
}

std::string Printable(std::string_view text) {
  std::string shown(text.substr(0, kShownMax));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

// The document's root, if it is the one expected.
Result<pugi::xml_node> Root(pugi::xml_document& document, std::string_view body, const char* name) {
  if (!Load(document, body)) return Unreadable(fmt::format("no whole {}", name));
  const pugi::xml_node root = document.document_element();
  if (std::strcmp(root.name(), name) == 0) return root;
  if (std::strcmp(root.name(), "Error") == 0) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the store failed after it had said 200: {} {}", Printable(root.child_value("Code")),
                             Printable(root.child_value("Message"))));
  }
  return Unreadable(fmt::format("it is no {}", name));
}

}  // namespace

S3Refusal ParseS3Refusal(std::string_view body) {
  pugi::xml_document document;
  if (!Load(document, body)) return {};
  pugi::xml_node error = document.document_element();
  if (const pugi::xml_node wrapped = error.child("Error")) error = wrapped;  // as STS does
  return {Printable(error.child_value("Code")), Printable(error.child_value("Message")),
          Printable(error.child_value("Region")), Printable(error.child_value("Endpoint"))};
}

Result<S3Listing> ParseS3Listing(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "ListBucketResult"));
  S3Listing listing;
  for (const pugi::xml_node item : root.children("Contents")) {
    ObjectDescription object;
    object.key = item.child_value("Key");
    const auto size = ParseCount(item.child_value("Size"));
    if (object.key.empty() || !size) return Unreadable("a listed object has no key or no size");
    object.size_bytes = *size;
    object.modified_ms = ParseIsoTime(item.child_value("LastModified")).value_or(0);
    listing.objects.push_back(std::move(object));
  }
  const std::string_view truncated = root.child_value("IsTruncated");
  if (truncated != "true" && truncated != "false") return Unreadable("a listing does not say whether it goes on");
  if (truncated == "true") {
    listing.next = root.child_value("NextContinuationToken");
    if (listing.next.empty()) return Unreadable("a listing goes on and does not say where");
  }
  return listing;
}

Result<std::vector<S3Undeleted>> ParseS3Deletion(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "DeleteResult"));
  std::vector<S3Undeleted> left;
  for (const pugi::xml_node item : root.children("Error")) {
    left.push_back({Printable(item.child_value("Key")), Printable(item.child_value("Code"))});
  }
  return left;
}

Result<std::string> ParseS3UploadId(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "InitiateMultipartUploadResult"));
  std::string id = root.child_value("UploadId");
  if (id.empty()) return Unreadable("a multipart upload has no id");
  return id;
}

Result<void> ParseS3Completion(std::string_view body) {
  pugi::xml_document document;
  MR_TRY(Root(document, body, "CompleteMultipartUploadResult"));
  return {};
}

Result<bool> ParseS3Versioning(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "VersioningConfiguration"));
  return std::string_view(root.child_value("Status")) == "Enabled";
}

Result<bool> ParseS3ObjectLock(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "ObjectLockConfiguration"));
  return std::string_view(root.child_value("ObjectLockEnabled")) == "Enabled";
}

Result<std::vector<S3ExpiryRule>> ParseS3Lifecycle(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "LifecycleConfiguration"));
  std::vector<S3ExpiryRule> rules;
  for (const pugi::xml_node rule : root.children("Rule")) {
    const pugi::xml_node expiration = rule.child("Expiration"), filter = rule.child("Filter");
    const bool expires = expiration.child("Days") || expiration.child("Date");
    const bool by_tag = filter.child("Tag") || filter.child("And").child("Tag");  // a log's objects have none
    if (std::string_view(rule.child_value("Status")) != "Enabled" || !expires || by_tag) continue;
    const std::string name = Printable(rule.child_value("ID"));
    std::string prefix = rule.child_value("Prefix");
    if (filter.child("Prefix")) prefix = filter.child_value("Prefix");
    if (filter.child("And").child("Prefix")) prefix = filter.child("And").child_value("Prefix");
    rules.push_back({name.empty() ? "a rule without a name" : name, std::move(prefix)});
  }
  return rules;
}

Result<S3Encryption> ParseS3Encryption(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "ServerSideEncryptionConfiguration"));
  const pugi::xml_node rule = root.child("Rule");
  return S3Encryption{Printable(rule.child("ApplyServerSideEncryptionByDefault").child_value("SSEAlgorithm")),
                      std::string_view(rule.child_value("BucketKeyEnabled")) == "true"};
}

Result<StsReply> ParseStsReply(std::string_view body) {
  pugi::xml_document document;
  MR_ASSIGN_OR_RETURN(const pugi::xml_node root, Root(document, body, "AssumeRoleWithWebIdentityResponse"));
  const pugi::xml_node credentials = root.child("AssumeRoleWithWebIdentityResult").child("Credentials");
  StsReply reply{credentials.child_value("AccessKeyId"), credentials.child_value("SecretAccessKey"),
                 credentials.child_value("SessionToken"), 0};
  const auto expires = ParseIsoTime(credentials.child_value("Expiration"));
  if (reply.access_key_id.empty() || reply.secret_access_key.empty() || !expires) {
    return Unreadable("the token service gave no whole credentials");
  }
  reply.expires_ms = *expires;
  return reply;
}

std::string XmlText(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&apos;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace millrace
