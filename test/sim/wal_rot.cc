#include <fmt/format.h>

#include <algorithm>

#include "wal_machine.h"
#include "wal_rows.h"

namespace millrace::sim {
namespace {

constexpr std::uint64_t kBlock = 4096;

class Rot {
 public:
  Rot(WalMachine& machine, Report& report)
      : machine_(machine), image_(machine.files().Snapshot()), random_(machine.random().Next()), report_(report) {}

  /// Every byte in turn, one bit of it.
  void FlipEveryByte() {
    for (const auto& path : machine_.files().Files()) {
      const auto contents = machine_.files().Contents(path);
      for (std::uint64_t byte = 0; byte < contents.size() && !report_.enough(); ++byte) {
        // Frames and headers lie in the bytes that are not zero; of the empty rest a sample is enough.
        if (contents[byte] == std::byte{} && !random_.OneIn(16)) continue;
        auto disk = Disk(path);
        disk->FlipBit(path, byte, static_cast<unsigned>(random_.Below(8)));
        report_.Fired("flip");
        Judge(*disk, fmt::format("{} byte {} flipped", path.native(), byte));
      }
    }
  }

  void ZeroEveryBlock() {
    const std::vector<std::byte> zeros(kBlock);
    for (const auto& path : machine_.files().Files()) {
      const std::uint64_t size = machine_.files().Contents(path).size();
      for (std::uint64_t at = 0; at < size && !report_.enough(); at += kBlock) {
        auto disk = Disk(path);
        disk->Overwrite(path, at, std::span(zeros).first(std::min(kBlock, size - at)));
        report_.Fired("zeroed");
        Judge(*disk, fmt::format("{} block at {} zeroed", path.native(), at));
      }
    }
  }

  /// Blocks of frames written to, or read from, the place of another one of their file.
  void MisdirectEveryBlock() {
    for (const auto& path : machine_.files().Files()) {
      const auto contents = machine_.files().Contents(path);
      const std::uint64_t blocks = contents.size() / kBlock;
      for (std::uint64_t to = 1; to < blocks && !report_.enough(); ++to) {
        for (std::uint64_t from = 1; from < blocks; ++from) {
          const auto block = std::span(contents).subspan(from * kBlock, kBlock);
          if (from == to) continue;
          auto disk = Disk(path);
          disk->Overwrite(path, to * kBlock, block);
          report_.Fired("misdirected");
          Judge(*disk, fmt::format("{} block {} in place of block {}", path.native(), from, to));
        }
      }
    }
  }

  void LoseEveryFile() {
    for (const auto& path : machine_.files().Files()) {
      auto disk = Disk();
      if (!disk->Remove(path)) continue;
      report_.Fired("file-removed");
      Judge(*disk, path.native() + " removed", WalModel::Bytes::kFileGone);
    }
  }

  void RefuseReads() {
    for (const auto& path : machine_.files().Files()) {
      for (std::uint64_t n = 1; n <= 6 && !report_.enough(); ++n) {
        auto disk = Disk();
        std::uint64_t reads = 0;
        disk->SetFaultPlan([&](SimOperation operation, const auto& of, auto) -> std::optional<SimFault> {
          if (operation != SimOperation::kRead || of != path || ++reads < n) return {};
          report_.Fired("read-refused");
          return SimFault{};
        });
        const std::string what = fmt::format("{} unreadable from read {}", path.native(), n);
        Judge(*disk, what, WalModel::Bytes::kSound);  // refused, or not a frame is missing
        disk->SetFaultPlan(nullptr);
        disk->KillProcess();
        Judge(*disk, what + ", and the disk is well again", WalModel::Bytes::kSound);
      }
    }
  }

 private:
  [[nodiscard]] std::unique_ptr<SimFileSystem> Disk() const { return SimFileSystem::AfterPowerLoss(*image_, 1); }
  /// Every other one has lost its staging ring, which is never synced and would mend much of what is done to `path`.
  std::unique_ptr<SimFileSystem> Disk(const std::filesystem::path& path) {
    auto disk = Disk();
    ring_lost_ = !ring_lost_;
    for (const auto& file : machine_.files().Files())
      if (ring_lost_ && file != path && file.filename().native().starts_with("staging"))
        static_cast<void>(disk->Remove(file));
    return disk;
  }

  void Judge(SimFileSystem& disk, const std::string& what, WalModel::Bytes bytes = WalModel::Bytes::kRotten) {
    RecoveredFrames found;
    report_.Checked();
    auto wal = DiskWal::Open(WalOptionsOf(machine_.options()), disk, machine_.clock(), found);
    if (!wal) {
      const ErrorCode code = wal.error().code();
      const bool typed = code == ErrorCode::kCorruption || code == ErrorCode::kUnavailable;
      report_.Fired(typed ? "refused" : "untyped");
      if (!typed) report_.Fail("untyped-error", what + ": " + wal.error().ToString());
      return;
    }
    machine_.CountVerdicts((*wal)->recovery());
    const auto violation = machine_.model().Compare(found, WalModel::After::kPowerLoss, bytes);
    if (violation) report_.Fail(violation->property, what + ": " + violation->detail);
    disk.KillProcess();
  }

  WalMachine& machine_;
  const std::shared_ptr<const SimFileSystem::Image> image_;
  SeededRandom random_;
  Report& report_;
  bool ring_lost_ = false;
};

}  // namespace

void RunWalRot(std::uint64_t seed, Report& report) {
  auto options = DrawWalMachineOptions(seed);
  options.file_bytes = std::min<std::uint64_t>(options.file_bytes, 16 << 10);
  WalMachine machine(seed, options, report);
  if (!machine.Reopen(WalModel::After::kPowerLoss)) return;
  for (int step = 0; step < 24 && !report.enough(); ++step) machine.Step();
  if (machine.wal() == nullptr) return;
  machine.Close();
  Rot rot(machine, report);
  rot.LoseEveryFile();
  rot.RefuseReads();
  rot.ZeroEveryBlock();
  rot.MisdirectEveryBlock();
  rot.FlipEveryByte();
}

}  // namespace millrace::sim
