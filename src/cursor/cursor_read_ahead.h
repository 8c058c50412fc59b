// What a cursor has read ahead: whole batches as they lie in cache or file, walked record by record where they are. An
// entry is copied once, when it is handed out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/read.h"
#include "millrace/record.h"
#include "millrace/result.h"
#include "record/raw_record.h"

namespace millrace {

/// An entry where it lies; valid while its read-ahead keeps the batch.
struct EntryView {
  Offset offset;
  std::int64_t timestamp_ms = 0;
  RawRecord raw;

  /// Of key, value and headers, without framing.
  [[nodiscard]] std::uint64_t PayloadBytes() const;
  /// Precondition: `record` is as it was made.
  void CopyTo(Record& record) const;
};

/// One thread at a time.
class CursorReadAhead {
 public:
  /// A place among the batches, with the entry there once Look has read it. Copies walk on their own.
  class Walk {
   public:
    /// Precondition: Look said true.
    [[nodiscard]] const EntryView& entry() const { return entry_; }

   private:
    friend class CursorReadAhead;
    std::size_t batch_ = 0;
    bool opened_ = false;  // the members below are of `batch_`
    bool looked_ = false;  // `entry_` is the one at this place
    bool log_append_time_ = false;
    std::int32_t left_ = 0, last_delta_ = 0, previous_delta_ = -1;
    const std::byte *at_ = nullptr, *end_ = nullptr;
    Offset base_;
    std::int64_t base_timestamp_ms_ = 0, max_timestamp_ms_ = 0;
    EntryView entry_;
  };

  explicit CursorReadAhead(const TopicPartition& partition) : partition_(partition) {}

  /// Forgets everything; the first entry from now on is the first at or past `position`.
  void Reset(Offset position);
  /// Where the next read begins.
  [[nodiscard]] Offset next_read() const { return next_read_; }
  /// What was read from there. Walks other than the front one stay valid only if the front one has something left.
  void Append(BatchReadResult read);

  [[nodiscard]] Walk& front() { return front_; }
  /// Finds the entry at this place; false: the batches end here. kCorruption with damage(): the batch does not parse;
  /// the walk stays where it is.
  Result<bool> Look(Walk& walk) {
    if (walk.looked_) [[likely]]
      return true;
    return Find(walk);
  }
  /// Precondition: Look said true.
  static void Pass(Walk& walk) { walk.looked_ = false; }

 private:
  struct Batch {
    SharedBytes bytes;
    SharedBytes inflated;  // its records, if it was compressed and a walk looked
  };
  Result<bool> Find(Walk& walk);
  Result<void> OpenBatch(Walk& walk);
  [[nodiscard]] Error Damage(const Walk& walk, const Error& error) const;

  const TopicPartition& partition_;
  std::vector<Batch> batches_;
  Walk front_;
  Offset from_;  // entries below are stepped over
  Offset next_read_;
};

}  // namespace millrace
