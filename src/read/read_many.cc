#include "read/read_many.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limited_wait.h"
#include "env/for_each.h"
#include "log/partition_log.h"
#include "read/decode_batches.h"
#include "read/partition_reader.h"
#include "record/record_batch_view.h"

namespace millrace {

namespace {

/// One of the reads, over its rounds.
struct OneRead {
  PartitionReader* reader = nullptr;
  Offset begin;
  std::optional<Result<BatchReadResult>> all;  // of the rounds so far
  std::optional<Result<BatchReadResult>> round;
  Offset read_to;  // where its last round ended
  bool over = false;
};

/// Keeps of this round what the common budget has room for. True: something was kept.
bool KeepWhatFits(OneRead& read, std::uint64_t& bytes_left, bool& any_kept, std::size_t records_max) {
  Result<BatchReadResult> round = *std::exchange(read.round, std::nullopt);
  if (!round) {
    read.over = true;
    if (!read.all) read.all = std::move(round);  // else the next call meets the error
    return false;
  }
  BatchReadResult& got = *round;
  read.read_to = got.next;
  std::size_t kept = 0;
  for (; kept < got.batches.size(); ++kept) {
    const std::uint64_t size = got.batches[kept].size();
    if (any_kept && size > bytes_left) break;
    bytes_left -= std::min(bytes_left, size);
    any_kept = true;
  }
  if (kept < got.batches.size()) {
    if (const auto view = RecordBatchView::Parse(got.batches[kept].bytes()); view) {
      got.next = std::max(view->base_offset(), read.all ? (*read.all)->next : read.begin);
      std::erase_if(got.skipped, [&](const DamagedRange& damage) { return damage.begin >= got.next; });
    }
    got.batches.resize(kept);
    read.over = true;
  }
  if (!read.all) {
    read.all = std::move(round);
  } else {
    BatchReadResult& all = **read.all;
    all.batches.insert(all.batches.end(), got.batches.begin(), got.batches.end());
    all.skipped.insert(all.skipped.end(), got.skipped.begin(), got.skipped.end());
    all.next = got.next;
    all.high_watermark = got.high_watermark;
    all.log_start = got.log_start;
    all.explanation.Add(got.explanation);
  }
  const BatchReadResult& all = **read.all;
  if (all.next >= all.high_watermark || static_cast<std::uint64_t>(all.next - read.begin) >= records_max)
    read.over = true;
  return kept > 0;
}

}  // namespace

std::vector<Result<ReadResult>> ReadMany(std::span<const PartitionRead> reads, const ReadLimits& limits,
                                         ThreadPool& pool) {
  if (reads.empty()) return {};
  // One deadline for all rounds, on whichever thread of the pool they run.
  Clock& clock = reads.front().reader->clock();
  const RequestScope scope(LimitsOf(limits, clock));
  const RequestLimits caller = RequestScope::Current();
  std::vector<OneRead> all;
  for (const PartitionRead& read : reads)
    all.push_back({.reader = read.reader, .begin = read.begin, .all = {}, .round = {}, .read_to = {}});
  std::uint64_t bytes_left = limits.bytes_max;
  bool any_kept = false;
  // Rounds: what is left of the budget is shared among the reads that have more; one that needs less leaves the rest.
  for (bool progress = true; progress;) {
    std::vector<OneRead*> open;
    for (OneRead& read : all)
      if (!read.over) open.push_back(&read);
    if (open.empty() || (any_kept && (bytes_left == 0 || !WithinLimits(clock, "more")))) break;
    ForEach(open.size(), &pool, [&](std::size_t i) {
      const RequestScope same(caller);
      OneRead& read = *open[i];
      ReadLimits own = limits;
      own.bytes_max = std::max<std::uint64_t>(bytes_left / open.size(), 1);
      read.round = read.reader->ReadBatches(read.all ? (*read.all)->next : read.begin, own);
    });
    progress = false;
    for (OneRead* read : open)
      if (KeepWhatFits(*read, bytes_left, any_kept, limits.records_max)) progress = true;
  }

  std::vector<std::optional<Result<ReadResult>>> decoded(all.size());
  ForEach(all.size(), &pool, [&](std::size_t i) {
    OneRead& read = all[i];
    if (!*read.all) {
      decoded[i] = read.all->error();
      return;
    }
    decoded[i] = DecodeBatches(**std::move(read.all), read.begin, limits, read.reader->name());
    if (*decoded[i]) read.reader->WillGoOn(read.read_to, (**decoded[i]).next);
  });
  std::vector<Result<ReadResult>> results;
  for (auto& result : decoded) results.push_back(*std::move(result));
  return results;
}

}  // namespace millrace
