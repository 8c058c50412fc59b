// What cursors may do, told in the simplest way: a log is a list of entries; a cursor is a place in it, with the places
// a crash may put it back to. Knows no files, batches, caches or tiers.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/options.h"
#include "millrace/types.h"

namespace millrace::sim {

struct LogEntry {
  std::uint64_t fingerprint = 0;  // of everything a caller can see of it but the offset
  std::uint64_t payload_bytes = 0;
  std::int64_t timestamp_ms = 0;
};

/// One partition.
struct LogModel {
  std::vector<LogEntry> entries;  // by offset
  std::set<Offset> batch_ends{Offset(0)};
  Offset synced;                                  // survives power loss
  std::optional<std::vector<LogEntry>> in_doubt;  // the process died while it was appended
  std::vector<std::pair<Offset, Offset>> broken;  // segments in which bytes were changed
  bool consumed = false;                          // Cleanup::kConsumed
  Offset start_wanted;                            // DeleteRecords was asked to go so far
  Offset start_seen;                              // log_start when it was last looked at
  Offset start_in_doubt;                          // metadata may have it, though it did not say so

  [[nodiscard]] Offset end() const { return Offset(static_cast<std::int64_t>(entries.size())); }
  [[nodiscard]] const LogEntry& At(Offset offset) const { return entries[static_cast<std::size_t>(offset.value())]; }
  void Add(const std::vector<LogEntry>& batch);
  void Cut(Offset new_end);
  [[nodiscard]] bool MayBeBroken(Offset begin, Offset end) const;
  /// The first entry from `begin` on whose time is at or past it; `end` if none is.
  [[nodiscard]] Offset FindTime(Offset begin, Offset end, std::int64_t timestamp_ms) const;
};

/// One name in one partition.
class CursorModel {
 public:
  explicit CursorModel(Offset begin) : position_(begin), durable_(begin), upper_(begin) {}

  [[nodiscard]] Offset position() const { return position_; }
  [[nodiscard]] int handles() const { return handles_; }
  [[nodiscard]] const ReadConsistency& mode() const { return mode_; }
  [[nodiscard]] bool unsure() const { return unsure_; }
  /// All below may be forgotten as far as this one is concerned.
  [[nodiscard]] Offset PersistedMax() const;

  /// What is wrong with an opening that stands at `position` and tells `corrected`, in a log of these bounds.
  [[nodiscard]] std::optional<std::string> Complaint(Offset position, std::optional<Offset> corrected,
                                                     const OffsetBounds& bounds) const;
  /// The first handle; it stands there, durably.
  void Opened(ReadConsistency mode, Offset position, std::optional<Offset> corrected);
  void OpenedAgain() { ++handles_; }
  enum class Outcome { kDone, kFailed };
  /// A handle is gone; done: what was returned is durable.
  void Closed(Outcome outcome);

  /// A consuming call begins: at most what earlier ones returned becomes durable in it.
  void BeginTaking() { upper_ = mode_.strict ? upper_ : position_; }
  /// It returned `count` entries, up to `end`.
  void Took(std::uint64_t count, Offset end);
  /// Retention was faster, as a call that consumes found, or one that does not.
  void Overtaken(Offset log_start, bool consuming);
  /// A seek succeeded.
  void MovedTo(Offset position);

  /// A call failed, or the process died in it: `position` may be what the disk has.
  void Doubt(Offset position) { doubtful_.insert(position); }
  /// A later change of any cursor is durable: what failed before did not happen.
  void Settled() {
    doubtful_.clear();
    may_go_ = false;
    if (handles_ > 0) unsure_ = false;
  }
  /// It was being made or deleted: it may not be there.
  void Unsure() { unsure_ = may_go_ = true; }

  /// The process is gone, and its handles; the log has been recovered up to `end`.
  void Died(Offset end);

 private:
  [[nodiscard]] std::set<Offset> Candidates() const;

  ReadConsistency mode_ = ReadConsistency::StrictlyAtOnce();
  int handles_ = 0;
  Offset position_;
  Offset durable_, upper_;         // the disk has one of [durable_, upper_],
  std::set<Offset> doubtful_;      // or, the process dead, one of these,
  std::set<Offset> recovered_;     // or one of these, which were in doubt when the process before died
  std::uint64_t unpersisted_ = 0;  // entries returned since `durable_`
  std::set<Offset> cut_;           // where it may have stood, past the end that was recovered
  bool surely_cut_ = false, unsure_ = false;
  bool may_go_ = false;         // with this process: what it says of the cursor is not on the disk
  bool overtaken_ = false;      // and nothing was returned or moved since
  std::optional<Offset> told_;  // the last correction told in this process
};

}  // namespace millrace::sim
