#include "store/store_probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "base/crc32c.h"
#include "base/try.h"
#include "store/object_pieces.h"
#include "store/s3/s3_object_store.h"

namespace millrace {
namespace {

constexpr std::size_t kObjectBytes = 64 << 10;
constexpr std::int64_t kSkewWarnMs = 60'000, kSkewFailMs = 15 * 60'000;

class Probe {
 public:
  Probe(ObjectStore& store, Random& random, const Clock& clock, S3ObjectStore* s3, StoreWriters writers)
      : store_(store),
        s3_(s3),
        writers_(writers),
        clock_(clock),
        folder_(fmt::format("doctor-{:016x}", random.Next())),
        key_(folder_ + "/probe.obj") {
    Buffer bytes(kObjectBytes);
    for (std::byte& byte : bytes.bytes()) byte = static_cast<std::byte>(random.Next());
    bytes_ = std::move(bytes).Freeze();
  }

  StoreProbe Run() {
    if (!Reach()) return std::move(probe_);
    CheckAbsent();
    if (!Put()) return std::move(probe_);
    CheckReadAfterWrite();
    CheckClock();
    CheckHead();
    CheckRange();
    CheckChecksum();
    CheckPutIfAbsent();
    CheckList();
    CheckDelete();
    if (s3_ != nullptr) CheckBucket(s3_->BucketRules());
    return std::move(probe_);
  }

 private:
  void Say(FindingLevel level, std::string_view check, std::string text, std::string remedy = {}) {
    probe_.findings.push_back({level, std::string(check), std::move(text), std::move(remedy)});
  }
  void Fail(std::string_view check, const Error& error, std::string_view consequence) {
    Say(FindingLevel::kFail, check, fmt::format("{}; {}", error.message(), consequence), std::string(error.hint()));
  }

  bool Reach() {
    const auto begin = clock_.Monotonic();
    const auto page = store_.List(folder_ + '/', "", 1);
    if (page) {
      const auto took = std::chrono::duration<double, std::milli>(clock_.Monotonic() - begin);
      Say(FindingLevel::kOk, "reachable", fmt::format("{} answers in {:.1f} ms", store_.Describe(), took.count()));
      return true;
    }
    // S3 says 403 for a key that is not there, too, to who may not list.
    Fail(
        "reachable", page.error(),
        page.error().code() == ErrorCode::kPermissionDenied
            ? "without the right to list (s3:ListBucket) no look for a later claim can succeed: nothing can be uploaded"
            : "nothing can be uploaded or read from it");
    probe_.unreachable = page.error();
    return false;
  }

  bool Put() {
    const auto put = store_.Put(key_, std::span(&bytes_, 1), PutMode::kOverwrite);
    if (put) {
      Say(FindingLevel::kOk, "put", fmt::format("stored {} bytes", bytes_.size()));
      return true;
    }
    Fail("put", put.error(), "segments cannot be uploaded: the log stays on the local disk until that is full");
    return false;
  }

  /// Before the put: a store that remembers absence is to be found out.
  void CheckAbsent() {
    const auto got = store_.Get(key_, {0, 1});
    if (!got && got.error().code() == ErrorCode::kNotFound)
      return Say(FindingLevel::kOk, "absent", "a key that is not there is told to be absent");
    const std::string what =
        got ? std::string("a key that is not there is answered with bytes") : std::string(got.error().message());
    Say(FindingLevel::kFail, "absent",
        what +
            "; before anything rests on an upload there is a look for a later claim, which has to be told absent: "
            "nothing can be uploaded",
        "Give this user s3:ListBucket on the bucket: without it S3 says 403 where it should say 404");
  }

  void CheckReadAfterWrite() {
    const auto got = store_.Get(key_, {0, 1});
    if (got)
      return Say(FindingLevel::kOk, "read-after-put", "shows what was just put, also where it was absent before");
    if (got.error().code() != ErrorCode::kNotFound)
      return Fail("read-after-put", got.error(), "what was uploaded cannot be read");
    Say(FindingLevel::kFail, "read-after-put",
        "remembers that a key was absent after it was put: no claim can rest on that, and the log refuses to write "
        "there",
        "Use a store whose reads see what was written, and no cache before it");
  }

  void CheckBucket(const S3BucketRules& rules) {
    constexpr std::string_view kNotTold = "not told: this user may not ask, or the store does not know the question";
    if (!rules.versioned) {
      Say(FindingLevel::kOk, "versions", std::string(kNotTold));
    } else if (*rules.versioned) {
      Say(FindingLevel::kWarn, "versions",
          "the bucket keeps old versions: what retention deletes stays and is paid for",
          "Let a lifecycle rule remove noncurrent versions");
    } else {
      Say(FindingLevel::kOk, "versions", "the bucket keeps no old versions");
    }
    if (!rules.locked) {
      Say(FindingLevel::kOk, "object-lock", std::string(kNotTold));
    } else if (*rules.locked) {
      Say(FindingLevel::kWarn, "object-lock",
          "object lock is on: deletions that it refuses are tried again after growing pauses, and told by status",
          "Set no default retention longer than the log's own, or leave it: no record is at risk");
    } else {
      Say(FindingLevel::kOk, "object-lock", "object lock is off");
    }
    if (!rules.expiring) {
      Say(FindingLevel::kOk, "lifecycle", fmt::format("{}; no rule may expire objects under the prefix", kNotTold));
    } else if (!rules.expiring->empty()) {
      Say(FindingLevel::kFail, "lifecycle",
          fmt::format("lifecycle rules expire objects under the prefix ({}): they would delete records, and claims, "
                      "without which the log refuses to write",
                      fmt::join(*rules.expiring, ", ")),
          "Take the prefix out of these rules; retention is the log's own");
    } else {
      Say(FindingLevel::kOk, "lifecycle", "no rule expires objects under the prefix");
    }
    if (rules.encryption) {
      CheckEncryption(*rules.encryption);
    } else {
      Say(FindingLevel::kOk, "encryption", std::string(kNotTold));
    }
  }

  /// Of what the bucket does by itself: a log's requests ask for nothing.
  void CheckEncryption(const S3Encryption& encryption) {
    constexpr std::string_view kRights =
        "the log needs kms:GenerateDataKey and kms:Decrypt on that key, and without the key every record is lost";
    if (!encryption.algorithm.starts_with("aws:kms"))
      return Say(FindingLevel::kOk, "encryption",
                 encryption.algorithm.empty() ? std::string("the bucket sets none")
                                              : fmt::format("{}, with keys of the store's own", encryption.algorithm));
    const bool bucket_key = encryption.bucket_key && encryption.algorithm == "aws:kms";
    if (bucket_key) return Say(FindingLevel::kOk, "encryption", fmt::format("SSE-KMS with a bucket key: {}", kRights));
    Say(FindingLevel::kWarn, "encryption",
        fmt::format("{} without a bucket key: each upload and each ranged read is a call of KMS, too, which is paid "
                    "for and limited for the whole account, and readers wait where it throttles; {}",
                    encryption.algorithm, kRights),
        encryption.algorithm == "aws:kms" ? "Enable the bucket key of this bucket"
                                          : "Use aws:kms with a bucket key, unless two layers are asked for");
  }

  void CheckClock() {
    const auto head = store_.Head(key_);
    if (!head || head->modified_ms == 0) {
      // A directory. A signed request from a wrong clock is refused, which the other findings tell.
      return Say(FindingLevel::kOk, "clock", "not compared: the store tells no times, and nothing rests on them");
    }
    const std::int64_t skew_ms = head->modified_ms - clock_.WallMs();
    const std::string text = fmt::format("the store's clock is {:.1f} s {} ours", std::abs(double(skew_ms)) / 1000.0,
                                         skew_ms < 0 ? "behind" : "ahead of");
    const std::string remedy = "Set the clock (chrony, timesyncd)";
    if (std::abs(skew_ms) >= kSkewFailMs)
      return Say(FindingLevel::kFail, "clock", text + "; S3 refuses such requests", remedy);
    if (std::abs(skew_ms) >= kSkewWarnMs) {
      return Say(FindingLevel::kWarn, "clock", text + "; S3 refuses requests from 15 minutes on", remedy);
    }
    Say(FindingLevel::kOk, "clock", std::abs(skew_ms) < 2'000 ? std::string("agrees within 2 s") : text);
  }

  void CheckHead() {
    const auto head = store_.Head(key_);
    if (!head) return Fail("head", head.error(), "a put without an answer cannot be settled");
    if (head->size_bytes == bytes_.size()) return Say(FindingLevel::kOk, "head", "tells the size of an object");
    Say(FindingLevel::kFail, "head",
        fmt::format("an object of {} bytes is told to have {}; what is stored is not what was sent", bytes_.size(),
                    head->size_bytes),
        "Use another store");
  }

  void CheckRange() {
    constexpr std::uint64_t kFirst = 1'000, kLength = 30'000;
    const auto got = store_.Get(key_, {kFirst, kLength});
    if (!got) return Fail("ranged-get", got.error(), "blocks of a segment cannot be read");
    if (!std::ranges::equal(got->bytes(), bytes_.bytes().subspan(kFirst, kLength))) {
      return Say(FindingLevel::kFail, "ranged-get",
                 "a range holds other bytes than were stored; reads would fail their CRC", "Use another store");
    }
    const auto beyond = store_.Get(key_, {bytes_.size(), 1});
    if (!beyond && beyond.error().code() == ErrorCode::kOutOfRange) {
      return Say(FindingLevel::kOk, "ranged-get", "serves ranges, and refuses what lies past the end");
    }
    Say(FindingLevel::kWarn, "ranged-get", "serves ranges, but does not refuse what lies past the end");
  }

  void CheckChecksum() {
    const auto got = store_.Get(key_, {0, bytes_.size()});
    if (!got) return Fail("checksum", got.error(), "whole objects cannot be read");
    const bool same = Crc32c(*got) == Crc32c(bytes_);
    probe_.traits.takes_checksums = s3_ == nullptr || !s3_->Counts().checksums_refused;
    if (same && !probe_.traits.takes_checksums) {
      return Say(FindingLevel::kWarn, "checksum",
                 "the store refuses the headers of checksums; what is put is signed instead and what comes back is "
                 "checked by its own CRCs, so no data is at risk; a put without an answer is sent again",
                 "Write checksum=none into the URL to save the first refusal of each run");
    }
    if (same) return Say(FindingLevel::kOk, "checksum", "the CRC-32C of what came back is that of what was sent");
    Say(FindingLevel::kFail, "checksum", "what came back has another CRC-32C than what was sent", "Use another store");
  }

  void CheckPutIfAbsent() {
    const SharedBytes other = SharedBytes::Copy(AsBytes("other bytes"));
    const auto put = store_.Put(key_, std::span(&other, 1), PutMode::kIfAbsent);
    if (!put && put.error().code() != ErrorCode::kAlreadyExists) {
      return Say(ClaimLevel(), "put-if-absent",
                 fmt::format("{}; claims rest on it: the log refuses to write there", put.error().message()),
                 std::string(put.error().hint()));
    }
    const auto now = store_.Get(key_, {0, bytes_.size()});
    const bool kept = now && std::ranges::equal(now->bytes(), bytes_.bytes());
    probe_.traits.put_if_absent = !put && kept;
    if (*probe_.traits.put_if_absent) return Say(FindingLevel::kOk, "put-if-absent", "a taken key is refused");
    if (writers_ == StoreWriters::kOne)
      return Say(
          FindingLevel::kWarn, "put-if-absent",
          "the store overwrites a taken key; its URL says single_writer=1, so the log writes there all the same, "
          "and a second directory that goes on with it would not be told apart",
          "See to it that one directory alone writes under this prefix");
    // Not a failure: what lies there can be read.
    Say(FindingLevel::kWarn, "put-if-absent",
        "the store answers that all is well and overwrites a taken key: two writers could not be told apart, and the "
        "log refuses to write there",
        "Use a store that honours If-None-Match: *, or add single_writer=1 to its URL if no other process will ever "
        "write there");
  }

  /// Of what only claims need.
  [[nodiscard]] FindingLevel ClaimLevel() const {
    return writers_ == StoreWriters::kOne ? FindingLevel::kWarn : FindingLevel::kFail;
  }

  void CheckList() {
    const auto page = store_.List(folder_ + '/', "", 10);
    if (!page) return Fail("list", page.error(), "orphans cannot be collected, and a lost log not be restored");
    const bool there = std::ranges::any_of(page->objects, [&](const auto& object) { return object.key == key_; });
    if (there) return Say(FindingLevel::kOk, "list", "shows what was just stored");
    Say(FindingLevel::kWarn, "list",
        "does not show what was just stored; orphans are collected later than they could be, and a restore is refused "
        "for as long as a listing lacks what is there");
  }

  void CheckDelete() {
    const std::string keys[] = {key_, folder_ + "/absent.obj"};
    const auto deleted = store_.DeleteMany(keys);
    if (!deleted) return Fail("delete", deleted.error(), "what retention gives up is kept and paid for");
    const auto head = store_.Head(key_);
    if (!head && head.error().code() == ErrorCode::kNotFound) {
      return Say(FindingLevel::kOk, "delete", "what was deleted is gone");
    }
    Say(FindingLevel::kWarn, "delete",
        "what was deleted is still told to be there; a bucket with versions keeps it and is paid for",
        "Let a lifecycle rule remove old versions");
  }

  ObjectStore& store_;
  S3ObjectStore* const s3_;
  const StoreWriters writers_;
  const Clock& clock_;
  const std::string folder_, key_;
  SharedBytes bytes_;
  StoreProbe probe_;
};

}  // namespace

StoreProbe ProbeStore(ObjectStore& store, Random& random, const Clock& clock, S3ObjectStore* s3, StoreWriters writers) {
  return Probe(store, random, clock, s3, writers).Run();
}

}  // namespace millrace
