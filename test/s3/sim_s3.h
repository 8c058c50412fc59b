// A simulated S3 in one process: it keeps objects, answers late, fails from a seed, and counts what all that would
// cost. It knows no sockets and lets no time pass: Handle() turns a request into a plan of the answer, which
// SimS3Server carries out over HTTP and SimS3Transport in virtual time.
//
//   request ──► count ──► draw a fault ──► answer (SimS3Objects) ──► spoil ──► delay ──► SimS3Reply
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "env/seeded_random.h"
#include "millrace/clock.h"
#include "store/metered_object_store.h"
#include "test/s3/sim_s3_objects.h"
#include "test/s3/sim_s3_reply.h"
#include "test/s3/sim_s3_request.h"

namespace millrace {

/// What may befall one request; at most one of them does.
enum class S3Fault {
  kSlowDown,       // 503, no effect
  kTooMany,        // 429, no effect
  kInternal,       // 500, no effect
  kResetBefore,    // the connection breaks; no effect
  kResetAfter,     // it breaks without an answer; the effect is there
  kUnanswered,     // the effect is there; the answer comes after `silence`
  kResetInBody,    // a get breaks half-way
  kTruncated,      // a get ends in order before its content-length
  kShortRange,     // a get brings fewer bytes than asked, and its head agrees
  kWrongRange,     // a get brings other bytes than asked, as its content-range says
  kFlippedBit,     // a get brings one wrong bit
  kWrongChecksum,  // a get's checksum is wrong; a put is refused with BadDigest
  kStall,          // a get pauses half-way for `stall`
  kSlowGet,        // a get's first byte comes `slow` later
  kStaleList,      // a list does not know the last puts and still knows the last deletes
  kConflict,       // 409: another conditional put is under way; no effect
  kClockSkew,      // 403 RequestTimeTooSkewed; no effect
  kEnd
};
inline constexpr std::size_t kS3Faults = static_cast<std::size_t>(S3Fault::kEnd);
std::string_view S3FaultName(S3Fault fault);

struct SimS3Behaviour {
  std::chrono::nanoseconds first_byte{0};  // from the end of a request to the first byte of its answer
  double first_byte_sigma = 0;             // > 0: log-normal, times exp(sigma * N(0, 1)); `first_byte` is the median
  std::uint64_t bytes_per_second = 0;      // of each connection, each way; 0: no limit
  std::array<std::uint32_t, kS3Faults> per_million{};  // chance of each fault per request it can befall
  std::chrono::nanoseconds slow = std::chrono::seconds(2), stall = std::chrono::seconds(2);
  std::chrono::nanoseconds silence = std::chrono::hours(1);
  /// Of the store's clock against ours. A request signed more than 15 minutes off is refused, as S3 does.
  std::chrono::milliseconds clock_skew{0};

  SimS3Behaviour& Set(S3Fault fault, std::uint32_t chance_per_million) {
    per_million[static_cast<std::size_t>(fault)] = chance_per_million;
    return *this;
  }
};

/// Requests that arrived, refused and spoilt ones included.
struct SimS3Counts {
  std::array<std::uint64_t, kS3Verbs> requests{};
  std::uint64_t aborts = 0;  // of multipart uploads, which are among `requests` and cost nothing
  std::uint64_t bytes_in = 0, bytes_out = 0;

  [[nodiscard]] std::uint64_t of(S3Verb verb) const { return requests[static_cast<std::size_t>(verb)]; }
  [[nodiscard]] std::uint64_t all() const;
  /// What is paid for like a put: puts and the steps of multipart uploads.
  [[nodiscard]] std::uint64_t put_class() const { return of(S3Verb::kPut) + of(S3Verb::kMultipart) - aborts; }
  [[nodiscard]] double CostUsd(const RequestPrices& prices = {}) const;
};

/// Safe from any thread. What happens is a function of the seed and the order of requests.
class SimS3 {
 public:
  using PutIfAbsent = SimS3Objects::PutIfAbsent;

  /// `clock` stamps objects and answers, and outlives this.
  SimS3(std::uint64_t seed, const Clock& clock, PutIfAbsent put_if_absent = PutIfAbsent::kKept);

  SimS3Reply Handle(const SimS3Request& request);

  void CreateBucket(std::string_view name);
  /// From now on; a default one is a store without delay and fault.
  void SetBehaviour(const SimS3Behaviour& behaviour);
  /// The `n`-th request from now on (1: the next) that `fault` can befall meets it, whatever the chances say.
  void FailRequest(std::uint64_t n, S3Fault fault);
  /// Is told one line per request.
  void SetTrace(std::function<void(std::string_view)> trace);

  [[nodiscard]] SimS3Counts Counts() const;
  [[nodiscard]] std::uint64_t fired(S3Fault fault) const;
  /// Of all requests and answers so far.
  [[nodiscard]] std::uint64_t trace_hash() const;
  [[nodiscard]] std::optional<SharedBytes> Object(std::string_view bucket, std::string_view key) const;
  [[nodiscard]] std::size_t objects(std::string_view bucket) const;
  [[nodiscard]] std::size_t unfinished_uploads() const;
  /// Damages a stored object in place, as bit rot would; false if there is no such byte.
  bool FlipBit(std::string_view bucket, std::string_view key, std::uint64_t byte, unsigned bit);

 private:
  struct Change {
    std::string bucket, key;
    std::optional<SimS3Object> before;
  };
  std::optional<S3Fault> Draw(const SimS3Request& request) MR_REQUIRES(mutex_);
  SimS3Reply AnswerOrRefuse(const SimS3Request& request, std::optional<S3Fault>& fault) MR_REQUIRES(mutex_);
  bool Spoil(S3Fault fault, const SimS3Request& request, SimS3Reply& reply) MR_REQUIRES(mutex_);
  SimS3Reply ListStale(const SimS3Request& request) MR_REQUIRES(mutex_);
  void Remember(const SimS3Request& request) MR_REQUIRES(mutex_);
  void Delay(SimS3Reply& reply) MR_REQUIRES(mutex_);
  void Note(const SimS3Request& request, const SimS3Reply& reply, std::optional<S3Fault> fault) MR_REQUIRES(mutex_);
  [[nodiscard]] std::int64_t StoreTimeMs() const MR_REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  SeededRandom random_ MR_GUARDED_BY(mutex_);
  SimS3Objects store_ MR_GUARDED_BY(mutex_);
  SimS3Behaviour behaviour_ MR_GUARDED_BY(mutex_);
  SimS3Counts counts_ MR_GUARDED_BY(mutex_);
  std::array<std::uint64_t, kS3Faults> fired_ MR_GUARDED_BY(mutex_){};
  std::uint64_t chosen_in_ MR_GUARDED_BY(mutex_) = 0;  // requests until the chosen fault; 0: none is chosen
  S3Fault chosen_ MR_GUARDED_BY(mutex_) = S3Fault::kEnd;
  std::uint64_t trace_hash_ MR_GUARDED_BY(mutex_) = 0xcbf29ce484222325U;
  std::function<void(std::string_view)> trace_ MR_GUARDED_BY(mutex_);
  std::deque<Change> recent_ MR_GUARDED_BY(mutex_);  // what a stale list has not heard of
};

}  // namespace millrace
