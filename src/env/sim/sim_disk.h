// The simulated disk: inodes, names, and which names would still be there after power loss. A value: copying it freezes
// it. Knows no faults, handles or threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/sim/sim_inode.h"
#include "millrace/file_system.h"

namespace millrace {

class SimDisk {
 public:
  using InodeNumber = std::uint64_t;
  /// A path as the disk keeps it: normal, without a slash at the end.
  static std::string Normal(const std::filesystem::path& path);

  [[nodiscard]] bool IsDirectory(const std::string& path) const;
  [[nodiscard]] std::optional<InodeNumber> Find(const std::string& path) const;
  SimInode& inode(InodeNumber number) { return inodes_.at(number); }

  // Each answers 0 or an errno.
  int Create(const std::string& path, InodeNumber& number);
  int Rename(const std::string& from, const std::string& to);
  int Remove(const std::string& path);
  int MakeDirectories(const std::string& path);
  int SyncDirectory(const std::string& path);
  int List(const std::string& path, std::vector<DirectoryEntry>& entries) const;

  [[nodiscard]] std::uint64_t used_blocks() const;
  [[nodiscard]] std::vector<std::filesystem::path> Files() const;
  /// The process is gone: handles and mappings end, the page cache stays.
  void EndProcess();
  /// A copy without the process that uses it.
  SimDisk Freeze();
  [[nodiscard]] SimDisk AfterPowerLoss(std::uint64_t seed, SimLosses& losses) const;

 private:
  using Names = std::map<std::string, InodeNumber, std::less<>>;
  struct Directory {
    Names now, disk;
    std::set<std::string, std::less<>> directories;  // always durable: their maker syncs the parent
  };
  /// A change of names that the disk may not have yet. Whole or not at all.
  struct NameChange {
    InodeNumber inode;
    std::string from_directory, from_name;  // loses the name, unless empty
    std::string to_directory, to_name;      // gets it, unless empty
    [[nodiscard]] bool Touches(const std::string& directory) const {
      return (!from_name.empty() && from_directory == directory) || (!to_name.empty() && to_directory == directory);
    }
    [[nodiscard]] bool SharesName(const NameChange& other) const;
  };
  static std::pair<std::string, std::string> Split(const std::string& path);
  static void Apply(const NameChange& change, std::map<std::string, Directory, std::less<>>& directories);
  Directory* FindDirectory(const std::string& path);
  void DropUnreachable();

  std::map<std::string, Directory, std::less<>> directories_{{"", {}}, {"/", {}}};
  std::map<InodeNumber, SimInode> inodes_;
  std::vector<NameChange> unsynced_names_;
  InodeNumber next_inode_ = 1;
  std::size_t drop_at_ = 64;
};

}  // namespace millrace
