// Text that must not be seen: a key, a token. It has no stream operator and no conversion, so that it cannot slip into
// a message; code that needs it says so.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace millrace {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  /// For signing and sending, never for a message.
  [[nodiscard]] std::string_view Reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace millrace
