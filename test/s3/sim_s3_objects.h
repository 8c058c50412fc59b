// What S3 does when nothing goes wrong: buckets, objects, lists and multipart uploads in memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/bytes.h"
#include "test/s3/sim_s3_reply.h"
#include "test/s3/sim_s3_request.h"

namespace millrace {

struct SimS3Object {
  SharedBytes bytes;
  std::uint32_t crc = 0;
  std::string etag;
  std::int64_t modified_ms = 0;
};

/// Not safe from several threads. Header names of replies are in small letters.
class SimS3Objects {
 public:
  using Objects = std::map<std::string, SimS3Object, std::less<>>;
  enum class PutIfAbsent { kKept, kIgnored };  // kIgnored: answers 200 and overwrites, as some servers do

  explicit SimS3Objects(PutIfAbsent put_if_absent) : put_if_absent_(put_if_absent) {}

  void CreateBucket(std::string_view name) { buckets_.try_emplace(std::string(name)); }
  SimS3Reply Answer(const SimS3Request& request, std::int64_t now_ms);
  /// A list as it would be of these objects.
  static SimS3Reply List(const SimS3Request& request, const Objects& objects);

  [[nodiscard]] const Objects* Bucket(std::string_view name) const;
  [[nodiscard]] Objects* Bucket(std::string_view name);
  [[nodiscard]] std::size_t unfinished_uploads() const { return uploads_.size(); }
  [[nodiscard]] std::uint64_t bytes_stored() const;

 private:
  struct Upload {
    std::string bucket, key;
    std::map<int, SimS3Object> parts;
  };
  SimS3Reply AnswerBucket(const SimS3Request& request);
  SimS3Reply Put(const SimS3Request& request, Objects& objects, std::int64_t now_ms);
  SimS3Reply DeleteMany(const SimS3Request& request, Objects& objects);
  SimS3Reply Multipart(const SimS3Request& request, Objects& objects, std::int64_t now_ms);
  SimS3Reply Complete(const SimS3Request& request, std::string_view id, Objects& objects, std::int64_t now_ms);
  [[nodiscard]] bool Refuses(const SimS3Request& request, const Objects& objects) const;

  const PutIfAbsent put_if_absent_;
  std::map<std::string, Objects, std::less<>> buckets_;
  std::map<std::string, Upload, std::less<>> uploads_;
  std::uint64_t uploads_begun_ = 0;
};

/// The value of x-amz-checksum-crc32c: base64 of the four bytes, big-endian.
std::string ChecksumHeader(std::uint32_t crc);

}  // namespace millrace
