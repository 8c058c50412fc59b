#include "client/heartbeats.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "client/refusal.h"
#include "env/start_thread.h"
#include "kafka/messages/heartbeat.h"

namespace millrace::client {
namespace {

constexpr kafka::VersionRange kVersions{0, 4};
constexpr std::chrono::milliseconds kAnswerTime{5'000};

}  // namespace

Result<std::unique_ptr<Heartbeats>> Heartbeats::Make(std::chrono::milliseconds interval) {
  MR_ASSIGN_OR_RETURN(auto end, Alarm::Make());
  std::unique_ptr<Heartbeats> made(new Heartbeats(interval, std::move(end)));
  MR_ASSIGN_OR_RETURN(made->thread_, StartThread([self = made.get()](const std::stop_token&) { self->Run(); }));
  return made;
}

Heartbeats::~Heartbeats() {
  end_->Ring();
  if (thread_.joinable()) thread_.join();
}

void Heartbeats::Start(const Address& coordinator, const Membership& membership) {
  MutexLock lock(mutex_);
  beat_ = Beat{coordinator, membership, ++turns_};
  verdict_ = Verdict::kStands;
}

void Heartbeats::Stop() {
  MutexLock lock(mutex_);
  beat_.reset();
  verdict_ = Verdict::kStands;
}

std::optional<Heartbeats::Beat> Heartbeats::Next() {
  MutexLock lock(mutex_);
  return beat_;
}

void Heartbeats::Hear(const Beat& beat, Verdict verdict) {
  MutexLock lock(mutex_);
  // An answer to what was asked of another generation says nothing of this one.
  if (beat_ && beat_->turn == beat.turn) verdict_ = std::max(verdict_.load(), verdict);
}

void Heartbeats::Run() {
  while (SleepUntil({std::chrono::steady_clock::now() + interval_, *end_})) {
    const std::optional<Beat> beat = Next();
    // Who has heard that it must join again does so; until then the group waits for it.
    if (!beat || verdict_ == Verdict::kLost) continue;
    const auto heard = Send(*beat);
    if (heard) {
      Hear(*beat, *heard);
    } else {
      connection_.reset();  // the next beat comes on another one
    }
  }
}

Result<Heartbeats::Verdict> Heartbeats::Send(const Beat& beat) {
  const Until until{std::chrono::steady_clock::now() + kAnswerTime, *end_};
  if (connection_ == nullptr || connection_->HasEnded() || connection_->address() != beat.coordinator) {
    MR_ASSIGN_OR_RETURN(connection_, Connection::Open(beat.coordinator, until));
  }
  kafka::HeartbeatRequest request;
  request.group_id = beat.membership.group;
  request.generation_id = beat.membership.generation;
  request.member_id = beat.membership.member;
  MR_ASSIGN_OR_RETURN(const auto answer, connection_->Call<kafka::HeartbeatResponse>(request, kVersions, until));
  using namespace kafka::code;
  switch (answer->error_code) {
    case kNone:
      return Verdict::kStands;
    case kRebalanceInProgress:
    case kNotCoordinator:  // another one has the group, and finds this member in it
      return Verdict::kRebalances;
    case kIllegalGeneration:
    case kUnknownMemberId:
    case kFencedInstanceId:
      return Verdict::kLost;
    default:
      return Refusal(answer->error_code, "no answer to a heartbeat");
  }
}

}  // namespace millrace::client
