// What a server refused, as an error of ours: the code's meaning, and the words of the server where it has some.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kafka/error_codes.h"
#include "kafka/wire_types.h"
#include "millrace/result.h"

namespace millrace::client {

/// "WHAT: words of the server (36 TOPIC_ALREADY_EXISTS)", and without them the code's meaning. `code` is not 0.
Error Refusal(std::int16_t code, std::string_view what, kafka::NullableText words = {});

/// Text from outside for a terminal: control characters become '?', and no more than a paragraph of it is taken.
std::string Printable(std::string_view text);

}  // namespace millrace::client
