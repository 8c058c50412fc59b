#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cursor_world.h"
#include "partition_model.h"

namespace millrace::sim {
namespace {

using std::chrono::milliseconds;

constexpr TakeLimits kOne{.entries_max = 1};

/// Where a call that asks for so much must end.
Offset TakeEnd(const LogModel& log, Offset begin, Offset end, const TakeLimits& limits) {
  std::uint64_t count = 0, total = 0;
  while (begin < end && count < limits.entries_max) {
    const std::uint64_t bytes = log.At(begin).payload_bytes;
    if (count > 0 && (total > limits.bytes_max || bytes > limits.bytes_max - total)) break;
    total += bytes;
    begin += 1;
    ++count;
  }
  return begin;
}

}  // namespace

CursorWorld::Named* CursorWorld::DrawOpen() {
  std::vector<decltype(cursors_)::iterator> open;
  for (auto at = cursors_.begin(); at != cursors_.end(); ++at)
    if (!at->second.handles.empty()) open.push_back(at);
  if (open.empty()) return nullptr;
  const auto chosen = open[random_.Below(open.size())];
  drawn_ = chosen->first;
  return &chosen->second;
}

bool CursorWorld::Tolerated(const Error& error, std::string_view call) {
  report_.Event(fmt::format("{} failed: {}", call, ErrorCodeName(error.code())));
  report_.Fired("error");
  if (faults_in_call_ > 0 || stores_faulty_ || row_in_doubt_ || dying_) return true;
  if (error.code() == ErrorCode::kCorruption && damages_) return true;
  report_.Fail("unexpected-error", fmt::format("{}: {}", call, error.ToString()));
  return false;
}

/// Something became durable: whatever failed before did not happen, of no cursor.
void CursorWorld::Settle() {
  for (auto& [key, cursor] : cursors_) cursor.model.Settled();
}

CursorWorld::CursorKey CursorWorld::DrawKey() {
  const std::string_view topic = kTopics[random_.Below(kTopics.size())];
  return {std::string(topic), std::string(kNames[random_.Below(kNames.size())])};
}

void CursorWorld::Open(const CursorKey& key) {
  const auto known = cursors_.find(key);
  const bool is_open = known != cursors_.end() && !known->second.handles.empty();
  auto mode = random_.OneIn(2) ? ReadConsistency::StrictlyAtOnce()
                               : ReadConsistency::AtLeastOnce(static_cast<std::uint32_t>(random_.Below(8)));
  if (is_open && !random_.OneIn(6)) mode = known->second.model.mode();
  const OffsetBounds bounds = Bounds(key.first);
  BeginCall();
  auto opened = engine_->OpenCursor(At(key.first), key.second, mode);
  report_.Event(fmt::format("open {}/{} {}: {}", key.first, key.second, mode.strict ? 0 : mode.persist_every,
                            opened ? "ok" : ErrorCodeName(opened.error().code())));
  if (dying() || (!opened && faults_in_call_ > 0)) {
    // Made, perhaps, or moved into the bounds.
    const auto entry = cursors_.try_emplace(key, Named{CursorModel(bounds.log_start), {}});
    if (entry.second && !dying() && faults_in_call_ == 1) {
      cursors_.erase(entry.first);
    } else if (entry.second) {
      entry.first->second.model.Unsure();
    } else if (!is_open) {
      entry.first->second.model.Doubt(bounds.log_start);
      entry.first->second.model.Doubt(bounds.end);
    }
    return;
  }
  if (is_open && mode != known->second.model.mode()) {
    report_.Expect(!opened && opened.error().code() == ErrorCode::kInvalidArgument, "two-modes", key.second);
    report_.Fired("other-mode-refused");
    return;
  }
  if (!opened) {
    Tolerated(opened.error(), "OpenCursor");
    return;
  }
  if (is_open) {
    known->second.model.OpenedAgain();
    report_.Fired("opened-again");
  } else {
    Named& cursor = cursors_.try_emplace(key, Named{CursorModel(bounds.log_start), {}}).first->second;
    const auto complaint = cursor.model.Complaint((*opened)->Position(), (*opened)->CorrectedFrom(), bounds);
    report_.Expect(!complaint, "position-wrong",
                   fmt::format("{}/{} {}", key.first, key.second, complaint.value_or("")));
    report_.Fired(known == cursors_.end() ? "created" : "opened");
    if ((*opened)->CorrectedFrom()) report_.Fired("corrected");
    cursor.model.Opened(mode, (*opened)->Position(), (*opened)->CorrectedFrom());
  }
  cursors_.at(key).handles.push_back(std::move(*opened));
}

void CursorWorld::Close() {
  Named* cursor = DrawOpen();
  if (cursor == nullptr) return;
  BeginCall();
  const auto closed = cursor->handles.back()->Close();
  report_.Event(fmt::format("close {}/{}", drawn_.first, drawn_.second));
  if (!closed && !dying()) Tolerated(closed.error(), "Close");
  if (dying() || faults_in_call_ > 1) cursor->model.Doubt(cursor->model.position());
  cursor->model.Closed(closed && !dying() ? CursorModel::Outcome::kDone : CursorModel::Outcome::kFailed);
  cursor->handles.pop_back();
  report_.Fired("cursor-closed");
}

void CursorWorld::Delete() {
  const CursorKey key = DrawKey();
  const auto known = cursors_.find(key);
  BeginCall();
  const auto deleted = engine_->DeleteCursor(At(key.first), key.second);
  report_.Event(fmt::format("delete {}/{}", key.first, key.second));
  if (dying() || (!deleted && faults_in_call_ > 1)) {
    if (known != cursors_.end()) known->second.model.Unsure();
    return;
  }
  if (!deleted) {
    const bool absent = deleted.error().code() == ErrorCode::kNotFound;
    if (absent && (known == cursors_.end() || known->second.model.unsure())) return;
    if (Tolerated(deleted.error(), "DeleteCursor") && absent)
      report_.Fail("cursor-lost", fmt::format("{}/{}", key.first, key.second));
    return;
  }
  report_.Expect(known != cursors_.end(), "cursor-invented", fmt::format("{}/{}", key.first, key.second));
  if (known == cursors_.end()) return;
  for (const auto& handle : known->second.handles) {
    const auto refused = handle->ReadNext(true);
    report_.Expect(!refused && refused.error().code() == ErrorCode::kNotFound, "handle-outlives-cursor", key.second);
  }
  cursors_.erase(known);
  report_.Fired("deleted");
}

void CursorWorld::List() {
  const std::string topic(kTopics[random_.Below(kTopics.size())]);
  const auto listed = engine_->ListCursors(topic);
  if (!listed) {
    Tolerated(listed.error(), "ListCursors");
    return;
  }
  std::set<std::string> seen;
  for (const CursorDescription& each : *listed) {
    seen.insert(each.name);
    const auto known = cursors_.find({topic, each.name});
    if (!report_.Expect(known != cursors_.end(), "cursor-invented", each.name)) return;
    if (known->second.handles.empty()) continue;
    report_.Expect(each.position == known->second.model.position(), "position-wrong",
                   fmt::format("{} is listed at {}", each.name, each.position.value()));
    const auto unread = known->second.handles.front()->UnreadCount();
    report_.Expect(unread && each.unread == *unread, "unread-wrong", each.name);
  }
  for (const auto& [key, cursor] : cursors_)
    report_.Expect(key.first != topic || cursor.model.unsure() || seen.contains(key.second), "cursor-lost", key.second);
  report_.Fired("listed");
}

/// Entries came: the right ones, in order, from where it stood.
bool CursorWorld::JudgeTaken(Named& cursor, const std::string& topic, std::span<const Record> records,
                             const TakeLimits& limits, bool checkpoint) {
  const LogModel& log = logs_.at(topic);
  Offset at = cursor.model.position();
  for (const Record& record : records) {
    if (!report_.Expect(record.offset == at, record.offset < at ? "repeated" : "entry-lost",
                        fmt::format("{}: offset {} where {} is next", topic, record.offset.value(), at.value())))
      return false;
    if (!report_.Expect(at < log.end() && log.At(at).fingerprint == FingerprintOf(record), "wrong-entry",
                        fmt::format("{} at {}", topic, at.value())))
      return false;
    at += 1;
  }
  // A batch ends before what cannot be read.
  const OffsetBounds bounds = Bounds(topic);  // the read may have waited for a sync that moved the end
  const Offset expected_end =
      TakeEnd(log, cursor.model.position(), std::max(cursor.model.position(), bounds.end), limits);
  const bool may_end_early = stores_faulty_ || row_in_doubt_ || damages_ || cursor.model.position() < bounds.log_start;
  report_.Expect(at == expected_end || (at < expected_end && may_end_early && !records.empty()), "batch-wrong",
                 fmt::format("{} from {} to {}, must end at {}", topic, cursor.model.position().value(), at.value(),
                             expected_end.value()));
  if (checkpoint) {
    cursor.model.Took(records.size(), at);
    report_.Fired("taken", records.size());
  } else {
    report_.Fired("peeked", records.size());
  }
  return true;
}

/// What a call would have taken may be durable, or a part of it.
void CursorWorld::DoubtUpTo(Named& cursor, Offset end) {
  for (Offset at = cursor.model.position() + 1; at <= end; at += 1) cursor.model.Doubt(at);
}

/// Nothing came; nothing may be lost by it.
void CursorWorld::JudgeReadError(const CursorKey& key, Named& cursor, const Error& error, Offset end_max,
                                 bool checkpoint) {
  const OffsetBounds bounds = Bounds(key.first);
  if (error.code() == ErrorCode::kOutOfRange && cursor.model.position() < bounds.log_start) {
    report_.Expect(error.bounds() && error.bounds()->log_start == bounds.log_start, "bounds-wrong", error.ToString());
    cursor.model.Overtaken(bounds.log_start, checkpoint);
    report_.Fired("overtaken");
    return;
  }
  if (checkpoint && cursor.model.mode().strict && faults_in_call_ > 1) DoubtUpTo(cursor, end_max);
  if (faults_in_call_ > 0) report_.Fired(checkpoint ? "take-refused" : "peek-refused");
  if (error.code() == ErrorCode::kCorruption && faults_in_call_ == 0) return LeaveDamage(key, cursor, error);
  Tolerated(error, "read");
}

/// It stays until a cursor goes past it, and lies where bytes were changed.
void CursorWorld::LeaveDamage(const CursorKey& key, Named& cursor, const Error& error) {
  const LogModel& log = logs_.at(key.first);
  const DamagedRange* damage = error.damage();
  report_.Event(damage == nullptr ? "damage"
                                  : fmt::format("damage from {} to {}", damage->begin.value(), damage->end.value()));
  if (!report_.Expect(damage != nullptr && damage->end > cursor.model.position() && damage->end <= log.end(),
                      "damage-untold", error.ToString()))
    return;
  report_.Expect(stores_faulty_ || row_in_doubt_ || log.MayBeBroken(damage->begin, damage->end), "damage-invented",
                 error.ToString());
  Cursor& handle = *cursor.handles.front();
  if (!stores_faulty_) {
    const auto again = handle.ReadBatch(1, false);
    report_.Expect(!again && again.error().code() == ErrorCode::kCorruption, "damage-forgotten", key.second);
  }
  BeginCall();
  if (random_.OneIn(2)) {
    const auto skipped = handle.SkipCorrupt();
    report_.Expect(!skipped || *skipped == damage->end, "skip-wrong", key.second);
    JudgeMove(cursor, skipped ? Result<void>() : Result<void>(skipped.error()), damage->end, "SkipCorrupt");
  } else {
    JudgeMove(cursor, handle.Seek(damage->end), damage->end, "Seek");
  }
  report_.Fired("damage-skipped");
}

void CursorWorld::ReadNext(bool checkpoint) {
  Named* cursor = DrawOpen();
  if (cursor == nullptr) return;
  const CursorKey key = drawn_;
  const Offset position = cursor->model.position();
  const Offset end_max = TakeEnd(logs_.at(key.first), position, logs_.at(key.first).end(), kOne);
  if (checkpoint) cursor->model.BeginTaking();
  BeginCall();
  const auto record = cursor->handles[random_.Below(cursor->handles.size())]->ReadNext(checkpoint);
  if (dying()) {
    if (checkpoint && cursor->model.mode().strict) DoubtUpTo(*cursor, end_max);
    return;
  }
  report_.Event(fmt::format("{} {}/{} at {}: {}", checkpoint ? "next" : "peek", key.first, key.second, position.value(),
                            !record   ? ErrorCodeName(record.error().code())
                            : *record ? "1"
                                      : "0"));
  if (!record) return JudgeReadError(key, *cursor, record.error(), end_max, checkpoint);
  const std::span<const Record> records = *record ? std::span<const Record>(&**record, 1) : std::span<const Record>();
  if (!JudgeTaken(*cursor, key.first, records, kOne, checkpoint)) return;
  if (checkpoint && cursor->model.mode().strict && !records.empty() && faults_in_call_ == 0) Settle();
  report_.Fired(checkpoint ? "read-next" : "peek-next");
}

void CursorWorld::ReadBatch(bool checkpoint) {
  Named* cursor = DrawOpen();
  if (cursor == nullptr) return;
  const CursorKey key = drawn_;
  const Offset position = cursor->model.position();
  constexpr std::array<std::uint64_t, 6> kBudgets = {0, 1, 100, 1'000, 10'000, UINT64_MAX};
  const std::uint64_t drawn = kBudgets[random_.Below(kBudgets.size())];
  const std::uint64_t budget = drawn < 100 || drawn == UINT64_MAX ? drawn : 1 + random_.Below(drawn);
  const Offset end_max = TakeEnd(logs_.at(key.first), position, logs_.at(key.first).end(), {budget});
  if (checkpoint) cursor->model.BeginTaking();
  BeginCall();
  const auto records = cursor->handles[random_.Below(cursor->handles.size())]->ReadBatch(budget, checkpoint);
  if (dying()) {
    if (checkpoint && cursor->model.mode().strict) DoubtUpTo(*cursor, end_max);
    return;
  }
  report_.Event(fmt::format("{} {}/{} of {} at {}: {}", checkpoint ? "batch" : "peek", key.first, key.second, budget,
                            position.value(), records ? records->size() : 9'999'999));
  if (!records) return JudgeReadError(key, *cursor, records.error(), end_max, checkpoint);
  if (!JudgeTaken(*cursor, key.first, *records, {budget}, checkpoint)) return;
  if (checkpoint && cursor->model.mode().strict && !records->empty() && faults_in_call_ == 0) Settle();
  if (budget == UINT64_MAX) report_.Fired("budget-unlimited");
  if (budget <= 1) report_.Fired("budget-of-one");
  if (records->size() == TakeLimits().entries_max) report_.Fired("batch-full");
  report_.Fired(checkpoint ? "read-batch" : "peek-batch");
}

void CursorWorld::JudgeMove(Named& cursor, const Result<void>& moved, Offset target, std::string_view call) {
  if (dying() || (!moved && faults_in_call_ > 1)) cursor.model.Doubt(target);
  if (dying()) return;
  if (!moved) {
    Tolerated(moved.error(), call);
    return;
  }
  cursor.model.MovedTo(target);
  if (faults_in_call_ == 0) Settle();
}

void CursorWorld::Seek() {
  Named* cursor = DrawOpen();
  if (cursor == nullptr) return;
  const OffsetBounds bounds = Bounds(drawn_.first);
  const Offset target(static_cast<std::int64_t>(random_.Below(logs_.at(drawn_.first).entries.size() + 3)) - 1);
  BeginCall();
  const auto moved = cursor->handles.front()->Seek(target);
  report_.Event(fmt::format("seek {}/{} {}", drawn_.first, drawn_.second, target.value()));
  if (!dying() && (target < bounds.log_start || target > bounds.end)) {
    report_.Expect(!moved && moved.error().code() == ErrorCode::kOutOfRange && moved.error().bounds() == bounds,
                   "seek-unjudged", fmt::format("to {}", target.value()));
    report_.Fired("seek-refused");
    return;
  }
  JudgeMove(*cursor, moved, target, "Seek");
  report_.Fired("seek");
}

void CursorWorld::SeekToTime() {
  Named* cursor = DrawOpen();
  if (cursor == nullptr) return;
  const OffsetBounds bounds = Bounds(drawn_.first);
  const std::int64_t time_ms = clock_.WallMs() - static_cast<std::int64_t>(random_.Below(20'000));
  const LogModel& log = logs_.at(drawn_.first);
  Offset target = log.FindTime(bounds.log_start, bounds.end, time_ms);
  BeginCall();
  const auto moved = cursor->handles.front()->SeekToTime(time_ms);
  // What was to be deleted may be gone, though no answer said so.
  const Offset found = cursor->handles.front()->Position();
  if (moved && found > target &&
      found <= log.FindTime(std::max(bounds.log_start, log.start_wanted), bounds.end, time_ms))
    target = found;
  if (dying()) cursor->model.Doubt(log.FindTime(bounds.log_start, log.end(), time_ms));
  report_.Event(fmt::format("seek {}/{} to time {}", drawn_.first, drawn_.second, target.value()));
  JudgeMove(*cursor, moved, target, "SeekToTime");
  report_.Fired("seek-to-time");
}

/// What a cursor says of itself.
void CursorWorld::JudgeStanding(const CursorKey& key, Named& cursor) {
  const OffsetBounds bounds = Bounds(key.first);
  const Cursor& handle = *cursor.handles.back();
  const Offset position = cursor.model.position();
  report_.Expect(
      handle.Position() == position, "position-wrong",
      fmt::format("{}/{} at {}, must be {}", key.first, key.second, handle.Position().value(), position.value()));
  const std::int64_t expected = std::max<std::int64_t>(0, bounds.end - std::max(position, bounds.log_start));
  const auto unread = handle.UnreadCount();
  report_.Expect(unread && *unread == static_cast<std::uint64_t>(expected), "unread-wrong",
                 fmt::format("{}/{} has {} unread, must have {}", key.first, key.second,
                             unread ? static_cast<std::int64_t>(*unread) : -1, expected));
  const auto ready = cursor.handles.back()->Wait(milliseconds(0));
  report_.Expect(ready && *ready == (position < bounds.end), "wait-wrong", key.second);
}

void CursorWorld::Drain(const CursorKey& key) {
  Named& cursor = cursors_.at(key);
  const std::size_t rounds = logs_.at(key.first).entries.size() + 20;
  for (std::size_t i = 0; i < rounds && !report_.enough(); ++i) {
    const OffsetBounds bounds = Bounds(key.first);
    const Offset position = cursor.model.position();
    if (position == bounds.end) break;
    const Offset end_max = TakeEnd(logs_.at(key.first), position, logs_.at(key.first).end(), {5'000});
    cursor.model.BeginTaking();
    BeginCall();
    const auto records = cursor.handles.front()->ReadBatch(5'000, true);
    if (records) {
      if (!JudgeTaken(cursor, key.first, *records, {5'000}, true)) return;
    } else {
      JudgeReadError(key, cursor, records.error(), end_max, true);
    }
  }
  report_.Expect(cursor.model.position() == Bounds(key.first).end, "not-live",
                 fmt::format("{}/{} did not come to the end", key.first, key.second));
  JudgeStanding(key, cursor);
}

void CursorWorld::Step() {
  const std::uint64_t dice = random_.Below(100);
  if (random_.OneIn(50)) DieSoon();
  if (dice < 17) {
    Append(random_.OneIn(3) ? 12 : 2);
  } else if (dice < 31) {
    ReadNext(true);
  } else if (dice < 43) {
    ReadBatch(true);
  } else if (dice < 48) {
    random_.OneIn(2) ? ReadNext(false) : ReadBatch(false);
  } else if (dice < 61) {
    Open(DrawKey());
  } else if (dice < 65) {
    Close();
  } else if (dice < 67) {
    Delete();
  } else if (dice < 69) {
    List();
  } else if (dice < 73) {
    Seek();
  } else if (dice < 75) {
    SeekToTime();
  } else if (dice < 85) {
    BackgroundStep();
  } else if (dice < 87) {
    DeleteRecords();
  } else if (dice < 91) {
    BreakPositions(random_.OneIn(3) ? Fault::kUntilHealed : Fault::kOnce);
  } else if (dice < 93) {
    BreakStores(!stores_faulty_);
  } else if (dice < 94) {
    if (damages_) ChangeBytesOfAnObject();
  } else if (dice < 95) {
    RecreateTopic();
  } else if (dice < 97) {
    CloseCleanly();
  } else {
    Die(dice == 99);
  }
  if (positions_fault_ == Fault::kUntilHealed && random_.OneIn(4)) BreakPositions(Fault::kNone);
  if (engine_ && dying_) Die(random_.OneIn(2));
}

void CursorWorld::Live(int steps) {
  if (engine_ && random_.OneIn(64)) Append(5'000);
  for (int i = 0; i < steps && engine_ && !report_.enough(); ++i) {
    Step();
    if (!engine_ || report_.enough()) return;
    JudgeLog();
    for (auto& [key, cursor] : cursors_)
      if (!cursor.handles.empty()) JudgeStanding(key, cursor);
  }
}

void CursorWorld::HealAndJudge() {
  if (!engine_ || report_.enough()) return;
  healing_ = true;
  Die(random_.OneIn(2));
  if (!engine_) return;
  report_.Event("healed");
  for (const std::string_view topic : kTopics)
    for (const std::string_view name : kNames) Open({std::string(topic), std::string(name)});
  for (const auto& [key, cursor] : cursors_) {
    if (!report_.Expect(!cursor.handles.empty(), "not-live", key.second) || report_.enough()) return;
    Drain(key);
  }
  for (auto& [key, cursor] : cursors_) {
    const Offset end = Bounds(key.first).end;
    BeginCall();
    JudgeMove(cursor, cursor.handles.front()->Seek(end), end, "Seek");
  }
  const auto recycled = engine_->Recycle();
  report_.Expect(recycled.has_value(), "not-live", "Recycle");
  JudgeLog();
  for (const auto& [topic, log] : logs_) {
    const auto offsets = engine_->Offsets(At(topic));
    const bool all = cursors_.lower_bound({topic, ""}) != cursors_.end();
    report_.Expect(!log.consumed || !all || !offsets || offsets->log_start == offsets->durable_end, "consumed-kept",
                   fmt::format("{} starts at {}, all was consumed", topic, offsets ? offsets->log_start.value() : -1));
  }
  report_.Fired("healed");
}

}  // namespace millrace::sim
