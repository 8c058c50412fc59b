#include "env/sim/sim_file_system.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"
#include "base/try.h"
#include "env/posix_error.h"
#include "env/seeded_random.h"
#include "env/sim/sim_disk.h"

namespace millrace {
namespace {

constexpr std::size_t kOperations = static_cast<std::size_t>(SimOperation::kLock) + 1;
constexpr std::uint64_t kUnlimitedBytes = 1ull << 40;

}  // namespace

struct SimFileSystem::Image {
  SimDisk disk;
  SimTraits traits;
};

struct SimFileSystem::State {
  State(std::uint64_t seed, SimTraits what) : traits(what), random(seed) {}

  /// The first step of every call: counts it, and asks the plan.
  std::optional<SimFault> Enter(SimOperation operation, const std::filesystem::path& path) MR_EXCLUDES(mutex) {
    std::shared_ptr<const FaultPlan> asked;
    std::uint64_t number = 0;
    {
      MutexLock lock(mutex);
      number = ++calls;
      ++calls_of[static_cast<std::size_t>(operation)];
      asked = plan;
    }
    return asked ? (*asked)(operation, path, number) : std::nullopt;
  }

  /// The last step of every call that changed the disk.
  void Observe(SimOperation operation, const std::filesystem::path& path) MR_EXCLUDES(mutex) {
    std::shared_ptr<const Observer> told;
    {
      MutexLock lock(mutex);
      told = observer;
    }
    if (told) (*told)(operation, path);
  }

  [[nodiscard]] std::uint64_t FreeBlocks() const MR_REQUIRES(mutex) {
    if (!capacity) return kUnlimitedBytes / kSimBlockBytes;
    const std::uint64_t used = disk.used_blocks(), all = *capacity / kSimBlockBytes;
    return all > used ? all - used : 0;
  }

  using Observer = std::function<void(SimOperation, const std::filesystem::path&)>;
  const SimTraits traits;
  Mutex mutex;
  SeededRandom random;  // its own synchronization
  SimDisk disk MR_GUARDED_BY(mutex);
  std::uint64_t process MR_GUARDED_BY(mutex) = 1;  // which process; handles of another are dead
  std::uint64_t calls MR_GUARDED_BY(mutex) = 0;
  std::array<std::uint64_t, kOperations> calls_of MR_GUARDED_BY(mutex){};
  SimLosses losses MR_GUARDED_BY(mutex);
  std::map<std::string, std::string, std::less<>> locks MR_GUARDED_BY(mutex);  // path to holder
  std::map<std::string, int, std::less<>> shared_locks MR_GUARDED_BY(mutex);   // path to how many hold it
  std::optional<std::uint64_t> capacity MR_GUARDED_BY(mutex);
  std::shared_ptr<const FaultPlan> plan MR_GUARDED_BY(mutex);
  std::shared_ptr<const Observer> observer MR_GUARDED_BY(mutex);
};

namespace {

using StateRef = std::shared_ptr<SimFileSystem::State>;

Error FaultError(const SimFault& fault, std::string_view call, const std::filesystem::path& path) {
  if (fault.code == ErrorCode::kUnavailable) return PosixError(EIO, call, path);
  if (fault.code == ErrorCode::kOutOfSpace) return PosixError(ENOSPC, call, path);
  if (fault.code == ErrorCode::kUnsupported) return PosixError(EOPNOTSUPP, call, path);
  return Error(fault.code, "cannot " + std::string(call) + ' ' + path.native() + ": injected fault");
}

Error DeadError(const std::filesystem::path& path) {
  return Error(ErrorCode::kClosed, path.native() + " was open in a process that is gone");
}

/// What a handle remembers.
struct OpenFile {
  StateRef state;
  std::filesystem::path path;
  FileOptions options;
  SimDisk::InodeNumber inode;
  std::uint64_t process;
};

class SimMappedRegion final : public MappedRegion {
 public:
  SimMappedRegion(OpenFile open, std::shared_ptr<SimMapping> mapping, std::size_t size)
      : open_(std::move(open)), mapping_(std::move(mapping)), size_(size) {}
  ~SimMappedRegion() override {
    MutexLock lock(open_.state->mutex);
    if (open_.process != open_.state->process) return;
    SimInode& inode = open_.state->disk.inode(open_.inode);
    mapping_.reset();
    inode.ReleaseMapping();
    --inode.opens;
  }
  std::span<std::byte> bytes() override { return mapping_->bytes().first(size_); }

 private:
  const OpenFile open_;
  std::shared_ptr<SimMapping> mapping_;
  const std::size_t size_;
};

class SimFile final : public File {
 public:
  explicit SimFile(OpenFile open) : open_(std::move(open)) {}
  ~SimFile() override {
    MutexLock lock(state().mutex);
    if (open_.process == state().process) --state().disk.inode(open_.inode).opens;
  }

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    MR_TRY(Begin(SimOperation::kRead, "read"));
    MutexLock lock(state().mutex);
    if (Dead()) return DeadError(open_.path);
    if (!Aligned(offset, out)) return PosixError(EINVAL, "read", open_.path);
    SimInode& inode = state().disk.inode(open_.inode);
    const std::uint64_t end = std::max(inode.size(), offset);
    const std::size_t length = std::min<std::uint64_t>(out.size(), end - offset);
    inode.Read(offset, out.first(length));
    return length;
  }

  Result<void> WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const auto fault = state().Enter(SimOperation::kWrite, open_.path);
    {
      MutexLock lock(state().mutex);
      if (Dead()) return DeadError(open_.path);
      if (open_.options.access == FileAccess::kRead) return PosixError(EBADF, "write", open_.path);
      if (!Aligned(offset, bytes)) return PosixError(EINVAL, "write", open_.path);
      const std::uint64_t allowed = fault ? std::min<std::uint64_t>(fault->bytes_written, bytes.size()) : bytes.size();
      SimInode& inode = state().disk.inode(open_.inode);
      const std::uint64_t written = inode.Write(offset, bytes.first(allowed), state().FreeBlocks());
      if (written < allowed) return PosixError(ENOSPC, "write", open_.path);
    }
    if (fault) return FaultError(*fault, "write", open_.path);
    state().Observe(SimOperation::kWrite, open_.path);
    return {};
  }

  Result<void> Sync() override {
    const auto fault = state().Enter(SimOperation::kSync, open_.path);
    {
      MutexLock lock(state().mutex);
      if (Dead()) return DeadError(open_.path);
      SimInode& inode = state().disk.inode(open_.inode);
      if (fault) {
        inode.FailSync(fault->pages_left_clean);
        return FaultError(*fault, "sync", open_.path);
      }
      inode.Sync();
    }
    state().Observe(SimOperation::kSync, open_.path);
    return {};
  }

  Result<void> Allocate(std::uint64_t size) override {
    MR_TRY(Begin(SimOperation::kAllocate, "allocate"));
    {
      MutexLock lock(state().mutex);
      if (Dead()) return DeadError(open_.path);
      if (!state().traits.allocate) return PosixError(EOPNOTSUPP, "allocate", open_.path);
      if (open_.options.access == FileAccess::kRead) return PosixError(EBADF, "allocate", open_.path);
      SimInode& inode = state().disk.inode(open_.inode);
      if (inode.MissingBlocks(size) > state().FreeBlocks()) return PosixError(ENOSPC, "allocate", open_.path);
      inode.Allocate(size);
    }
    state().Observe(SimOperation::kAllocate, open_.path);
    return {};
  }

  Result<void> Truncate(std::uint64_t size) override {
    MR_TRY(Begin(SimOperation::kTruncate, "truncate"));
    {
      MutexLock lock(state().mutex);
      if (Dead()) return DeadError(open_.path);
      if (open_.options.access == FileAccess::kRead) return PosixError(EINVAL, "truncate", open_.path);
      state().disk.inode(open_.inode).Truncate(size);
    }
    state().Observe(SimOperation::kTruncate, open_.path);
    return {};
  }

  Result<std::uint64_t> Size() override {
    MutexLock lock(state().mutex);
    if (Dead()) return DeadError(open_.path);
    return state().disk.inode(open_.inode).size();
  }

  Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override {
    MR_TRY(Begin(SimOperation::kMap, "map"));
    MutexLock lock(state().mutex);
    if (Dead()) return DeadError(open_.path);
    if (!state().traits.map) return PosixError(ENODEV, "map", open_.path);
    if (open_.options.access == FileAccess::kRead) return PosixError(EACCES, "map", open_.path);
    SimInode& inode = state().disk.inode(open_.inode);
    if (size == 0 || inode.size() < size) return PosixError(EINVAL, "map", open_.path);
    auto mapping = inode.Map(size);
    if (!mapping) return PosixError(ENOMEM, "map", open_.path);
    ++inode.opens;
    return std::make_unique<SimMappedRegion>(open_, std::move(mapping), size);
  }

 private:
  [[nodiscard]] SimFileSystem::State& state() const { return *open_.state; }
  [[nodiscard]] bool Dead() const MR_REQUIRES(state().mutex) { return open_.process != state().process; }

  Result<void> Begin(SimOperation operation, std::string_view call) {
    if (const auto fault = state().Enter(operation, open_.path)) return FaultError(*fault, call, open_.path);
    return {};
  }

  [[nodiscard]] bool Aligned(std::uint64_t offset, std::span<const std::byte> bytes) const {
    if (open_.options.path != FilePath::kDirect) return true;
    const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
    return (offset | bytes.size() | address) % kSimBlockBytes == 0;
  }

  const OpenFile open_;
};

class SimFileLock final : public FileLock {
 public:
  SimFileLock(StateRef state, std::string path, std::uint64_t process)
      : state_(std::move(state)), path_(std::move(path)), process_(process) {}
  ~SimFileLock() override {
    MutexLock lock(state_->mutex);
    if (process_ == state_->process) state_->locks.erase(path_);
  }

 private:
  const StateRef state_;
  const std::string path_;
  const std::uint64_t process_;
};

class SimSharedLock final : public FileLock {
 public:
  SimSharedLock(StateRef state, std::string path, std::uint64_t process)
      : state_(std::move(state)), path_(std::move(path)), process_(process) {}
  ~SimSharedLock() override {
    MutexLock lock(state_->mutex);
    if (process_ != state_->process) return;
    if (--state_->shared_locks[path_] == 0) state_->shared_locks.erase(path_);
  }

 private:
  const StateRef state_;
  const std::string path_;
  const std::uint64_t process_;
};

}  // namespace

SimFileSystem::SimFileSystem(std::uint64_t seed, SimTraits traits) : state_(std::make_shared<State>(seed, traits)) {}
SimFileSystem::~SimFileSystem() = default;

Result<std::unique_ptr<File>> SimFileSystem::Open(const std::filesystem::path& path, const FileOptions& options) {
  const std::string normal = SimDisk::Normal(path);
  bool creates = options.creation != FileCreation::kOpenExisting;
  {
    MutexLock lock(state_->mutex);
    creates = creates && !state_->disk.Find(normal);
  }
  const SimOperation operation = creates ? SimOperation::kCreate : SimOperation::kOpen;
  if (const auto fault = state_->Enter(operation, path)) return FaultError(*fault, "open", path);
  std::unique_ptr<File> file;
  {
    MutexLock lock(state_->mutex);
    if (options.path == FilePath::kDirect && !state_->traits.direct) return PosixError(EOPNOTSUPP, "open", path);
    SimDisk& disk = state_->disk;
    if (disk.IsDirectory(normal)) return PosixError(EISDIR, "open", path);
    auto number = disk.Find(normal);
    if (number && options.creation == FileCreation::kCreateNew) return PosixError(EEXIST, "open", path);
    if (!number && options.creation == FileCreation::kOpenExisting) return PosixError(ENOENT, "open", path);
    if (!number) {
      number.emplace();
      if (const int error = disk.Create(normal, *number); error != 0) return PosixError(error, "open", path);
    }
    ++disk.inode(*number).opens;
    file = std::make_unique<SimFile>(OpenFile{state_, path, options, *number, state_->process});
  }
  if (creates) state_->Observe(operation, path);
  return file;
}

Result<void> SimFileSystem::Rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (const auto fault = state_->Enter(SimOperation::kRename, from)) return FaultError(*fault, "rename", from);
  {
    MutexLock lock(state_->mutex);
    const int error = state_->disk.Rename(SimDisk::Normal(from), SimDisk::Normal(to));
    if (error != 0) return PosixError(error, "rename " + from.native() + " to", to);
  }
  state_->Observe(SimOperation::kRename, to);
  return {};
}

Result<void> SimFileSystem::RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (const auto fault = state_->Enter(SimOperation::kRename, from)) return FaultError(*fault, "rename", from);
  {
    MutexLock lock(state_->mutex);
    const std::string target = SimDisk::Normal(to);
    const bool taken = state_->disk.Find(target) || state_->disk.IsDirectory(target);
    const int error = taken ? EEXIST : state_->disk.Rename(SimDisk::Normal(from), target);
    if (error != 0) return PosixError(error, "rename " + from.native() + " to", to);
  }
  state_->Observe(SimOperation::kRename, to);
  return {};
}

Result<void> SimFileSystem::Remove(const std::filesystem::path& path) {
  if (const auto fault = state_->Enter(SimOperation::kRemove, path)) return FaultError(*fault, "remove", path);
  {
    MutexLock lock(state_->mutex);
    if (const int error = state_->disk.Remove(SimDisk::Normal(path)); error != 0) {
      return PosixError(error, "remove", path);
    }
  }
  state_->Observe(SimOperation::kRemove, path);
  return {};
}

Result<void> SimFileSystem::CreateDirectories(const std::filesystem::path& path) {
  if (const auto fault = state_->Enter(SimOperation::kMakeDirectory, path)) {
    return FaultError(*fault, "create directory", path);
  }
  {
    MutexLock lock(state_->mutex);
    const int error = state_->disk.MakeDirectories(SimDisk::Normal(path));
    if (error != 0) return PosixError(error, "create directory", path);
  }
  state_->Observe(SimOperation::kMakeDirectory, path);
  return {};
}

Result<void> SimFileSystem::SyncDirectory(const std::filesystem::path& path) {
  if (const auto fault = state_->Enter(SimOperation::kSyncDirectory, path)) {
    return FaultError(*fault, "sync directory", path);
  }
  {
    MutexLock lock(state_->mutex);
    const int error = state_->disk.SyncDirectory(SimDisk::Normal(path));
    if (error != 0) return PosixError(error, "open directory", path);
  }
  state_->Observe(SimOperation::kSyncDirectory, path);
  return {};
}

Result<std::vector<DirectoryEntry>> SimFileSystem::List(const std::filesystem::path& path) {
  if (const auto fault = state_->Enter(SimOperation::kList, path)) return FaultError(*fault, "list", path);
  MutexLock lock(state_->mutex);
  std::vector<DirectoryEntry> entries;
  if (const int error = state_->disk.List(SimDisk::Normal(path), entries); error != 0) {
    return PosixError(error, "list", path);
  }
  return entries;
}

Result<std::unique_ptr<FileLock>> SimFileSystem::Lock(const std::filesystem::path& path, std::string_view holder) {
  if (const auto fault = state_->Enter(SimOperation::kLock, path)) return FaultError(*fault, "lock", path);
  const std::string normal = SimDisk::Normal(path);
  MutexLock lock(state_->mutex);
  if (const auto held = state_->locks.find(normal); held != state_->locks.end()) {
    return LockHeldError(path, held->second);
  }
  if (state_->shared_locks.contains(normal)) return LockHeldError(path, "");
  if (state_->disk.IsDirectory(normal)) return PosixError(EISDIR, "open", path);
  if (!state_->disk.Find(normal)) {
    SimDisk::InodeNumber number = 0;
    if (const int error = state_->disk.Create(normal, number); error != 0) return PosixError(error, "open", path);
  }
  state_->locks.emplace(normal, holder);
  return std::make_unique<SimFileLock>(state_, normal, state_->process);
}

Result<std::unique_ptr<FileLock>> SimFileSystem::LockShared(const std::filesystem::path& path) {
  if (const auto fault = state_->Enter(SimOperation::kOpen, path)) return FaultError(*fault, "open", path);
  const std::string normal = SimDisk::Normal(path);
  MutexLock lock(state_->mutex);
  if (const auto held = state_->locks.find(normal); held != state_->locks.end())
    return LockHeldError(path, held->second);
  if (!state_->disk.Find(normal)) return PosixError(state_->disk.IsDirectory(normal) ? EISDIR : ENOENT, "open", path);
  ++state_->shared_locks[normal];
  return std::make_unique<SimSharedLock>(state_, normal, state_->process);
}

Result<std::uint64_t> SimFileSystem::FreeSpace(const std::filesystem::path& path) {
  const std::string normal = SimDisk::Normal(path);
  MutexLock lock(state_->mutex);
  if (!state_->disk.IsDirectory(normal) && !state_->disk.Find(normal)) return PosixError(ENOENT, "stat", path);
  return state_->FreeBlocks() * kSimBlockBytes;
}

void SimFileSystem::KillProcess() {
  MutexLock lock(state_->mutex);
  ++state_->process;
  state_->locks.clear();
  state_->shared_locks.clear();
  state_->disk.EndProcess();
}

void SimFileSystem::Crash() {
  KillProcess();
  MutexLock lock(state_->mutex);
  state_->disk = state_->disk.AfterPowerLoss(2 + (state_->random.Next() >> 2), state_->losses);
}

std::shared_ptr<const SimFileSystem::Image> SimFileSystem::Snapshot() const {
  MutexLock lock(state_->mutex);
  return std::make_shared<const Image>(Image{state_->disk.Freeze(), state_->traits});
}

std::unique_ptr<SimFileSystem> SimFileSystem::AfterPowerLoss(const Image& image, std::uint64_t seed) {
  auto after = std::make_unique<SimFileSystem>(seed, image.traits);
  MutexLock lock(after->state_->mutex);
  after->state_->disk = image.disk.AfterPowerLoss(seed, after->state_->losses);
  return after;
}

SimLosses SimFileSystem::losses() const {
  MutexLock lock(state_->mutex);
  return state_->losses;
}

void SimFileSystem::SetCapacity(std::optional<std::uint64_t> bytes) {
  MutexLock lock(state_->mutex);
  state_->capacity = bytes;
}

void SimFileSystem::SetFaultPlan(FaultPlan plan) {
  auto shared = plan ? std::make_shared<const FaultPlan>(std::move(plan)) : nullptr;
  MutexLock lock(state_->mutex);
  state_->plan = std::move(shared);
}

void SimFileSystem::SetObserver(std::function<void(SimOperation, const std::filesystem::path&)> observer) {
  auto shared = observer ? std::make_shared<const State::Observer>(std::move(observer)) : nullptr;
  MutexLock lock(state_->mutex);
  state_->observer = std::move(shared);
}

std::uint64_t SimFileSystem::calls() const {
  MutexLock lock(state_->mutex);
  return state_->calls;
}

std::uint64_t SimFileSystem::calls(SimOperation operation) const {
  MutexLock lock(state_->mutex);
  return state_->calls_of[static_cast<std::size_t>(operation)];
}

std::vector<std::byte> SimFileSystem::Contents(const std::filesystem::path& path) const {
  MutexLock lock(state_->mutex);
  const auto number = state_->disk.Find(SimDisk::Normal(path));
  MR_CHECK(number.has_value(), path);
  SimInode& inode = state_->disk.inode(*number);
  std::vector<std::byte> contents(inode.size());
  inode.Read(0, contents);
  return contents;
}

void SimFileSystem::FlipBit(const std::filesystem::path& path, std::uint64_t byte, unsigned bit) {
  const std::byte flipped = Contents(path).at(byte) ^ (std::byte{1} << bit);
  Overwrite(path, byte, std::span(&flipped, 1));
}

void SimFileSystem::Overwrite(const std::filesystem::path& path, std::uint64_t offset,
                              std::span<const std::byte> bytes) {
  MutexLock lock(state_->mutex);
  const auto number = state_->disk.Find(SimDisk::Normal(path));
  MR_CHECK(number.has_value(), path);
  MR_CHECK(offset + bytes.size() <= state_->disk.inode(*number).size(), path, offset);
  state_->disk.inode(*number).Rot(offset, bytes);
}

std::vector<std::filesystem::path> SimFileSystem::Files() const {
  MutexLock lock(state_->mutex);
  return state_->disk.Files();
}

}  // namespace millrace
