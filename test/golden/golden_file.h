// Files that must read the same for ever, and the hex dumps of them in docs/format.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace millrace {

inline std::vector<std::byte> ReadGolden(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_GOLDEN) + "/" + name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(text.empty()) << name << " is missing";
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// The bytes dumped in a page: lines of four hex digits, two spaces, and up to sixteen bytes.
inline std::vector<std::byte> BytesInPage(const std::string& page) {
  std::ifstream file(std::string(MILLRACE_FORMATS) + "/" + page);
  std::vector<std::byte> bytes;
  for (std::string line; std::getline(file, line);) {
    const bool dump = line.size() >= 8 && line.find_first_not_of("0123456789abcdef") == 4 && line.substr(4, 2) == "  ";
    if (!dump) continue;
    EXPECT_EQ(std::stoul(line.substr(0, 4), nullptr, 16), bytes.size()) << page << ": " << line;
    for (std::size_t at = 6; at + 2 <= line.size() && line[at] != ' '; at += 3)
      bytes.push_back(static_cast<std::byte>(std::stoul(line.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace millrace
