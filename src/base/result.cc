#include "millrace/result.h"

#include "base/check.h"

namespace millrace {

struct Error::State {
  ErrorCode code;
  std::string message, hint;
  bool retryable = false;
  std::optional<OffsetBounds> bounds;
  std::optional<DamagedRange> damage;
};

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "kInvalidArgument";
    case ErrorCode::kNotFound:
      return "kNotFound";
    case ErrorCode::kAlreadyExists:
      return "kAlreadyExists";
    case ErrorCode::kOutOfRange:
      return "kOutOfRange";
    case ErrorCode::kOutOfSpace:
      return "kOutOfSpace";
    case ErrorCode::kCorruption:
      return "kCorruption";
    case ErrorCode::kUnavailable:
      return "kUnavailable";
    case ErrorCode::kTimeout:
      return "kTimeout";
    case ErrorCode::kFenced:
      return "kFenced";
    case ErrorCode::kClosed:
      return "kClosed";
    case ErrorCode::kUnsupported:
      return "kUnsupported";
    case ErrorCode::kInternal:
      return "kInternal";
    case ErrorCode::kPermissionDenied:
      return "kPermissionDenied";
    case ErrorCode::kProducerFenced:
      return "kProducerFenced";
    case ErrorCode::kOutOfSequence:
      return "kOutOfSequence";
  }
  return "kInternal";
}

Error::Error(ErrorCode code, std::string message, std::string hint)
    : state_(std::make_shared<const State>(
          State{.code = code,
                .message = std::move(message),
                .hint = std::move(hint),
                .retryable = code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout})) {}

Error::Error(std::shared_ptr<const State> state) : state_(std::move(state)) {}

ErrorCode Error::code() const { return state_->code; }
std::string_view Error::message() const { return state_->message; }
std::string_view Error::hint() const { return state_->hint; }
bool Error::retryable() const { return state_->retryable; }
std::optional<OffsetBounds> Error::bounds() const { return state_->bounds; }
const DamagedRange* Error::damage() const { return state_->damage ? &*state_->damage : nullptr; }

Error Error::WithContext(std::string_view prefix) const {
  auto state = std::make_shared<State>(*state_);
  state->message = std::string(prefix) + ": " + state->message;
  return Error(std::move(state));
}

Error Error::WithHint(std::string hint) const {
  auto state = std::make_shared<State>(*state_);
  state->hint = std::move(hint);
  return Error(std::move(state));
}

Error Error::WithBounds(OffsetBounds bounds) const {
  auto state = std::make_shared<State>(*state_);
  state->bounds = bounds;
  return Error(std::move(state));
}

Error Error::WithDamage(DamagedRange damage) const {
  auto state = std::make_shared<State>(*state_);
  state->damage = std::move(damage);
  return Error(std::move(state));
}

Error Error::WithRetryable(bool retryable) const {
  auto state = std::make_shared<State>(*state_);
  state->retryable = retryable;
  return Error(std::move(state));
}

std::string Error::ToString() const {
  std::string text = state_->message;
  if (!text.empty() && text.back() != '.') text += '.';
  if (!state_->hint.empty()) text += ' ' + state_->hint;
  return text + " [" + std::string(ErrorCodeName(state_->code)) + ']';
}

}  // namespace millrace
