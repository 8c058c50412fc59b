// Error and Result<T>: the only way a call of ours fails. An Error says what failed, on what, why, and what to do.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/export.h"
#include "millrace/types.h"

namespace millrace {

enum class ErrorCode {
  kInvalidArgument,  // fix the call
  kNotFound,
  kAlreadyExists,
  kOutOfRange,   // bounds() has the real ones
  kOutOfSpace,   // free space; the call may then be repeated
  kCorruption,   // damage() names the place and the range
  kUnavailable,  // the other side cannot be reached, or another process or consumer holds it; may be retried
  kTimeout,
  kFenced,  // another owner took over
  kClosed,
  kUnsupported,
  kInternal,
  kPermissionDenied,  // the machine or the store does not let this user; the message says who and what
  kProducerFenced,    // a producer of the same id and a higher epoch has appended here
  kOutOfSequence,     // a producer's batch neither follows its last one nor repeats one of the last five
};

/// "kNotFound" for ErrorCode::kNotFound.
MILLRACE_EXPORT std::string_view ErrorCodeName(ErrorCode code);

/// Why a call failed. Cheap to copy and to move (one counted pointer).
class MILLRACE_EXPORT Error {
 public:
  Error(ErrorCode code, std::string message, std::string hint = {});

  [[nodiscard]] ErrorCode code() const;
  [[nodiscard]] std::string_view message() const;
  [[nodiscard]] std::string_view hint() const;  // what to do; may be empty
  [[nodiscard]] bool retryable() const;         // kUnavailable and kTimeout unless said otherwise
  [[nodiscard]] std::optional<OffsetBounds> bounds() const;
  [[nodiscard]] const DamagedRange* damage() const;

  // Each returns a changed copy; the code never changes on the way up.
  [[nodiscard]] Error WithContext(std::string_view prefix) const;  // message becomes "prefix: message"
  [[nodiscard]] Error WithHint(std::string hint) const;
  [[nodiscard]] Error WithBounds(OffsetBounds bounds) const;
  [[nodiscard]] Error WithDamage(DamagedRange damage) const;
  [[nodiscard]] Error WithRetryable(bool retryable) const;

  /// "message. hint [kCode]", as the command line prints it.
  [[nodiscard]] std::string ToString() const;

 private:
  struct State;
  explicit Error(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

/// A value or an Error.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  Result(const Error& error) : std::expected<T, Error>(std::unexpected(error)) {}
  Result(Error&& error) : std::expected<T, Error>(std::unexpected(std::move(error))) {}
};

}  // namespace millrace
