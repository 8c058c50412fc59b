#include "cursor/cursor_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/bugs.h"
#include "base/try.h"
#include "cursor/cursor_handle.h"

namespace millrace {
namespace {

Result<void> CheckCursorName(std::string_view name) {
  if (name.empty() || name.size() > kCursorNameBytesMax)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a cursor's name has 1 to {} bytes, this one {}", kCursorNameBytesMax, name.size()));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(name, is_control))
    return Error(ErrorCode::kInvalidArgument, "a cursor's name has no control characters");
  return {};
}

std::string NameOf(const TopicPartition& partition, std::string_view name) {
  return fmt::format("cursor {} of {}/{}", name, partition.topic, partition.partition.value());
}

}  // namespace

CursorTable::CursorTable(PositionLogOptions options, FileSystem& file_system, Clock& clock, OnCorrected on_corrected,
                         std::shared_ptr<CallGate> calls)
    : clock_(clock),
      on_corrected_(std::move(on_corrected)),
      calls_(std::move(calls)),
      log_(PositionLog::Open(std::move(options), file_system, clock)) {}

CursorTable::~CursorTable() {
  (void)Close();
  AwaitCalls();
}

void CursorTable::Tell(const TopicPartition& partition, std::string_view name, Offset from, Offset to) {
  corrected_.fetch_add(1, std::memory_order_relaxed);
  if (on_corrected_)
    on_corrected_(partition, fmt::format("{} stood at offset {}, outside the log, and goes on at {}",
                                         NameOf(partition, name), from.value(), to.value()));
}

Result<void> CursorTable::CheckUsable() const {
  if (closed_) return Error(ErrorCode::kClosed, "the engine is closed");
  if (!log_) return log_.error().WithContext("cursors cannot be used");
  return {};
}

void CursorTable::ForgetUnless(const std::function<bool(const PartitionKey&)>& is_known) {
  MutexLock lock(mutex_);
  if (!CheckUsable()) return;
  PositionLog::Ticket last;
  for (const PositionDefine& cursor : (*log_)->All()) {
    if (is_known(cursor.key.partition)) continue;
    if (auto ticket = (*log_)->Remove(cursor.id)) last = *std::move(ticket);
  }
  if (last) (void)(*log_)->Await(last);  // a failure leaves them for the next opening
}

Result<void> CursorTable::HoldTo(const PartitionSource& source) {
  MutexLock lock(mutex_);
  // What is damaged needs an operator; what could not be read may stand past the end.
  if (!log_) {
    const ErrorCode code = log_.error().code();
    const bool for_good = code == ErrorCode::kCorruption || code == ErrorCode::kUnsupported;
    return for_good ? Result<void>() : log_.error();
  }
  const Offset end = source.bounds().end;
  for (const PositionDefine& cursor : (*log_)->Of(source.key())) {
    if (cursor.position <= end) continue;
    MR_ASSIGN_OR_RETURN(const PositionLog::Ticket ticket, (*log_)->Move(cursor.id, end));
    MR_TRY((*log_)->Await(ticket));
    corrected_from_.emplace(cursor.id, cursor.position);
    Tell(source.name(), cursor.key.name, cursor.position, end);
  }
  return {};
}

/// Where a cursor that is not open stands, made if need be, held to what the partition has.
Result<CursorState::Standing> CursorTable::Hydrate(const PartitionSource& source, const CursorKey& key) {
  PositionLog& log = **log_;
  const auto id = log.Find(key);
  const auto claim = claims_.Hold(source.key(), id ? log.Durable(*id).value_or(Offset(0)) : Offset(0));
  const OffsetBounds bounds = source.bounds();
  if (!id) {
    MR_ASSIGN_OR_RETURN(const PositionLog::Defined defined, log.Define(key, bounds.log_start));
    MR_TRY(log.Await(defined.ticket));
    return CursorState::Standing{.id = defined.id, .position = bounds.log_start};
  }
  CursorState::Standing standing{.id = *id, .position = log.Durable(*id).value_or(bounds.log_start)};
  if (Planted(Bug::kPositionIndexClamped))
    standing.position = std::min(standing.position, Offset(bounds.end - bounds.log_start));
  const Offset held = std::clamp(standing.position, bounds.log_start, std::max(bounds.log_start, bounds.end));
  if (held != standing.position) {
    MR_ASSIGN_OR_RETURN(const PositionLog::Ticket ticket, log.Move(*id, held));
    MR_TRY(log.Await(ticket));
    corrected_from_.insert_or_assign(*id, standing.position);
    Tell(source.name(), key.name, standing.position, held);
    standing.position = held;
  }
  const auto corrected = corrected_from_.find(*id);
  if (corrected != corrected_from_.end()) standing.corrected_from = corrected->second;
  return standing;
}

Result<std::unique_ptr<Cursor>> CursorTable::Open(PartitionSource& source, std::string_view name,
                                                  ReadConsistency consistency) {
  MR_TRY(CheckCursorName(name));
  // 0 means 1, however it came here.
  consistency.persist_every = std::max<std::uint32_t>(consistency.persist_every, 1);
  CursorKey key{source.key(), std::string(name)};
  MutexLock lock(mutex_);
  MR_TRY(CheckUsable());
  auto found = open_.find(key);
  if (found == open_.end()) {
    auto standing = Hydrate(source, key);
    if (!standing) return standing.error().WithContext("cannot open " + NameOf(source.name(), name));
    auto state = std::make_shared<CursorState>(source, **log_, claims_, clock_, consistency, *standing);
    found = open_.emplace(std::move(key), OpenCursor{std::move(state)}).first;
  } else if (found->second.state->consistency() != consistency) {
    return Error(ErrorCode::kInvalidArgument, NameOf(source.name(), name) + " is open in another mode",
                 "close it there, or open it in the same mode");
  }
  ++found->second.handles;
  auto lease = std::make_shared<CursorLease>(found->second.state);
  leases_.insert(lease);
  return std::make_unique<Cursor>(std::make_unique<Cursor::Implementation>(
      [this](const CursorLease& given_back) { return Release(given_back); }, calls_, std::move(lease)));
}

Result<std::vector<CursorDescription>> CursorTable::List(const PartitionSource& source) {
  MutexLock lock(mutex_);
  MR_TRY(CheckUsable());
  const OffsetBounds bounds = source.bounds();
  std::vector<CursorDescription> descriptions;
  for (PositionDefine& cursor : (*log_)->Of(source.key())) {
    const auto open = open_.find(cursor.key);
    const Offset position = open == open_.end() ? cursor.position : open->second.state->Position();
    const std::int64_t unread = bounds.end - std::max(position, bounds.log_start);
    descriptions.push_back({.partition = source.name(),
                            .name = std::move(cursor.key.name),
                            .position = position,
                            .unread = static_cast<std::uint64_t>(std::max<std::int64_t>(0, unread))});
  }
  return descriptions;
}

Result<void> CursorTable::Delete(const PartitionSource& source, std::string_view name) {
  MR_TRY(CheckCursorName(name));
  const CursorKey key{source.key(), std::string(name)};
  MutexLock lock(mutex_);
  MR_TRY(CheckUsable());
  const auto id = (*log_)->Find(key);
  if (!id) return Error(ErrorCode::kNotFound, "there is no " + NameOf(source.name(), name));
  MR_ASSIGN_OR_RETURN(const PositionLog::Ticket ticket, (*log_)->Remove(*id));
  MR_TRY((*log_)->Await(ticket));
  corrected_from_.erase(*id);
  if (const auto open = open_.find(key); open != open_.end()) {
    open->second.state->End(Error(ErrorCode::kNotFound, NameOf(source.name(), name) + " was deleted"));
    open_.erase(open);
  }
  return {};
}

void CursorTable::ForgetTopic(TopicId topic, const Error& error) {
  MutexLock lock(mutex_);
  std::erase_if(open_, [&](const auto& open) {
    if (open.first.partition.topic != topic) return false;
    open.second.state->End(error);
    return true;
  });
  if (!CheckUsable()) return;
  PositionLog::Ticket last;
  for (const PositionDefine& cursor : (*log_)->All())
    if (cursor.key.partition.topic == topic)
      if (auto ticket = (*log_)->Remove(cursor.id)) last = *std::move(ticket);
  // A failure leaves them for the next opening: no topic will ever have this id again.
  if (last) (void)(*log_)->Await(last);
}

Result<void> CursorTable::Release(const CursorLease& lease) {
  // Without the lock: another handle's read may be under way, and it may take its time.
  auto persisted = lease.state->Persist();
  MutexLock lock(mutex_);
  std::erase_if(leases_, [&](const auto& each) { return each.get() == &lease; });
  const auto found = std::ranges::find_if(open_, [&](const auto& open) { return open.second.state == lease.state; });
  if (found == open_.end()) return persisted;  // the engine or the cursor ended before
  if (--found->second.handles == 0) {
    lease.state->Leave();
    open_.erase(found);
  }
  return persisted;
}

Result<bool> CursorTable::Reclaim(const PartitionKey& partition, std::optional<Offset> others_passed,
                                  const std::function<Result<bool>(Offset until)>& forget) {
  if (!log_) return false;
  const auto lowest = [&] {
    const auto of_cursors = (*log_)->Lowest(partition);
    if (!of_cursors || !others_passed) return of_cursors ? of_cursors : others_passed;
    return std::optional(std::min(*of_cursors, *others_passed));
  };
  return claims_.Reclaim(partition, lowest, forget);
}

PositionLogStats CursorTable::Stats() const { return log_ ? (*log_)->Stats() : PositionLogStats(); }

Result<void> CursorTable::Close() {
  MutexLock lock(mutex_);
  if (std::exchange(closed_, true)) return {};
  Result<void> persisted;
  std::vector<PositionLog::Ticket> tickets;
  for (auto& [key, open] : open_) {
    auto staged = open.state->EndStaged(Error(ErrorCode::kClosed, "the engine is closed"));
    if (staged && *staged) tickets.push_back(*std::move(staged));
    if (!staged && persisted) persisted = std::move(staged).error();
  }
  open_.clear();
  for (const PositionLog::Ticket& ticket : tickets)
    if (auto each = (*log_)->Await(ticket); !each && persisted) persisted = std::move(each);
  if (log_) (*log_)->Close();
  return persisted;
}

void CursorTable::AwaitCalls() {
  std::set<std::shared_ptr<CursorLease>> leases;
  {
    MutexLock lock(mutex_);
    leases.swap(leases_);
  }
  for (const auto& lease : leases) lease->calls.Shut();
  for (const auto& lease : leases) lease->state->Ring();
  for (const auto& lease : leases) lease->calls.AwaitEmpty();
  calls_->Shut();
  calls_->AwaitEmpty();
}

}  // namespace millrace
