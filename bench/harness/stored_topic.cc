#include "bench/harness/stored_topic.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bench/harness/stopwatch.h"

namespace millrace::bench {
namespace {

/// What removing or filling a cache leaves the file system to do is done before the clock starts.
void SyncFileSystem(const std::filesystem::path& directory) {
  const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || ::syncfs(folder) != 0) Die("the file system cannot be synced");
  ::close(folder);
}

}  // namespace

StoredTopic::StoredTopic(FarStore& store, std::filesystem::path directory, const TopicShape& shape,
                         std::span<const Record> records)
    : store_(store), directory_(std::move(directory)), shape_(shape), contents_(records) {
  store_.AnswerAtOnce();
  const auto engine = OpenCold();
  for (std::size_t segment = 0; segment < shape_.segments; ++segment) {
    for (std::uint64_t bytes = 0; bytes < shape_.segment_bytes;) {
      std::vector<Record> batch;
      for (std::size_t i = 0; i < shape_.batch_records; ++i, ++records_) {
        batch.push_back(contents_[static_cast<std::size_t>(records_) % contents_.size()]);
        bytes += batch.back().value->size();
        payload_bytes_ += batch.back().value->size();
      }
      for (std::int32_t partition = 0; partition < shape_.partitions; ++partition)
        engine->Append(OpenedEngine::Partition(static_cast<std::size_t>(partition)), batch, Durability::kOs);
    }
    OrDie((*engine)->Upload(), "upload");
    OrDie((*engine)->Recycle(), "recycle");
  }
  for (std::int32_t partition = 0; partition < shape_.partitions; ++partition) {
    for (SegmentDescription& found :
         OrDie((*engine)->DescribeSegments(OpenedEngine::Partition(static_cast<std::size_t>(partition))), "segments")) {
      stored_bytes_ += found.byte_size;
      segments_.push_back(std::move(found));
    }
  }
}

EngineOptions StoredTopic::Options() const {
  EngineOptions options = QuietOptions(directory_ / "engine");
  options.sync = SyncPolicy::None();
  options.read.cache_dir = directory_ / "cache";
  options.upload.codec = shape_.codec;
  options.objects = store_.Connect(Client::kOfEngine);
  return options;
}

std::unique_ptr<OpenedEngine> StoredTopic::OpenCold(EngineOptions options) const {
  std::filesystem::remove_all(directory_ / "cache");
  return Reopen(std::move(options));
}

std::unique_ptr<OpenedEngine> StoredTopic::Reopen(EngineOptions options) const {
  SyncFileSystem(directory_);
  return std::make_unique<OpenedEngine>(std::move(options), shape_.partitions);
}

void StoredTopic::Check(const RecordView& record, Offset offset) const {
  if (record.offset != offset) Die("a record has another offset than its place");
  const Record& appended = contents_[static_cast<std::size_t>(offset.value()) % contents_.size()];
  if (!record.value || *record.value != *appended.value) Die("a record is not what was appended");
}

Scanned Scan(Engine& engine, const TopicPartition& partition, Offset begin, Offset end, std::uint64_t bytes_max) {
  Scanned total;
  const Stopwatch watch;
  for (Offset at = begin; at < end;) {
    const ReadResult result = OrDie(engine.Read(partition, at, {.bytes_max = bytes_max}), "read");
    if (result.records.empty()) Die("a read came back empty before the end");
    for (const RecordView& record : result.records) {
      if (record.offset >= end) break;
      if (record.offset != begin + static_cast<std::int64_t>(total.records)) Die("an offset is missing");
      ++total.records;
      total.bytes += record.value->size();
    }
    total.explanation.Add(result.explanation);
    at = result.next;
  }
  total.seconds = watch.seconds();
  return total;
}

}  // namespace millrace::bench
