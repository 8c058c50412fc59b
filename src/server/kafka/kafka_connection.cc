#include "server/kafka/kafka_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bugs.h"
#include "base/coding.h"

namespace millrace {
namespace {

constexpr std::int16_t kProduce = 0;

/// The first field of every header; -1 where the frame is too short to have one.
std::int16_t ApiKeyOf(const FrameMemory& frame) {
  return frame.bytes.size() < sizeof(std::int16_t) ? std::int16_t{-1} : GetBe<std::int16_t>(frame.bytes.data());
}

}  // namespace

KafkaConnection::KafkaConnection(TurnLoop& loop, FramePool& pool, ByteBudget& budget, const ConnectionLimits& limits,
                                 RequestHandler handler, std::string peer)
    : loop_(loop),
      handler_(std::move(handler)),
      bytes_(budget, limits.bytes_max),
      frames_(pool, bytes_, limits.request_bytes_max),
      client_{.peer = std::move(peer), .software = {}} {}

std::span<std::byte> KafkaConnection::Room() {
  if (closing_ || draining_ || next_) return {};
  const std::span<std::byte> room = frames_.Room();
  awaits_budget_ = frames_.shortage() == ConnectionBytes::Outcome::kBudgetShort;
  return room;
}

void KafkaConnection::Received(std::size_t count) {
  frames_.Filled(count);
  Advance();
}

void KafkaConnection::RequestChanged() {
  if (advancing_) return;
  Advance();
  if (changed_) changed_();
}

void KafkaConnection::Advance() {
  if (advancing_) return;
  advancing_ = true;
  do {
    while (SendFirst()) {
    }
  } while (HandleNext());
  advancing_ = false;
}

/// The reply of the oldest request, once it has one. False: it has none yet.
bool KafkaConnection::SendFirst() {
  if (Planted(Bug::kWireRepliesOutOfOrder)) {
    const auto ended = [](const auto& each) { return each->end() != KafkaRequest::End::kOpen; };
    const auto any = std::ranges::find_if(requests_, ended);
    if (any != requests_.end()) std::iter_swap(requests_.begin(), any);
  }
  if (requests_.empty() || requests_.front()->end() == KafkaRequest::End::kOpen) return false;
  const std::shared_ptr<KafkaRequest> request = std::move(requests_.front());
  requests_.pop_front();
  bytes_.Give(request->frame().bytes.size());
  if (cut_) return true;
  if (request->end() == KafkaRequest::End::kClose) {
    // Replies of the requests behind it are not sent.
    cut_ = true;
    Close(request->why_closed());
  }
  for (SharedBytes& slice : request->TakeReply()) {
    // Alive no longer than the request is.
    if (Planted(Bug::kWireBufferReused)) slice = SharedBytes(nullptr, slice.bytes());
    outbound_.Add(std::move(slice));
  }
  return true;
}

/// Produce overlaps with Produce and with nothing else.
bool KafkaConnection::MayOverlap() const {
  if (requests_.empty()) return true;
  return requests_.size() < kPipelinedMax && ApiKeyOf(*next_) == kProduce && requests_.back()->overlaps();
}

/// False: there is none, or it must wait.
bool KafkaConnection::HandleNext() {
  if (closing_ || draining_ || outbound_.size() > kUnsentMax) return false;
  if (!next_) {
    auto frame = frames_.Next();
    if (!frame) {
      // What came before it is still answered.
      Close(std::string(frame.error().message()));
      return false;
    }
    awaits_budget_ = frames_.shortage() == ConnectionBytes::Outcome::kBudgetShort;
    if (!*frame) return false;
    next_ = std::move(**frame);
  }
  if (!MayOverlap()) return false;
  auto request = std::make_shared<KafkaRequest>(shared_from_this(), std::move(*next_));
  next_.reset();
  request->api_key = ApiKeyOf(request->frame());
  requests_.push_back(request);
  ++requests_taken_;
  handler_(request);
  return true;
}

void KafkaConnection::Close(std::string why) {
  closing_ = true;
  if (why_closed_.empty()) why_closed_ = std::move(why);
}

void KafkaConnection::Drain() {
  if (draining_) return;
  draining_ = true;
  // A wait that ends takes its request off the list.
  const std::vector<std::shared_ptr<KafkaRequest>> waiting(requests_.begin(), requests_.end());
  for (const auto& request : waiting) request->EndWait(WaitEnd::kServerStops);
}

void KafkaConnection::Abandon() {
  closing_ = cut_ = true;
  changed_ = nullptr;
  const std::vector<std::shared_ptr<KafkaRequest>> waiting(requests_.begin(), requests_.end());
  for (const auto& request : waiting) request->EndWait(WaitEnd::kPeerGone);
  // What still works for one of them holds it, and through it this connection: the two must not hold each other.
  for (const auto& request : requests_) bytes_.Give(request->frame().bytes.size());
  requests_.clear();
  outbound_.Clear();
  fetch_state_.reset();
}

}  // namespace millrace
