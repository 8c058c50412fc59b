// The directory at the end of an object, read from the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "millrace/object_store.h"
#include "millrace/result.h"
#include "segment/object_directory.h"

namespace millrace {

/// None: the object has none, as those of earlier releases. One request for a directory of up to 64 KiB, else two.
/// Errors: kCorruption (damage() names the object), kUnsupported, kNotFound, those of the store.
Result<std::optional<ObjectDirectory>> ReadObjectDirectory(ObjectStore& objects, std::string_view key,
                                                           std::uint64_t size_bytes);

}  // namespace millrace
