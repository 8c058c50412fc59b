// Appending and reading.
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "engine/front_door.h"
#include "env/thread_pool.h"
#include "read/read_many.h"

namespace millrace {
namespace {

constexpr std::size_t kReadThreads = 8;

}  // namespace

Result<AppendReceipt> Engine::Append(const TopicPartition& partition, std::span<const Record> records,
                                     AppendOptions options) noexcept {
  return Changing(*state_, [&](State& state) -> Result<AppendReceipt> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindForAppend(partition));
    return state.appender_.Append(*found, records, options);
  });
}

Result<AppendReceipt> Engine::Append(std::string_view topic, const Record& record, AppendOptions options) noexcept {
  return Changing(*state_, [&](State& state) -> Result<AppendReceipt> {
    MR_ASSIGN_OR_RETURN(Topic * found, state.FindOrCreateTopic(topic));
    Partition* partition = found->Find(found->PartitionFor(record.key));
    MR_CHECK(partition != nullptr, topic, found->partition_count());
    return state.appender_.Append(*partition, {&record, 1}, options);
  });
}

Result<AppendReceipt> Engine::Append(std::string_view topic, std::string_view value, AppendOptions options) noexcept {
  Record record;
  record.value.emplace(value);
  return Append(topic, record, options);
}

Result<AppendReceipt> Engine::AppendBatch(const TopicPartition& partition, std::span<const std::byte> batch,
                                          AppendOptions options) noexcept {
  return Changing(*state_, [&](State& state) -> Result<AppendReceipt> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindForAppend(partition));
    return state.appender_.AppendBatch(*found, batch, options);
  });
}

void Engine::AppendAsync(const TopicPartition& partition, std::span<const Record> records, AppendOptions options,
                         std::move_only_function<void(Result<AppendReceipt>)> done) noexcept {
  const CallGate::Pass pass(&state_->calls());  // to the end: a refusal is told inside
  if (!pass) return AsyncAppends::Refuse(std::move(done), ClosedError());
  if (const auto writable = state_->CheckWritable(); !writable)
    return AsyncAppends::Refuse(std::move(done), writable.error());
  const auto found = state_->FindForAppend(partition);
  if (!found) return AsyncAppends::Refuse(std::move(done), found.error());
  state_->appender_.AppendAsync(**found, records, options, std::move(done));
}

Result<ReadResult> Engine::Read(const TopicPartition& partition, Offset begin, ReadLimits limits) noexcept {
  return Inside(*state_, [&](State& state) -> Result<ReadResult> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    return found->Read(begin, limits);
  });
}

Result<BatchReadResult> Engine::ReadBatches(const TopicPartition& partition, Offset begin, ReadLimits limits) noexcept {
  return Inside(*state_, [&](State& state) -> Result<BatchReadResult> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    return found->ReadBatches(begin, limits);
  });
}

std::vector<Result<ReadResult>> Engine::ReadMany(std::span<const ReadRequest> requests, ReadLimits limits) noexcept {
  State& state = *state_;
  const CallGate::Pass pass(&state.calls());
  if (!pass) return std::vector<Result<ReadResult>>(requests.size(), ClosedError());
  std::vector<Result<ReadResult>> results;
  std::vector<PartitionRead> reads;
  std::vector<std::size_t> places;
  for (const ReadRequest& request : requests) {
    auto found = state.FindPartition(request.partition);
    Result<void> alive = found ? (*found)->CheckAlive() : Result<void>(found.error());
    if (alive) {
      reads.push_back({&(*found)->reader(), request.begin});
      places.push_back(results.size());
      results.emplace_back(ReadResult{});
    } else {
      results.emplace_back(alive.error());
    }
  }
  MR_CHECK(reads.size() == places.size() && results.size() == requests.size(), reads.size(), places.size(),
           results.size(), requests.size());
  if (reads.empty()) return results;
  const Result<ThreadPool*> pool = state.ReadPool();
  if (!pool) {
    for (const std::size_t place : places) results[place] = pool.error();
    return results;
  }
  auto read = millrace::ReadMany(reads, limits, **pool);
  MR_CHECK(read.size() == places.size(), read.size(), places.size());
  for (std::size_t i = 0; i < read.size(); ++i) results[places[i]] = std::move(read[i]);
  return results;
}

Result<Offset> Engine::OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) noexcept {
  return Inside(*state_, [&](State& state) -> Result<Offset> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    return found->OffsetForTime(timestamp_ms);
  });
}

Result<ThreadPool*> Engine::State::ReadPool() {
  MutexLock lock(mutex_);
  if (closing_) return ClosedError();
  if (!read_pool_) {
    MR_ASSIGN_OR_RETURN(read_pool_, ThreadPool::Start({.threads = kReadThreads}));
  }
  return read_pool_.get();
}

}  // namespace millrace
