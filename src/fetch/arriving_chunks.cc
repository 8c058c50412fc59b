#include "fetch/arriving_chunks.h"

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/limited_wait.h"

namespace millrace {

/// Guarded by mutex_ of the owner.
struct ArrivingChunks::Flight {
  ChunkFor whose = ChunkFor::kReader;
  std::optional<Result<ChunkPointer>> result;
  bool others_try = false;  // what ended it concerns its leader alone: those who wait try themselves
  bool led = true;          // its leader is not done with it
  std::uint32_t holds = 0;  // of streams
};

std::size_t ArrivingChunks::KeyHash::operator()(const ChunkKey& key) const noexcept {
  std::uint64_t words[2];  // random bits already
  std::memcpy(words, key.object.data(), sizeof words);
  std::uint64_t mixed = words[0] ^ (words[1] * 0x9e3779b97f4a7c15U) ^ (key.segment_begin + (key.byte_begin << 20));
  mixed = (mixed ^ (mixed >> 31)) * 0xbf58476d1ce4e5b9U;
  return mixed ^ (mixed >> 29);
}

ArrivingChunks::~ArrivingChunks() {
  MutexLock lock(mutex_);
  MR_CHECK(flights_.empty(), flights_.size());
}

bool ArrivingChunks::TryLead(const ChunkKey& key) {
  MutexLock lock(mutex_);
  const auto [flight, first] = flights_.try_emplace(key);
  if (first) flight->second = std::make_shared<Flight>();
  return first;
}

ArrivingChunks::Claim ArrivingChunks::ClaimAhead(const ChunkKey& key) {
  MutexLock lock(mutex_);
  const auto [flight, first] = flights_.try_emplace(key);
  if (first) {
    flight->second = std::make_shared<Flight>();
    flight->second->whose = ChunkFor::kAhead;
  }
  ++flight->second->holds;
  return {flight->second, first};
}

bool ArrivingChunks::IsComing(const ChunkKey& key) const {
  MutexLock lock(mutex_);
  const auto found = flights_.find(key);
  return found != flights_.end() && !found->second->result;
}

std::optional<Result<ArrivingChunks::Taken>> ArrivingChunks::Take(const ChunkKey& key, Clock& clock) {
  LimitedWait wait(mutex_, landed_, clock);
  MutexLock lock(mutex_);
  const auto found = flights_.find(key);
  if (found == flights_.end()) return std::nullopt;
  const Hold flight = found->second;
  Taken taken;
  while (!flight->result) {
    taken.waited = true;
    Result<void> waited = wait.For("bytes that another reader fetches", mutex_);
    if (!waited) return std::move(waited).error();
  }
  if (*flight->result) {
    taken.chunk = **flight->result;
    return taken;
  }
  if (flight->others_try) return std::nullopt;
  return flight->result->error();
}

void ArrivingChunks::Arrive(const ChunkKey& key, ChunkPointer chunk) {
  {
    MutexLock lock(mutex_);
    const auto found = flights_.find(key);
    MR_CHECK(found != flights_.end() && !found->second->result);
    found->second->result = std::move(chunk);
  }
  landed_.NotifyAll();
}

void ArrivingChunks::Fail(const ChunkKey& key, const Error& error) { End(key, error, IsOfOwnLimits(error)); }

void ArrivingChunks::GiveUp(const ChunkKey& key) {
  End(key, Error(ErrorCode::kUnavailable, "found elsewhere"), /*others_try=*/true);
}

void ArrivingChunks::End(const ChunkKey& key, const Error& error, bool others_try) {
  {
    MutexLock lock(mutex_);
    const auto found = flights_.find(key);
    MR_CHECK(found != flights_.end() && !found->second->result);
    found->second->result = error;
    // What befell the prefetcher is no reader's error either.
    found->second->others_try = others_try || found->second->whose == ChunkFor::kAhead;
    flights_.erase(found);
  }
  landed_.NotifyAll();
}

void ArrivingChunks::Done(const ChunkKey& key) {
  Hold gone;  // freed after the lock
  MutexLock lock(mutex_);
  const auto found = flights_.find(key);
  MR_CHECK(found != flights_.end());
  found->second->led = false;
  // What a reader fetched stands in the caches by now; only what came ahead waits for its reader.
  if (found->second->whose == ChunkFor::kAhead && found->second->holds > 0) return;
  gone = std::move(found->second);
  flights_.erase(found);
}

void ArrivingChunks::LetGo(const ChunkKey& key, Hold hold) {
  MutexLock lock(mutex_);
  MR_CHECK(hold->holds > 0);
  if (--hold->holds > 0 || hold->led) return;
  const auto found = flights_.find(key);
  if (found != flights_.end() && found->second == hold) flights_.erase(found);
}

std::size_t ArrivingChunks::count() const {
  MutexLock lock(mutex_);
  return flights_.size();
}

}  // namespace millrace
