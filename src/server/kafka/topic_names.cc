#include "server/kafka/topic_names.h"

#include <algorithm>

namespace millrace {

bool IsTopicName(std::string_view name) {
  constexpr std::size_t kNameMax = 249;
  if (name.empty() || name.size() > kNameMax || name == "." || name == "..") return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

}  // namespace millrace
