#include "env/temporary_directory.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace millrace {

Result<TemporaryDirectory> TemporaryDirectory::In(const std::filesystem::path& parent) {
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  std::string name = (parent / "millrace-").string() + std::string(6, 'X');  // mkdtemp puts letters there
  if (!error && ::mkdtemp(name.data()) == nullptr) error = {errno, std::generic_category()};
  if (error) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("cannot make a directory in {}: {}", parent.string(), error.message()));
  }
  return TemporaryDirectory(std::filesystem::path(name));
}

TemporaryDirectory::TemporaryDirectory() {
  auto made = In(std::filesystem::temp_directory_path());
  MR_CHECK(made);
  path_ = std::exchange(made->path_, {});
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace millrace
