#include "millrace/cursor.h"

#include "base/try.h"
#include "cursor/cursor_handle.h"

namespace millrace {
namespace {

ReadIntent IntentOf(bool checkpoint) { return checkpoint ? ReadIntent::kConsume : ReadIntent::kPeek; }

/// The entry is made where the caller gets it: moving a record costs more than reading a short one.
Result<std::optional<Record>> ReadNextOf(CursorState& state, ReadIntent intent) {
  Result<std::optional<Record>> result(std::in_place);
  if (auto read = state.ReadNext(intent, *result); !read) result = std::move(read).error();
  return result;
}

}  // namespace

Cursor::Cursor(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}

Cursor::~Cursor() { (void)implementation_->Close(); }

Result<std::optional<Record>> Cursor::ReadNext(bool checkpoint) noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return ReadNextOf(implementation_->state(), IntentOf(checkpoint));
}

Result<std::vector<Record>> Cursor::ReadBatch(std::uint64_t max_bytes, bool checkpoint) noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return implementation_->state().ReadBatch(max_bytes, IntentOf(checkpoint));
}

Result<bool> Cursor::Wait(std::chrono::milliseconds wait) noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return implementation_->state().Wait(wait, implementation_->calls());
}

Offset Cursor::Position() const noexcept { return implementation_->state().Position(); }

Result<std::uint64_t> Cursor::UnreadCount() const noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return implementation_->state().UnreadCount();
}

Result<void> Cursor::Seek(Offset position) noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return implementation_->state().Seek(position);
}

Result<void> Cursor::SeekToTime(std::int64_t timestamp_ms) noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return implementation_->state().SeekToTime(timestamp_ms);
}

Result<Offset> Cursor::SkipCorrupt() noexcept {
  const Implementation::Inside inside(*implementation_);
  MR_TRY(inside.Check());
  return implementation_->state().SkipCorrupt();
}

std::optional<Offset> Cursor::CorrectedFrom() const noexcept { return implementation_->state().corrected_from(); }

Result<void> Cursor::Close() noexcept { return implementation_->Close(); }

}  // namespace millrace
