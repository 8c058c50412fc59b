#include "store/store_probe.h"

#include <fmt/format.h>

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
  Probe(ObjectStore& store, Random& random, const Clock& clock, const S3ObjectStore* s3)
      : store_(store),
        s3_(s3),
        clock_(clock),
        folder_(fmt::format("doctor-{:016x}", random.Next())),
        key_(folder_ + "/probe.obj") {
    Buffer bytes(kObjectBytes);
    for (std::byte& byte : bytes.bytes()) byte = static_cast<std::byte>(random.Next());
    bytes_ = std::move(bytes).Freeze();
  }

  StoreProbe Run() {
    if (!Reach() || !Put()) return std::move(probe_);
    CheckClock();
    CheckHead();
    CheckRange();
    CheckChecksum();
    CheckPutIfAbsent();
    CheckList();
    CheckDelete();
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
    Fail("reachable", page.error(), "nothing can be uploaded or read from it");
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
      return Say(FindingLevel::kWarn, "put-if-absent",
                 fmt::format("{}; nothing of the engine rests on it", put.error().message()),
                 std::string(put.error().hint()));
    }
    const auto now = store_.Get(key_, {0, bytes_.size()});
    const bool kept = now && std::ranges::equal(now->bytes(), bytes_.bytes());
    probe_.traits.put_if_absent = !put && kept;
    if (*probe_.traits.put_if_absent) return Say(FindingLevel::kOk, "put-if-absent", "a taken key is refused");
    Say(FindingLevel::kWarn, "put-if-absent",
        "the store answers that all is well and overwrites a taken key; keys are used once, so no data is at risk, but "
        "the store will not notice a second engine on the same bucket and prefix",
        "Give each engine a prefix of its own, or use a store that honours If-None-Match");
  }

  void CheckList() {
    const auto page = store_.List(folder_ + '/', "", 10);
    if (!page) return Fail("list", page.error(), "orphans cannot be found and collected");
    const bool there = std::ranges::any_of(page->objects, [&](const auto& object) { return object.key == key_; });
    if (there) return Say(FindingLevel::kOk, "list", "shows what was just stored");
    Say(FindingLevel::kWarn, "list",
        "does not show what was just stored; orphans are collected later than they could be");
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
  const S3ObjectStore* const s3_;
  const Clock& clock_;
  const std::string folder_, key_;
  SharedBytes bytes_;
  StoreProbe probe_;
};

}  // namespace

StoreProbe ProbeStore(ObjectStore& store, Random& random, const Clock& clock, const S3ObjectStore* s3) {
  return Probe(store, random, clock, s3).Run();
}

}  // namespace millrace
