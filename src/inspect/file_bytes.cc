#include "inspect/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace millrace {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path) : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int value() const { return value_; }

 private:
  const int value_;
};

Error Failed(const std::filesystem::path& path) {
  ErrorCode code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound
                   : errno == EISDIR                   ? ErrorCode::kInvalidArgument
                                                       : ErrorCode::kUnavailable;
  return Error(code, fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(errno)))
      .WithRetryable(false);
}

}  // namespace

Result<SharedBytes> ReadFileFront(const std::filesystem::path& path, std::uint64_t count) {
  Descriptor file(path);
  struct stat status{};
  if (file.value() < 0 || ::fstat(file.value(), &status) != 0) return Failed(path);
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    return Failed(path);
  }
  Buffer buffer(std::min(count, static_cast<std::uint64_t>(status.st_size)));
  std::size_t done = 0;
  while (done < buffer.size()) {
    ssize_t got = ::pread(file.value(), buffer.bytes().data() + done, buffer.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed(path);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  buffer.Shrink(done);
  return std::move(buffer).Freeze();
}

Result<SharedBytes> ReadWholeFile(const std::filesystem::path& path) { return ReadFileFront(path, UINT64_MAX); }

}  // namespace millrace
