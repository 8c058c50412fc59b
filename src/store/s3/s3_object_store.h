// Objects in a bucket of S3, or of a server that speaks its protocol. Bytes that come back are checked: status, length,
// range, and the checksum where the store gives one. It does not retry; RetryingObjectStore does.
#pragma once

#include <memory>

#include "millrace/object_store.h"
#include "store/s3/s3_bucket.h"
#include "store/s3/s3_client.h"

namespace millrace {

/// Whether the store refuses a put-if-absent on a taken key is the store's affair: some answer 200 and overwrite.
/// ProbeStore tells. Unlike other stores, S3 lets a key be another key's folder. Errors beside those of ObjectStore:
/// kInvalidArgument (wrong region, no such bucket, no credentials, refused by the store for good) and kPermissionDenied
/// (identity without the right), both with a hint; kTimeout and kClosed at the limits of the thread (RequestScope).
/// Safe from any thread; calls block.
class S3ObjectStore final : public ObjectStore {
 public:
  /// `clock` outlives the store.
  S3ObjectStore(S3Settings settings, std::shared_ptr<HttpTransport> transport,
                std::shared_ptr<AwsCredentialSource> credentials, const Clock& clock)
      : client_(std::move(settings), std::move(transport), std::move(credentials), clock) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override;
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                            std::span<const std::uint64_t> lengths) override;
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                 std::span<const std::uint64_t> lengths) override;
  Result<ObjectDescription> Head(std::string_view key) override;
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override;
  Result<void> Delete(std::string_view key) override;
  Result<void> DeleteMany(std::span<const std::string> keys) override;
  [[nodiscard]] std::string Describe() const override { return client_.place(); }

  [[nodiscard]] S3Counts Counts() const { return client_.Counts(); }
  [[nodiscard]] const S3Settings& settings() const { return client_.settings(); }
  S3BucketRules BucketRules() { return AskBucketRules(client_); }

 private:
  Result<void> DeleteBatch(std::span<const std::string> keys);

  S3Client client_;
};

}  // namespace millrace
