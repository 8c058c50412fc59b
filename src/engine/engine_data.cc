// Appending and reading.
#include <algorithm>

#include "base/try.h"
#include "engine/engine_implementation.h"
#include "env/thread_pool.h"
#include "read/read_many.h"

namespace millrace {
namespace {

constexpr std::size_t kReadThreads = 8;

}  // namespace

Result<AppendReceipt> Engine::Implementation::Append(const TopicPartition& partition, std::span<const Record> records,
                                                     const AppendOptions& options) {
  MR_ASSIGN_OR_RETURN(Partition * found, FindForAppend(partition));
  return appender_.Append(*found, records, options);
}

Result<AppendReceipt> Engine::Implementation::Append(std::string_view topic, const Record& record,
                                                     const AppendOptions& options) {
  MR_ASSIGN_OR_RETURN(Topic * found, FindOrCreateTopic(topic));
  Partition* partition = found->Find(found->PartitionFor(record.key));
  return appender_.Append(*partition, {&record, 1}, options);
}

Result<AppendReceipt> Engine::Implementation::AppendBatch(const TopicPartition& partition,
                                                          std::span<const std::byte> batch,
                                                          const AppendOptions& options) {
  MR_ASSIGN_OR_RETURN(Partition * found, FindForAppend(partition));
  return appender_.AppendBatch(*found, batch, options);
}

void Engine::Implementation::AppendAsync(const TopicPartition& partition, std::span<const Record> records,
                                         const AppendOptions& options, AsyncAppends::Done done) {
  const auto found = FindForAppend(partition);
  if (!found) return AsyncAppends::Refuse(std::move(done), found.error());
  appender_.AppendAsync(**found, records, options, std::move(done));
}

Result<ReadResult> Engine::Implementation::Read(const TopicPartition& partition, Offset begin,
                                                const ReadLimits& limits) {
  MR_ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  return found->Read(begin, limits);
}

Result<BatchReadResult> Engine::Implementation::ReadBatches(const TopicPartition& partition, Offset begin,
                                                            const ReadLimits& limits) {
  MR_ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  return found->ReadBatches(begin, limits);
}

Result<ThreadPool*> Engine::Implementation::ReadPool() {
  MutexLock lock(mutex_);
  if (closing_) return Error(ErrorCode::kClosed, "the engine is closed");
  if (!read_pool_) {
    MR_ASSIGN_OR_RETURN(read_pool_, ThreadPool::Start({.threads = kReadThreads}));
  }
  return read_pool_.get();
}

std::vector<Result<ReadResult>> Engine::Implementation::ReadMany(std::span<const ReadRequest> requests,
                                                                 const ReadLimits& limits) {
  std::vector<Result<ReadResult>> results;
  std::vector<PartitionRead> reads;
  std::vector<std::size_t> places;
  for (const ReadRequest& request : requests) {
    auto found = FindPartition(request.partition);
    Result<void> alive = found ? (*found)->CheckAlive() : Result<void>(found.error());
    if (alive) {
      reads.push_back({&(*found)->reader(), request.begin});
      places.push_back(results.size());
      results.emplace_back(ReadResult{});
    } else {
      results.emplace_back(alive.error());
    }
  }
  if (reads.empty()) return results;
  const Result<ThreadPool*> pool = ReadPool();
  if (!pool) {
    for (const std::size_t place : places) results[place] = pool.error();
    return results;
  }
  auto read = millrace::ReadMany(reads, limits, **pool);
  for (std::size_t i = 0; i < read.size(); ++i) results[places[i]] = std::move(read[i]);
  return results;
}

Result<Offset> Engine::Implementation::OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) {
  MR_ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  return found->OffsetForTime(timestamp_ms);
}

}  // namespace millrace
