#include "env/sim/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "env/sim/sim_losses.h"

namespace millrace {

std::string SimDisk::Normal(const std::filesystem::path& path) {
  const std::string& text = path.native();
  const bool plain = text.size() > 1 && text.back() != '/' && text.find("//") == std::string::npos &&
                     text.find("/.") == std::string::npos && text[0] != '.';
  if (plain) return text;
  std::string normal = path.lexically_normal().native();
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal == "." ? "" : normal;
}

std::pair<std::string, std::string> SimDisk::Split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

SimDisk::Directory* SimDisk::FindDirectory(const std::string& path) {
  const auto found = directories_.find(path);
  return found == directories_.end() ? nullptr : &found->second;
}

bool SimDisk::IsDirectory(const std::string& path) const { return directories_.contains(path); }

std::optional<SimDisk::InodeNumber> SimDisk::Find(const std::string& path) const {
  const auto [parent, name] = Split(path);
  const auto directory = directories_.find(parent);
  if (directory == directories_.end()) return std::nullopt;
  const auto entry = directory->second.now.find(name);
  if (entry == directory->second.now.end()) return std::nullopt;
  return entry->second;
}

int SimDisk::Create(const std::string& path, InodeNumber& number) {
  const auto [parent, name] = Split(path);
  Directory* directory = FindDirectory(parent);
  if (directory == nullptr) return ENOENT;
  number = next_inode_++;
  directory->now[name] = number;
  inodes_[number].linked = true;
  unsynced_names_.push_back({.inode = number, .to_directory = parent, .to_name = name});
  return 0;
}

int SimDisk::Rename(const std::string& from, const std::string& to) {
  if (IsDirectory(from)) return EOPNOTSUPP;  // no caller needs it
  const auto moved = Find(from);
  const auto [from_parent, from_name] = Split(from);
  const auto [to_parent, to_name] = Split(to);
  Directory* target = FindDirectory(to_parent);
  if (!moved || target == nullptr) return ENOENT;
  if (IsDirectory(to)) return EISDIR;
  if (from == to) return 0;
  if (const auto replaced = target->now.find(to_name); replaced != target->now.end()) {
    inode(replaced->second).linked = false;
  }
  target->now[to_name] = *moved;
  FindDirectory(from_parent)->now.erase(from_name);
  unsynced_names_.push_back({*moved, from_parent, from_name, to_parent, to_name});
  return 0;
}

int SimDisk::Remove(const std::string& path) {
  const auto [parent, name] = Split(path);
  if (Directory* directory = FindDirectory(path)) {
    if (!directory->now.empty() || !directory->directories.empty()) return ENOTEMPTY;
    directories_.erase(path);
    FindDirectory(parent)->directories.erase(name);
    std::erase_if(unsynced_names_, [&path](const NameChange& change) { return change.Touches(path); });
    return 0;
  }
  const auto removed = Find(path);
  if (!removed) return ENOENT;
  inode(*removed).linked = false;
  FindDirectory(parent)->now.erase(name);
  unsynced_names_.push_back({.inode = *removed, .from_directory = parent, .from_name = name});
  return 0;
}

int SimDisk::MakeDirectories(const std::string& path) {
  if (IsDirectory(path)) return 0;
  if (Find(path)) return ENOTDIR;
  const auto [parent, name] = Split(path);
  if (const int error = MakeDirectories(parent); error != 0) return error;
  FindDirectory(parent)->directories.insert(name);
  directories_[path];
  return 0;
}

bool SimDisk::NameChange::SharesName(const NameChange& other) const {
  const auto same = [](const std::string& directory, const std::string& name, const std::string& other_directory,
                       const std::string& other_name) {
    return !name.empty() && name == other_name && directory == other_directory;
  };
  return same(from_directory, from_name, other.from_directory, other.from_name) ||
         same(from_directory, from_name, other.to_directory, other.to_name) ||
         same(to_directory, to_name, other.from_directory, other.from_name) ||
         same(to_directory, to_name, other.to_directory, other.to_name);
}

void SimDisk::Apply(const NameChange& change, std::map<std::string, Directory, std::less<>>& directories) {
  if (!change.to_name.empty()) {
    if (const auto found = directories.find(change.to_directory); found != directories.end()) {
      found->second.disk[change.to_name] = change.inode;
    }
  }
  if (change.from_name.empty()) return;
  const auto found = directories.find(change.from_directory);
  if (found == directories.end()) return;
  const auto entry = found->second.disk.find(change.from_name);
  if (entry != found->second.disk.end() && entry->second == change.inode) found->second.disk.erase(entry);
}

int SimDisk::SyncDirectory(const std::string& path) {
  if (!IsDirectory(path)) return Find(path) ? ENOTDIR : ENOENT;
  // A rename is atomic, so a change across two directories takes the earlier ones of the same names along.
  std::vector<bool> synced(unsynced_names_.size());
  for (std::size_t i = unsynced_names_.size(); i-- > 0;) {
    synced[i] = unsynced_names_[i].Touches(path);
    for (std::size_t later = i + 1; later < synced.size() && !synced[i]; ++later) {
      synced[i] = synced[later] && unsynced_names_[i].SharesName(unsynced_names_[later]);
    }
  }
  std::vector<NameChange> rest;
  for (std::size_t i = 0; i < synced.size(); ++i) {
    if (synced[i]) {
      Apply(unsynced_names_[i], directories_);
    } else {
      rest.push_back(std::move(unsynced_names_[i]));
    }
  }
  unsynced_names_ = std::move(rest);
  if (inodes_.size() >= drop_at_) DropUnreachable();
  return 0;
}

int SimDisk::List(const std::string& path, std::vector<DirectoryEntry>& entries) const {
  const auto directory = directories_.find(path);
  if (directory == directories_.end()) return Find(path) ? ENOTDIR : ENOENT;
  for (const auto& [name, number] : directory->second.now) {
    entries.push_back({.name = name, .is_directory = false, .size_bytes = inodes_.at(number).size()});
  }
  for (const auto& name : directory->second.directories) entries.push_back({.name = name, .is_directory = true});
  std::ranges::sort(entries, {}, &DirectoryEntry::name);
  return 0;
}

std::uint64_t SimDisk::used_blocks() const {
  std::uint64_t blocks = 0;
  for (const auto& [number, inode] : inodes_) {
    if (inode.linked || inode.opens > 0) blocks += inode.allocated_blocks();
  }
  return blocks;
}

std::vector<std::filesystem::path> SimDisk::Files() const {
  std::vector<std::filesystem::path> files;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, number] : directory.now) files.push_back(std::filesystem::path(path) / name);
  }
  std::ranges::sort(files);
  return files;
}

void SimDisk::DropUnreachable() {
  std::set<InodeNumber> reachable;
  for (const auto& [path, directory] : directories_) {
    for (const auto& [name, number] : directory.now) reachable.insert(number);
    for (const auto& [name, number] : directory.disk) reachable.insert(number);
  }
  for (const auto& change : unsynced_names_) reachable.insert(change.inode);
  std::erase_if(
      inodes_, [&reachable](const auto& entry) { return entry.second.opens == 0 && !reachable.contains(entry.first); });
  drop_at_ = inodes_.size() * 2 + 64;
}

void SimDisk::EndProcess() {
  for (auto& [number, inode] : inodes_) {
    inode.Unmap();
    inode.opens = 0;
  }
}

SimDisk SimDisk::Freeze() {
  for (auto& [number, inode] : inodes_) inode.PullMapping();
  SimDisk frozen = *this;
  for (auto& [number, inode] : frozen.inodes_) inode.ForgetProcess();
  return frozen;
}

SimDisk SimDisk::AfterPowerLoss(std::uint64_t seed, SimLosses& losses) const {
  SimSurvival survival(seed, losses);
  SimDisk after;
  after.next_inode_ = next_inode_;
  for (const auto& [path, directory] : directories_) {
    Directory& copy = after.directories_[path];
    copy.disk = directory.disk;
    copy.directories = directory.directories;
  }
  // Changes of one name reach the disk in their order, if at all; different names in any order.
  std::vector<const NameChange*> lost;
  for (const NameChange& change : unsynced_names_) {
    const bool blocked =
        std::ranges::any_of(lost, [&change](const NameChange* earlier) { return change.SharesName(*earlier); });
    if (!blocked && survival.Survives()) {
      Apply(change, after.directories_);
      ++losses.names_kept;
    } else {
      lost.push_back(&change);
      ++losses.names_lost;
    }
  }
  for (auto& [path, directory] : after.directories_) {
    directory.now = directory.disk;
    for (const auto& [name, number] : directory.now) {
      if (!after.inodes_.contains(number)) {
        after.inodes_.emplace(number, inodes_.at(number).AfterPowerLoss(survival));
      }
    }
  }
  return after;
}

}  // namespace millrace
