// JSON out, appended to a string as it is written: no tree, no allocation of its own. Used line by line for streams and
// once for documents.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// Appends `text` in quotes. Bytes that are not UTF-8 become U+FFFD, so the line is always valid JSON.
void AppendJsonString(std::string& out, std::string_view text);

/// Not thread-safe. Commas are put where they belong; nesting is the caller's.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view name);

  JsonWriter& String(std::string_view value);
  JsonWriter& Boolean(bool value);
  JsonWriter& Null();
  JsonWriter& Number(double value);
  JsonWriter& Number(std::integral auto value) {
    if constexpr (std::signed_integral<decltype(value)>) return Signed(static_cast<std::int64_t>(value));
    return Unsigned(static_cast<std::uint64_t>(value));
  }

  /// A value that the caller has appended itself: the next one gets its comma.
  JsonWriter& Written() {
    comma_ = true;
    return *this;
  }

  // A member in one call.
  JsonWriter& Member(std::string_view name, std::string_view value) { return Key(name).String(value); }
  JsonWriter& Member(std::string_view name, const char* value) { return Key(name).String(value); }
  JsonWriter& Member(std::string_view name, bool value) { return Key(name).Boolean(value); }
  JsonWriter& Member(std::string_view name, std::integral auto value) { return Key(name).Number(value); }
  JsonWriter& Member(std::string_view name, double value) { return Key(name).Number(value); }

 private:
  JsonWriter& Signed(std::int64_t value);
  JsonWriter& Unsigned(std::uint64_t value);
  void Separate();

  std::string& out_;
  bool comma_ = false;
};

}  // namespace millrace
