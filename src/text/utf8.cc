#include "text/utf8.h"

#include <cstdint>
#include <cstring>

namespace millrace {
namespace {

unsigned At(std::string_view text, std::size_t index) { return static_cast<unsigned char>(text[index]); }

bool IsContinuation(std::string_view text, std::size_t index) {
  return index < text.size() && (At(text, index) & 0xC0) == 0x80;
}

}  // namespace

std::size_t Utf8SequenceLength(std::string_view text) {
  if (text.empty()) return 0;
  unsigned first = At(text, 0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !IsContinuation(text, 1)) return 0;
  if (first < 0xE0) return 2;
  unsigned second = At(text, 1);
  if (!IsContinuation(text, 2)) return 0;
  if (first < 0xF0) {
    bool overlong = first == 0xE0 && second < 0xA0;
    bool surrogate = first == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  bool overlong = first == 0xF0 && second < 0x90;
  bool too_large = first == 0xF4 && second > 0x8F;
  return overlong || too_large || !IsContinuation(text, 3) ? 0 : 4;
}

bool IsUtf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    while (text.size() - at >= sizeof(std::uint64_t)) {
      std::uint64_t eight;
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080u) != 0) break;
      at += sizeof eight;
    }
    if (at == text.size()) return true;
    std::size_t length = Utf8SequenceLength(text.substr(at));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace millrace
