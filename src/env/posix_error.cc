#include "env/posix_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace millrace {
namespace {

struct Meaning {
  ErrorCode code = ErrorCode::kUnavailable;
  std::string_view hint;
  bool retryable = true;
};

Meaning MeaningOf(int error_number) {
  switch (error_number) {
    case ENOENT:
      return {ErrorCode::kNotFound, "", false};
    case EEXIST:
      return {ErrorCode::kAlreadyExists, "", false};
    case ENOSPC:
      return {ErrorCode::kOutOfSpace, "Free space on this file system.", false};
    case EDQUOT:
      return {ErrorCode::kOutOfSpace, "The disk quota is used up: free space or raise it.", false};
    case EFBIG:
      return {ErrorCode::kOutOfSpace, "The file would exceed the largest size allowed (see ulimit -f).", false};
    case EOPNOTSUPP:
    case ENODEV:
      return {ErrorCode::kUnsupported, "", false};
    case EINVAL:
    case EBADF:  // written through a descriptor that only reads
    case EISDIR:
    case ENOTEMPTY:
    case ENAMETOOLONG:
      return {ErrorCode::kInvalidArgument, "", false};
    case EACCES:
    case EPERM:
      return {ErrorCode::kPermissionDenied, "Check owner and mode of the path and who runs this process.", false};
    case EROFS:
      return {ErrorCode::kPermissionDenied, "The file system is mounted read-only.", false};
    case ELOOP:
      return {ErrorCode::kUnavailable, "Symbolic links are not followed here.", false};
    case ENOTDIR:
      return {ErrorCode::kUnavailable, "A part of the path is a file.", false};
    case EMFILE:
      return {ErrorCode::kUnavailable, "Raise the limit of open files (ulimit -n)."};
    case ENFILE:
      return {ErrorCode::kUnavailable, "The system has no file descriptors left."};
    case EIO:
      return {ErrorCode::kUnavailable, "The disk failed; see the kernel log (dmesg)."};
    default:
      return {};
  }
}

}  // namespace

Error PosixError(int error_number, std::string_view call, const std::filesystem::path& path) {
  const Meaning meaning = MeaningOf(error_number);
  const char* name = ::strerrorname_np(error_number);
  auto message = fmt::format("cannot {} {}: {} ({})", call, path.native(), ::strerrordesc_np(error_number),
                             name != nullptr ? name : "?");
  return Error(meaning.code, std::move(message), std::string(meaning.hint)).WithRetryable(meaning.retryable);
}

bool LacksDescriptors(const Error& error) {
  return error.message().ends_with("(EMFILE)") || error.message().ends_with("(ENFILE)");
}

Error LockHeldError(const std::filesystem::path& path, std::string_view holder) {
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} is held by {}", path.native(), holder.empty() ? "another process" : holder),
               "Close the holder first, or use another directory.");
}

}  // namespace millrace
