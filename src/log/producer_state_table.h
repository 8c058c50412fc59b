// What the log remembers of producers, so that what one sends again is not appended again: for each partition and
// producer its epoch and its last five batches. The rules are in docs/producers.md.
//
//   Judge ─► append ─► staged ─► Record        Judge ─► repeated: the offsets of the first time
//                                                   └► refused: an older producer, or a number that does not follow
//
// One table an engine, so that it has one bound: who was heard of least recently goes first.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "millrace/types.h"
#include "record/producer_sequence.h"
#include "record/producer_window.h"
#include "wal/wal.h"

namespace millrace {

/// What a batch says of its producer.
struct ProducerBatch {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
  std::int32_t first = -1;  // sequence of its first record
  std::int32_t count = 0;   // of records
  [[nodiscard]] std::int32_t last() const { return SequenceAfter(first, count - 1); }
};

/// Where a batch lies that was appended.
struct ProducedAt {
  Offset base;
  std::int64_t timestamp_ms = 0;  // its maximum
  WalExtent extent;               // of its frame
};

/// One producer in one partition, as it is kept.
struct ProducerState {
  WalStream stream;
  ProducerWindow window;
  WalPosition wal_end;  // where the frame of its last batch ends; 0: it is told by what lies in the object store
  std::int64_t touched_ms = 0;  // trusted wall time when it was last heard of
  friend bool operator==(const ProducerState&, const ProducerState&) = default;
};

struct ProducerTableLimits {
  std::size_t states_max = 100'000;
  std::chrono::milliseconds expiry = std::chrono::hours(24);
};

/// Safe from any thread; its lock is below that of a partition. Judge and Record of one partition are called under that
/// partition's lock. Memory: about 250 bytes a producer and partition.
class ProducerStateTable {
 public:
  explicit ProducerStateTable(const ProducerTableLimits& limits = {}) : limits_(limits) {}

  enum class Verdict { kAppend, kRepeated, kOldEpoch, kOutOfOrder };
  struct Judgement {
    Verdict verdict = Verdict::kAppend;
    ProducedBatch first_time;   // kRepeated: the batch that is there
    std::int32_t expected = 0;  // kOutOfOrder: the sequence that would follow
    std::int16_t epoch = 0;     // kOldEpoch: the one that is known
  };
  /// `log_end`: of the partition. What lies past it is not known (it was never appended).
  [[nodiscard]] Judgement Judge(WalStream stream, const ProducerBatch& batch, Offset log_end);
  /// `batch` was judged kAppend and is staged.
  void Record(WalStream stream, const ProducerBatch& batch, const ProducedAt& at);
  /// From a frame, in the order of the log: as Record, unless the state tells of it already.
  void Recover(WalStream stream, const ProducerBatch& batch, const ProducedAt& at);
  /// The partition is gone.
  void Forget(WalStream stream);

  /// Trusted time is `now_ms`: what was last heard of longer ago than the limit goes. Until the first call it is 0.
  void Expire(std::int64_t now_ms);

  /// All, who was heard of least recently first.
  [[nodiscard]] std::vector<ProducerState> All() const;
  /// At recovery, into an empty table, as All told. States beyond the limit are left out, the oldest first.
  void Restore(std::span<const ProducerState> states);
  void Clear();
  /// Grows with each batch that is recorded and each state that goes.
  [[nodiscard]] std::uint64_t changes() const;
  struct Counts {
    std::uint64_t states = 0, evicted = 0, expired = 0, repeated = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  using States = std::list<ProducerState>;  // least recently heard of first
  using OfPartition = std::unordered_map<std::int64_t, States::iterator>;
  [[nodiscard]] ProducerState* Find(WalStream stream, std::int64_t id) MR_REQUIRES(mutex_);
  ProducerState& FindOrMake(WalStream stream, std::int64_t id) MR_REQUIRES(mutex_);
  void Touch(WalStream stream, std::int64_t id) MR_REQUIRES(mutex_);
  void Add(WalStream stream, const ProducerBatch& batch, const ProducedAt& at) MR_REQUIRES(mutex_);
  void Erase(States::iterator state) MR_REQUIRES(mutex_);

  const ProducerTableLimits limits_;
  mutable Mutex mutex_;
  States states_ MR_GUARDED_BY(mutex_);
  std::unordered_map<WalStream, OfPartition> index_ MR_GUARDED_BY(mutex_);
  std::int64_t now_ms_ MR_GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ MR_GUARDED_BY(mutex_) = 0;
  Counts counts_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
