// Lists of slot numbers in one array: moving a slot from one to another allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace {

/// `lists` rings over common links, a sentinel each. A slot is in one list at most.
class SlotLists {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  explicit SlotLists(std::uint32_t lists) : lists_(lists), links_(lists) {
    for (std::uint32_t list = 0; list < lists; ++list) links_[list] = {list, list};
  }
  void PushFront(std::uint32_t list, std::uint32_t slot) {
    const std::uint32_t at = slot + lists_;
    if (links_.size() <= at) links_.resize(std::size_t{at} + 1);
    const std::uint32_t second = links_[list].after;
    links_[at] = {list, second};
    links_[second].before = at;
    links_[list].after = at;
  }
  void Remove(std::uint32_t slot) {
    const Link link = links_[slot + lists_];
    links_[link.before].after = link.after;
    links_[link.after].before = link.before;
  }
  /// kNone: the list is empty.
  [[nodiscard]] std::uint32_t Back(std::uint32_t list) const { return SlotAt(links_[list].before); }
  /// The next one towards the front.
  [[nodiscard]] std::uint32_t Before(std::uint32_t slot) const { return SlotAt(links_[slot + lists_].before); }

 private:
  struct Link {
    std::uint32_t before = 0, after = 0;
  };
  [[nodiscard]] std::uint32_t SlotAt(std::uint32_t at) const { return at < lists_ ? kNone : at - lists_; }

  std::uint32_t lists_;
  std::vector<Link> links_;
};

}  // namespace millrace
