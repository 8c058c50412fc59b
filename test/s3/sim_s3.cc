#include "test/s3/sim_s3.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <utility>

#include "base/crc32c.h"

namespace millrace {
namespace {

constexpr std::size_t kRecentChanges = 8;
constexpr std::int64_t kSkewMaxMs = 15 * 60 * 1000;
constexpr std::uint64_t kMillion = 1'000'000;

bool CanBefall(S3Fault fault, const SimS3Request& request) {
  const S3Verb verb = request.Verb();
  switch (fault) {
    case S3Fault::kResetInBody:
    case S3Fault::kTruncated:
    case S3Fault::kShortRange:
    case S3Fault::kWrongRange:
    case S3Fault::kFlippedBit:
    case S3Fault::kStall:
    case S3Fault::kSlowGet:
      return verb == S3Verb::kGet;
    case S3Fault::kWrongChecksum:
      return verb == S3Verb::kPut || (verb == S3Verb::kGet && request.Header("x-amz-checksum-mode") == "ENABLED");
    case S3Fault::kStaleList:
      return verb == S3Verb::kList;
    case S3Fault::kConflict:
      return verb == S3Verb::kPut && !request.Header("if-none-match").empty();
    default:
      return true;
  }
}

/// The answer of a fault that has no effect; none: it is no such fault.
std::optional<SimS3Reply> RefusalOf(S3Fault fault) {
  switch (fault) {
    case S3Fault::kSlowDown:
      return SimS3Refusal(503, "SlowDown", "Please reduce your request rate.");
    case S3Fault::kTooMany:
      return SimS3Refusal(429, "TooManyRequests", "Please reduce your request rate.");
    case S3Fault::kInternal:
      return SimS3Refusal(500, "InternalError", "We encountered an internal error.");
    case S3Fault::kConflict:
      return SimS3Refusal(409, "ConditionalRequestConflict", "Another put is under way.");
    case S3Fault::kClockSkew:
      return SimS3Refusal(403, "RequestTimeTooSkewed",
                          "The difference between the request time and ours is too large.");
    case S3Fault::kResetBefore:
      return SimS3Reply{.ending = SimS3Ending::kResetBeforeReply};
    default:
      return std::nullopt;
  }
}

/// "20261121T160000Z" in ms since 1970; none: not such a time.
std::optional<std::int64_t> SignedTimeMs(std::string_view text) {
  std::tm broken{};
  const char* const end = strptime(std::string(text).c_str(), "%Y%m%dT%H%M%SZ", &broken);
  if (text.size() != 16 || end == nullptr) return std::nullopt;
  return static_cast<std::int64_t>(timegm(&broken)) * 1000;
}

std::string HttpDate(std::int64_t ms) {
  const time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  return {text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

/// N(0, 1), after Box and Muller.
double Normal(Random& random) {
  const auto uniform = [&] { return (static_cast<double>(random.Below(1U << 30)) + 0.5) / (1U << 30); };
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

SharedBytes WithFlippedBit(std::span<const std::byte> bytes, std::uint64_t byte, unsigned bit) {
  Buffer copy(bytes.size());
  std::ranges::copy(bytes, copy.bytes().begin());
  copy.bytes()[byte] ^= static_cast<std::byte>(1U << bit);
  return std::move(copy).Freeze();
}

}  // namespace

std::string_view S3FaultName(S3Fault fault) {
  constexpr std::array<std::string_view, kS3Faults> kNames = {
      "slow-down",     "too-many",  "internal",    "reset-before", "reset-after", "unanswered",
      "reset-in-body", "truncated", "short-range", "wrong-range",  "flipped-bit", "wrong-checksum",
      "stall",         "slow-get",  "stale-list",  "conflict",     "clock-skew"};
  return kNames[static_cast<std::size_t>(fault)];
}

std::uint64_t SimS3Counts::all() const { return std::accumulate(requests.begin(), requests.end(), std::uint64_t{0}); }

double SimS3Counts::CostUsd(const RequestPrices& prices) const {
  return static_cast<double>(put_class()) * prices.put_usd + static_cast<double>(of(S3Verb::kList)) * prices.list_usd +
         static_cast<double>(of(S3Verb::kGet)) * prices.get_usd +
         static_cast<double>(of(S3Verb::kHead) + of(S3Verb::kBucket)) * prices.head_usd;
}

SimS3::SimS3(std::uint64_t seed, const Clock& clock, PutIfAbsent put_if_absent)
    : clock_(clock), random_(seed), store_(put_if_absent) {}

SimS3Reply SimS3::Handle(const SimS3Request& request) {
  const MutexLock lock(mutex_);
  const S3Verb verb = request.Verb();
  ++counts_.requests[static_cast<std::size_t>(verb)];
  if (verb == S3Verb::kMultipart && request.method == "DELETE") ++counts_.aborts;
  counts_.bytes_in += request.body.size();
  std::optional<S3Fault> fault = Draw(request);
  SimS3Reply reply = AnswerOrRefuse(request, fault);
  if (request.method == "HEAD") reply.body = {};
  reply.SetHeader("date", HttpDate(StoreTimeMs()));
  reply.SetHeader("server", "SimS3");
  Delay(reply);
  if (fault == S3Fault::kUnanswered) reply.first_byte += behaviour_.silence;
  if (fault == S3Fault::kSlowGet) reply.first_byte += behaviour_.slow;
  counts_.bytes_out += reply.body.size();
  Note(request, reply, fault);
  return reply;
}

/// Clears `fault` if it did not come to pass after all.
SimS3Reply SimS3::AnswerOrRefuse(const SimS3Request& request, std::optional<S3Fault>& fault) {
  if (const auto at = SignedTimeMs(request.Header("x-amz-date"));
      at && std::abs(*at - StoreTimeMs()) > kSkewMaxMs && !fault) {
    fault = S3Fault::kClockSkew;
  }
  if (fault) {
    if (auto refusal = RefusalOf(*fault)) return *std::move(refusal);
    if (*fault == S3Fault::kWrongChecksum && request.Verb() == S3Verb::kPut) {
      return SimS3Refusal(400, "BadDigest", "The CRC32C you specified did not match what we received.");
    }
  }
  if (request.Header("authorization").empty() && !request.query.contains("X-Amz-Signature")) {
    fault.reset();
    return SimS3Refusal(403, "AccessDenied", "Access Denied");
  }
  Remember(request);
  SimS3Reply reply = fault == S3Fault::kStaleList ? ListStale(request) : store_.Answer(request, StoreTimeMs());
  if (fault && !Spoil(*fault, request, reply)) fault.reset();
  return reply;
}

/// A fault drawn for each request depends on nothing but the order of requests.
std::optional<S3Fault> SimS3::Draw(const SimS3Request& request) {
  if (chosen_in_ > 0 && CanBefall(chosen_, request) && --chosen_in_ == 0) return chosen_;
  for (std::size_t i = 0; i < kS3Faults; ++i) {
    const auto fault = static_cast<S3Fault>(i);
    if (behaviour_.per_million[i] == 0 || !CanBefall(fault, request)) continue;
    if (random_.Below(kMillion) < behaviour_.per_million[i]) return fault;
  }
  return std::nullopt;
}

/// False: there is nothing to spoil in this reply.
bool SimS3::Spoil(S3Fault fault, const SimS3Request& request, SimS3Reply& reply) {
  const std::uint64_t size = reply.body.size();
  const bool good_get = request.Verb() == S3Verb::kGet && reply.status < 300 && size >= 2;
  switch (fault) {
    case S3Fault::kResetAfter:
      reply.ending = SimS3Ending::kResetBeforeReply;
      return true;
    case S3Fault::kUnanswered:
    case S3Fault::kStaleList:
      return true;
    default:
      break;
  }
  if (!good_get) return false;
  switch (fault) {
    case S3Fault::kResetInBody:
    case S3Fault::kTruncated:
      reply.body = reply.body.Slice(0, random_.Below(size));
      reply.ending = fault == S3Fault::kTruncated ? SimS3Ending::kClosedInBody : SimS3Ending::kResetInBody;
      return true;
    case S3Fault::kShortRange:
      reply.SetBody(reply.body.Slice(0, 1 + random_.Below(size - 1)));
      return true;
    case S3Fault::kWrongRange: {
      const auto object = store_.Bucket(request.bucket)->find(request.key);
      const std::uint64_t begin = 1 + random_.Below(object->second.bytes.size() - 1);
      const std::uint64_t length = std::min<std::uint64_t>(size, object->second.bytes.size() - begin);
      reply.status = 206;
      reply.SetHeader("content-range",
                      fmt::format("bytes {}-{}/{}", begin, begin + length - 1, object->second.bytes.size()));
      // Where the other range is as long as the one asked for and begins elsewhere, only the header tells.
      reply.SetBody(object->second.bytes.Slice(begin, length));
      return true;
    }
    case S3Fault::kFlippedBit:
      reply.body = WithFlippedBit(reply.body, random_.Below(size), static_cast<unsigned>(random_.Below(8)));
      return true;
    case S3Fault::kWrongChecksum:
      reply.SetHeader("x-amz-checksum-crc32c", ChecksumHeader(Crc32c(reply.body) ^ 1));
      return true;
    case S3Fault::kStall:
      reply.stall = behaviour_.stall;
      return true;
    case S3Fault::kSlowGet:
      return true;
    default:
      return false;
  }
}

SimS3Reply SimS3::ListStale(const SimS3Request& request) {
  const SimS3Objects::Objects* const now = store_.Bucket(request.bucket);
  if (now == nullptr) return store_.Answer(request, StoreTimeMs());
  SimS3Objects::Objects then = *now;
  for (auto change = recent_.rbegin(); change != recent_.rend(); ++change) {
    if (change->bucket != request.bucket) continue;
    if (change->before) {
      then.insert_or_assign(change->key, *change->before);
    } else {
      then.erase(change->key);
    }
  }
  return SimS3Objects::List(request, then);
}

void SimS3::Remember(const SimS3Request& request) {
  const S3Verb verb = request.Verb();
  const SimS3Objects::Objects* const objects = store_.Bucket(request.bucket);
  if (objects == nullptr || (verb != S3Verb::kPut && verb != S3Verb::kDelete)) return;
  const auto found = objects->find(request.key);
  recent_.push_back({request.bucket, request.key,
                     found == objects->end() ? std::nullopt : std::optional<SimS3Object>(found->second)});
  if (recent_.size() > kRecentChanges) recent_.pop_front();
}

void SimS3::Delay(SimS3Reply& reply) {
  reply.first_byte = behaviour_.first_byte;
  reply.bytes_per_second = behaviour_.bytes_per_second;
  if (behaviour_.first_byte_sigma <= 0) return;
  const double factor = std::exp(behaviour_.first_byte_sigma * Normal(random_));
  reply.first_byte =
      std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(behaviour_.first_byte.count()) * factor));
}

void SimS3::Note(const SimS3Request& request, const SimS3Reply& reply, std::optional<S3Fault> fault) {
  if (fault) ++fired_[static_cast<std::size_t>(*fault)];
  std::string line =
      fmt::format("{} {}/{} {} -> {} {}, {} bytes of {}, after {} us", request.method, request.bucket, request.key,
                  request.Header("range"), reply.status, reply.Header("etag"), reply.body.size(), reply.content_length,
                  std::chrono::duration_cast<std::chrono::microseconds>(reply.first_byte).count());
  if (fault) line += fmt::format(" ({})", S3FaultName(*fault));
  for (const char character : line) {
    trace_hash_ = (trace_hash_ ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  }
  if (trace_) trace_(line);
}

std::int64_t SimS3::StoreTimeMs() const { return clock_.WallMs() + behaviour_.clock_skew.count(); }

void SimS3::CreateBucket(std::string_view name) {
  const MutexLock lock(mutex_);
  store_.CreateBucket(name);
}

void SimS3::SetBehaviour(const SimS3Behaviour& behaviour) {
  const MutexLock lock(mutex_);
  behaviour_ = behaviour;
}

void SimS3::FailRequest(std::uint64_t n, S3Fault fault) {
  const MutexLock lock(mutex_);
  chosen_in_ = n;
  chosen_ = fault;
}

void SimS3::SetTrace(std::function<void(std::string_view)> trace) {
  const MutexLock lock(mutex_);
  trace_ = std::move(trace);
}

SimS3Counts SimS3::Counts() const {
  const MutexLock lock(mutex_);
  return counts_;
}

std::uint64_t SimS3::fired(S3Fault fault) const {
  const MutexLock lock(mutex_);
  return fired_[static_cast<std::size_t>(fault)];
}

std::uint64_t SimS3::trace_hash() const {
  const MutexLock lock(mutex_);
  return trace_hash_;
}

std::optional<SharedBytes> SimS3::Object(std::string_view bucket, std::string_view key) const {
  const MutexLock lock(mutex_);
  const SimS3Objects::Objects* const objects = store_.Bucket(bucket);
  if (objects == nullptr) return std::nullopt;
  const auto found = objects->find(key);
  return found == objects->end() ? std::nullopt : std::optional(found->second.bytes);
}

std::size_t SimS3::objects(std::string_view bucket) const {
  const MutexLock lock(mutex_);
  const SimS3Objects::Objects* const objects = store_.Bucket(bucket);
  return objects == nullptr ? 0 : objects->size();
}

std::size_t SimS3::unfinished_uploads() const {
  const MutexLock lock(mutex_);
  return store_.unfinished_uploads();
}

bool SimS3::FlipBit(std::string_view bucket, std::string_view key, std::uint64_t byte, unsigned bit) {
  const MutexLock lock(mutex_);
  SimS3Objects::Objects* const objects = store_.Bucket(bucket);
  const auto found = objects == nullptr ? SimS3Objects::Objects::iterator() : objects->find(key);
  if (objects == nullptr || found == objects->end() || byte >= found->second.bytes.size()) return false;
  found->second.bytes = WithFlippedBit(found->second.bytes, byte, bit);
  return true;
}

}  // namespace millrace
