#include "text/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace millrace {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> Digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return digits;
}

}  // namespace

void AppendBase64(std::string& out, std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::size_t length = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < length ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    out += kAlphabet[group >> 18];
    out += kAlphabet[group >> 12 & 63];
    out += length > 1 ? kAlphabet[group >> 6 & 63] : '=';
    out += length > 2 ? kAlphabet[group & 63] : '=';
  }
}

std::string ToBase64(std::span<const std::byte> bytes) {
  std::string text;
  AppendBase64(text, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  static constexpr auto kDigits = Digits();
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    bool last = at + 4 == text.size();
    std::size_t digits = last ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint8_t digit = i < digits ? kDigits[static_cast<unsigned char>(text[at + i])] : 0;
      if (digit == kNone) return std::nullopt;
      group = group << 6 | digit;
    }
    for (std::size_t i = 0; i + 1 < digits; ++i) bytes += static_cast<char>(group >> (16 - 8 * i) & 0xFF);
  }
  return bytes;
}

}  // namespace millrace
