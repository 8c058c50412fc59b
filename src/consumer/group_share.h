// Which consumer of a group reads which partition, inside one engine. Pure: no clock, no lock, no I/O.
//
//   target: by range, changes at once when a member comes or goes, or a topic grows
//   owner:  who reads it now; a member gives up what is another's target when it advances, and takes what is free
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/metadata_store.h"

namespace millrace {

class GroupShare {
 public:
  /// In the order of their joining.
  using Member = std::uint64_t;

  /// `topics` are shared with the others that read them; `own` are this member's alone while it is there, and its at
  /// once. Precondition: Conflict(own) is none.
  void Join(Member member, std::span<const std::string> topics, std::span<const PartitionKey> own);
  /// The first of `own` that another member owns.
  [[nodiscard]] std::optional<PartitionKey> Conflict(std::span<const PartitionKey> own) const;
  void Leave(Member member);
  /// The partitions of a topic, in order; those it had before and has no more belong to no member.
  void SetPartitions(std::string_view topic, std::span<const PartitionKey> partitions);

  /// `member` gives up and takes over. True: it gave up something, which others may take.
  bool Advance(Member member);
  [[nodiscard]] bool Owns(Member member, const PartitionKey& partition) const;
  [[nodiscard]] bool empty() const { return members_.empty(); }

 private:
  struct Wish {
    std::set<std::string, std::less<>> topics;
    std::set<PartitionKey> own;
  };
  void Aim();

  std::map<Member, Wish> members_;
  std::map<std::string, std::vector<PartitionKey>, std::less<>> topics_;
  std::map<PartitionKey, Member> target_, owner_;
};

}  // namespace millrace
