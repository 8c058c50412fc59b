#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/crc32c.h"
#include "base/try.h"
#include "store/object_pieces.h"
#include "store/s3/digest.h"
#include "store/s3/s3_put.h"
#include "store/s3/s3_reply.h"

namespace millrace {
namespace {

constexpr std::uint64_t kPartsMax = 10'000;  // S3's own limit

struct SentPart {
  std::string etag, crc32c;
};

// Cuts stretches of a chosen length off a row of pieces; no copy.
class PieceCutter {
 public:
  explicit PieceCutter(std::span<const SharedBytes> pieces) : pieces_(pieces) {}

  std::vector<SharedBytes> Cut(std::uint64_t bytes) {
    std::vector<SharedBytes> cut;
    while (bytes > 0 && !pieces_.empty()) {
      const std::uint64_t taken = std::min<std::uint64_t>(bytes, pieces_.front().size() - within_);
      if (taken > 0) cut.push_back(pieces_.front().Slice(within_, taken));
      bytes -= taken;
      within_ += taken;
      if (within_ < pieces_.front().size()) break;
      pieces_ = pieces_.subspan(1);
      within_ = 0;
    }
    return cut;
  }

 private:
  std::span<const SharedBytes> pieces_;
  std::uint64_t within_ = 0;
};

std::string_view BodyText(const HttpResponse& answer) {
  return answer.parts.empty() ? std::string_view() : AsText(answer.parts.front());
}

class MultipartUpload {
 public:
  MultipartUpload(S3Client& client, std::string_view key, PutMode mode) : client_(client), key_(key), mode_(mode) {}

  Result<void> Begin() {
    S3Request request{.method = HttpMethod::kPost, .kind = RequestKind::kPut, .key = key_, .query = {{"uploads", ""}}};
    MR_ASSIGN_OR_RETURN(const HttpResponse answer,
                        client_.ExchangeChecked(request, {"x-amz-checksum-algorithm", "CRC32C"}));
    if (answer.status / 100 != 2) return client_.ErrorOf(request, answer);
    checksums_ = client_.checksums();
    MR_ASSIGN_OR_RETURN(id_, ParseS3UploadId(BodyText(answer)));
    return {};
  }

  Result<void> Send(std::span<const SharedBytes> pieces) {
    std::uint32_t crc = 0;
    for (const SharedBytes& piece : pieces) crc = Crc32c(piece, crc);
    const std::uint64_t bytes = TotalBytes(pieces);
    S3Request request{.method = HttpMethod::kPut,
                      .kind = RequestKind::kPut,
                      .key = key_,
                      .query = {{"partNumber", std::to_string(sent_.size() + 1)}, {"uploadId", id_}},
                      .body = pieces,
                      .body_bytes = bytes,
                      .sign_body = !checksums_};
    if (checksums_) request.headers = {{"x-amz-checksum-crc32c", CrcBase64(crc)}};
    MR_ASSIGN_OR_RETURN(const HttpResponse answer, client_.Exchange(request));
    if (answer.status / 100 != 2) return client_.ErrorOf(request, answer);
    const auto etag = answer.Header("etag");
    if (!etag) return client_.BadAnswer(request, "a part was stored without an etag");
    sent_.push_back({std::string(*etag), CrcBase64(crc)});
    for (int shift = 24; shift >= 0; shift -= 8) crcs_.push_back(static_cast<std::byte>(crc >> shift));
    bytes_ += bytes;
    return {};
  }

  Result<void> Complete() {
    std::string text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (std::size_t i = 0; i < sent_.size(); ++i) {
      text += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag>", i + 1, XmlText(sent_[i].etag));
      if (checksums_) text += fmt::format("<ChecksumCRC32C>{}</ChecksumCRC32C>", sent_[i].crc32c);
      text += "</Part>";
    }
    text += "</CompleteMultipartUpload>";
    const SharedBytes body = SharedBytes::Copy(AsBytes(text));
    S3Request request{.method = HttpMethod::kPost,
                      .kind = RequestKind::kPut,
                      .key = key_,
                      .query = {{"uploadId", id_}},
                      .body = std::span(&body, 1),
                      .body_bytes = bytes_,
                      .sign_body = !checksums_};
    request.headers = {{"content-type", "application/xml"}};
    if (mode_ == PutMode::kIfAbsent) request.headers.push_back({"if-none-match", "*"});
    const auto answer = client_.Exchange(request);
    if (IsOutcomeUnknown(answer)) return Settle(answer ? client_.ErrorOf(request, *answer) : answer.error());
    if (!answer) return answer.error();
    if (answer->status / 100 != 2) return client_.ErrorOf(request, *answer);
    if (auto completed = ParseS3Completion(BodyText(*answer)); !completed) return Settle(completed.error());
    return {};
  }

  /// Best effort, and nothing at all once the caller's limits have ended: a bucket's lifecycle rule removes what this
  /// could not.
  void Abort() {
    const S3Request request{
        .method = HttpMethod::kDelete, .kind = RequestKind::kDelete, .key = key_, .query = {{"uploadId", id_}}};
    (void)client_.Exchange(request);
  }

 private:
  Result<void> Settle(const Error& unclear) {
    const std::string composite = fmt::format("{}-{}", CrcBase64(Crc32c(crcs_)), sent_.size());
    return S3SettlePut(client_, key_, {bytes_, composite}, mode_, unclear);
  }

  S3Client& client_;
  const std::string_view key_;
  const PutMode mode_;
  bool checksums_ = true;  // of this upload: its parts carry them all, or none
  std::string id_;
  std::vector<SentPart> sent_;
  std::vector<std::byte> crcs_;  // of the parts, as the checksum of the whole covers them
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<void> S3PutInParts(S3Client& client, std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  const std::uint64_t total = TotalBytes(pieces);
  const std::uint64_t part_bytes =
      std::max<std::uint64_t>({client.settings().multipart_part_bytes, (total + kPartsMax - 1) / kPartsMax, 1});
  MultipartUpload upload(client, key, mode);
  MR_TRY(upload.Begin());
  const auto run = [&]() -> Result<void> {
    PieceCutter cutter(pieces);
    for (std::uint64_t at = 0; at < total; at += part_bytes) MR_TRY(upload.Send(cutter.Cut(part_bytes)));
    return upload.Complete();
  };
  Result<void> done = run();
  if (!done) upload.Abort();
  return done;
}

}  // namespace millrace
