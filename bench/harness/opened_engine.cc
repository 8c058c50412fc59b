#include "bench/harness/opened_engine.h"

#include <utility>

namespace millrace::bench {

EngineOptions QuietOptions(const std::filesystem::path& directory) {
  EngineOptions options;
  options.data_dir = directory;
  options.upload.segment_age_max = std::chrono::hours(24);
  options.upload.segment_bytes_max = 4ull << 30;
  return options;
}

OpenedEngine::OpenedEngine(EngineOptions options, std::int32_t partitions)
    : engine_(OrDie(Engine::Open(std::move(options)), "open")) {
  auto made = engine_->CreateTopic("t", {.partitions = partitions});
  if (!made && made.error().code() != ErrorCode::kAlreadyExists) Die("create topic: " + made.error().ToString());
}

OpenedEngine::~OpenedEngine() {
  if (auto closed = engine_->Close(); !closed) Die("close: " + closed.error().ToString());
}

AppendReceipt OpenedEngine::Append(const TopicPartition& partition, std::span<const Record> records,
                                   Durability durability) {
  const AppendReceipt receipt = OrDie(engine_->Append(partition, records, {.durability = durability}), "append");
  if (receipt.reached < durability) Die("a receipt is weaker than what was asked for");
  if (receipt.last_offset - receipt.base_offset + 1 != static_cast<std::int64_t>(records.size())) {
    Die("a receipt covers another number of records");
  }
  return receipt;
}

void OpenedEngine::Forget(std::size_t partitions) {
  for (std::size_t i = 0; i < partitions; ++i) {
    const TopicPartition partition = Partition(i);
    const PartitionOffsets offsets = OrDie(engine_->Offsets(partition), "offsets");
    OrDie(engine_->DeleteRecords(partition, offsets.log_end), "delete records");
  }
  OrDie(engine_->Recycle(), "recycle");
}

}  // namespace millrace::bench
