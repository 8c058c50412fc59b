#include "client/refusal.h"

#include <fmt/format.h>

namespace millrace::client {

std::string Printable(std::string_view text) {
  constexpr std::size_t kBytesMax = 500;
  std::string out(text.substr(0, kBytesMax));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  while (out.ends_with('.') || out.ends_with(' ')) out.pop_back();
  return out;
}

Error Refusal(std::int16_t code, std::string_view what, kafka::NullableText words) {
  Error error = kafka::ErrorOfCode(code, what);
  const kafka::CodeRow* row = kafka::FindCode(code);
  if (row == nullptr || words.value_or("").empty()) return error;
  return Error(error.code(), fmt::format("{}: {} ({} {})", what, Printable(*words), row->code, row->name))
      .WithRetryable(error.retryable());
}

}  // namespace millrace::client
