// What an object's key may look like; the same for every store, so that a key fit for one is fit for all.
#pragma once

#include <cstddef>
#include <string_view>

#include "millrace/result.h"

namespace millrace {

inline constexpr std::size_t kObjectKeyBytesMax = 1024;  // as S3
inline constexpr std::size_t kObjectKeySegmentBytesMax = 200;

/// Errors: kInvalidArgument, naming what is wrong.
Result<void> CheckObjectKey(std::string_view key);

/// The error of a key that is, or lies below, another object's folder.
Error KeyIsFolder(std::string_view key);

/// The error of a key that is not there.
Error ObjectNotFound(std::string_view store, std::string_view key);

}  // namespace millrace
