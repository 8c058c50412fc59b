// What the user wrote, by flag: text until a command asks for a number, a size or a time. Every wrong value is one
// kInvalidArgument that names the flag and what it takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/result.h"

namespace millrace {

class Arguments {
 public:
  /// Of which verb they are: "topic create".
  void NameVerb(std::string_view words) { verb_ = words; }
  [[nodiscard]] const std::string& verb() const { return verb_; }

  void Add(std::string_view key, std::string value) { flags_[std::string(key)].push_back(std::move(value)); }
  void AddPositional(std::string_view name, std::string value) {
    positionals_[std::string(name)].push_back(std::move(value));
  }

  /// `flag` is its key: "--json", "-k".
  [[nodiscard]] bool Has(std::string_view flag) const { return flags_.contains(flag); }
  /// The last one given.
  [[nodiscard]] std::optional<std::string> Text(std::string_view flag) const;
  [[nodiscard]] std::vector<std::string> All(std::string_view flag) const;
  /// The first of a positional; "" if it was left out.
  [[nodiscard]] std::string Positional(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> Positionals(std::string_view name) const;

  struct Bounds {
    std::int64_t min = 0, max = INT64_MAX;
  };
  [[nodiscard]] Result<std::optional<std::int64_t>> Integer(std::string_view flag, Bounds bounds) const;
  /// "64MiB", "1000".
  [[nodiscard]] Result<std::optional<std::uint64_t>> Size(std::string_view flag) const;
  [[nodiscard]] Result<std::optional<std::chrono::milliseconds>> Duration(std::string_view flag) const;

 private:
  std::string verb_;
  std::map<std::string, std::vector<std::string>, std::less<>> flags_, positionals_;
};

}  // namespace millrace
