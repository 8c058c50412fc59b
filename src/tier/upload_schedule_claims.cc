// The schedule's choice: what a round claims, in which order, and what is left for the next one.
#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "base/check.h"
#include "tier/tiered_partition.h"
#include "tier/upload_schedule.h"

namespace millrace {

bool UploadSchedule::MayClaim(const PartitionUpload& upload) const {
  return upload.waiting_ && !upload.building_ && !upload.broken_at_ && !upload.ended_;
}

bool UploadSchedule::Wanted(const PartitionUpload& upload, std::chrono::nanoseconds now) const {
  return Pressed() || upload.size_due_ || upload.demand_end_ > upload.taken_end_ || now >= upload.deadline_;
}

bool UploadSchedule::Full() const { return flight_bytes_ != 0 && flight_bytes_ >= 2 * options_.segment_bytes_max; }

UploadClaim UploadSchedule::Take(const Candidate& candidate, std::uint64_t bytes_max) {
  PartitionUpload& upload = *candidate.upload;
  MR_CHECK(!upload.building_ && upload.listed_ && upload.committed_end_ <= upload.taken_end_,
           upload.committed_end_.value(), upload.taken_end_.value());
  UploadClaim claim{.upload = &upload,
                    .begin = upload.taken_end_,
                    .bytes = std::clamp<std::uint64_t>(candidate.bytes, 1, std::max<std::uint64_t>(bytes_max, 1)),
                    .demanded = candidate.cause == Candidate::Cause::kDemand,
                    .place = candidate.place,
                    .unsure = upload.unsure_};
  if (candidate.cause == Candidate::Cause::kPressure) claim.until = pressure_->until;
  upload.building_ = true;
  ++upload.flights_;
  upload.flight_bytes_ += claim.bytes;
  flight_bytes_ += claim.bytes;
  flying_.insert(claim.place);
  return claim;
}

std::optional<UploadSchedule::Candidate> UploadSchedule::CandidateOf(PartitionUpload& upload,
                                                                     std::chrono::nanoseconds now) const {
  using Cause = Candidate::Cause;
  if (!MayClaim(upload) || now < upload.retry_at_) return {};
  Candidate candidate{.upload = &upload, .cause = Cause::kDue};
  if (upload.demand_end_ > upload.taken_end_) {
    candidate.cause = Cause::kDemand;
  } else if (!upload.size_due_ && now < upload.deadline_) {
    const bool soon = upload.deadline_ - now < options_.segment_age_max / 2;
    if (!Pressed() && !soon) return {};
    candidate.cause = Pressed() ? Cause::kPressure : Cause::kSoon;
  }
  const bool pressed = candidate.cause == Cause::kPressure;
  // Without a share there are no bytes to be taken in turn with others: metadata or the log will say why.
  if (const auto share = upload.partition().log().ShareOf(upload.taken_end_, pressed ? pressure_->until : kEndOfWal)) {
    candidate.place = share->begin;
    candidate.bytes = share->bytes;
    // The interval may reach back into what is on its way.
    if (upload.flights_ != 0) {
      const std::uint64_t pending = upload.partition().log().pending().bytes;
      const std::uint64_t left = pending - std::min(pending, upload.flight_bytes_);
      candidate.bytes = std::clamp<std::uint64_t>(left, 1, candidate.bytes);
    }
  }
  if (pressed && candidate.place >= pressure_->until) return {};
  return candidate;
}

/// What is due, in the order in which it is taken; then what goes along because it will be due soon: an object more
/// would cost more.
std::vector<UploadSchedule::Candidate> UploadSchedule::Candidates(std::chrono::nanoseconds now) {
  using Cause = Candidate::Cause;
  std::vector<Candidate> candidates;
  for (PartitionUpload* upload : listed_)
    if (const auto candidate = CandidateOf(*upload, now)) candidates.push_back(*candidate);
  DropTooFewPressed(candidates);
  const auto rank = [](const Candidate& candidate) {
    const PartitionKey& key = candidate.upload->partition().log().key();
    const int urgency = candidate.cause == Cause::kDemand ? 0 : candidate.cause == Cause::kSoon ? 2 : 1;
    return std::make_tuple(urgency, candidate.place, key.topic, key.partition);
  };
  std::ranges::sort(candidates, {}, rank);
  DropThoseNotDue(candidates);
  return candidates;
}

/// Pressure makes no crumbs: while what will free the oldest file is on its way, a round waits until it is worth an
/// object.
void UploadSchedule::DropTooFewPressed(std::vector<Candidate>& candidates) {
  if (!Pressed()) return;
  const auto is_pressed = [](const Candidate& candidate) { return candidate.cause == Candidate::Cause::kPressure; };
  std::uint64_t bytes = 0;
  WalPosition oldest = kEndOfWal;
  for (const Candidate& candidate : candidates) {
    if (!is_pressed(candidate)) continue;
    bytes += candidate.bytes;
    oldest = std::min(oldest, candidate.place);
  }
  const bool behind = !flying_.empty() && *flying_.begin() <= oldest;
  if (bytes > 0 && (!behind || bytes >= pressure_->bytes_min)) return;
  pressure_answered_ = true;
  std::erase_if(candidates, is_pressed);
}

/// Those go along that find room behind what is due.
void UploadSchedule::DropThoseNotDue(std::vector<Candidate>& candidates) const {
  using Cause = Candidate::Cause;
  if (!candidates.empty() && candidates.front().cause == Cause::kSoon) candidates.clear();  // no reason by themselves
  std::uint64_t bytes = 0;
  std::erase_if(candidates, [&](const Candidate& candidate) {
    if (candidate.cause == Cause::kSoon && bytes >= options_.segment_bytes_max) return true;
    bytes += candidate.bytes;
    return false;
  });
}

std::vector<UploadClaim> UploadSchedule::Claim() {
  MutexLock lock(mutex_);
  if (closed_ || Full()) return {};
  std::erase_if(listed_, [](PartitionUpload* upload) {
    upload->listed_ = upload->waiting_ || upload->flights_ != 0;
    return !upload->listed_;
  });
  const std::vector<Candidate> candidates = Candidates(clock_.Monotonic());
  std::vector<UploadClaim> claims;
  std::uint64_t room = options_.segment_bytes_max;
  for (const Candidate& candidate : candidates) {
    if (claims.size() == options_.claims_max) break;
    claims.push_back(Take(candidate, room));
    room -= std::min(room, claims.back().bytes);
  }
  if (claims.size() < candidates.size()) {
    // No further than where those begin that are left out: the next round begins there.
    const Candidate& next = candidates[claims.size()];
    for (UploadClaim& claim : claims)
      if (claim.demanded == (next.cause == Candidate::Cause::kDemand)) claim.until = std::min(claim.until, next.place);
    SignalWork();  // another thread may take the rest
  }
  CheckInvariants();
  return claims;
}

}  // namespace millrace
