#include "store/s3/aws_surroundings.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <system_error>

namespace millrace {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::optional<std::string> ReadVariable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Result<std::string> ReadFile(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no file {}", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() == 0 || static_cast<std::size_t>(file.gcount()) > kFileBytesMax) {
    return Error(ErrorCode::kUnavailable, fmt::format("{} cannot be read, or is empty or above 1 MiB", path.string()))
        .WithRetryable(false);
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

AwsSurroundings AwsSurroundings::OfProcess() { return {&ReadVariable, &ReadFile}; }

}  // namespace millrace
