// Is this text? Decides whether a record can stand in JSON as it is.
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace {

/// Bytes of the well-formed UTF-8 sequence at the front of `text`; 0 if there is none (overlong forms, surrogates and
/// values past U+10FFFF are not well-formed).
std::size_t Utf8SequenceLength(std::string_view text);

/// Cost: one pass, eight bytes at a time while they are ASCII.
bool IsUtf8(std::string_view text);

}  // namespace millrace
