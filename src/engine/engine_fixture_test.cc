#include "engine/engine_fixture.h"

#include "env/sim/sim_file_system.h"

namespace millrace {

EngineOptions EngineFixture::Options() const {
  EngineOptions options;
  options.data_dir = directory_.path() / "data";
  options.wal_bytes_max = 64 << 20;
  options.batch_bytes_max = 4 << 20;
  return options;
}

EngineOptions EngineFixture::OnSimulatedDisk() const {
  EngineOptions options = Options();
  options.data_dir = "/data";
  options.file_system = std::make_shared<SimFileSystem>(5);
  options.object_store = "memory:";
  options.metadata_store = "memory:";
  return options;
}

std::unique_ptr<Engine> EngineFixture::Open(EngineOptions options) {
  auto engine = Engine::Open(std::move(options));
  EXPECT_TRUE(engine) << Told(engine);
  return engine ? *std::move(engine) : nullptr;
}

AppendReceipt EngineFixture::AppendNumbers(Engine& engine, const TopicPartition& partition, int count, int first,
                                           AppendOptions options) {
  AppendReceipt last;
  for (int i = first; i < first + count; ++i) {
    const Record record = Value(std::to_string(i));
    auto receipt = engine.Append(partition, {&record, 1}, options);
    EXPECT_TRUE(receipt) << Told(receipt);
    if (receipt) last = *receipt;
  }
  return last;
}

std::vector<std::string> EngineFixture::ReadAll(Engine& engine, const TopicPartition& partition, Offset begin) {
  std::vector<std::string> values;
  Offset at = begin;
  while (true) {
    auto read = engine.Read(partition, at);
    EXPECT_TRUE(read) << Told(read);
    if (!read || read->records.empty()) return values;
    for (const RecordView& record : read->records) {
      EXPECT_EQ(record.offset, at);
      at = record.offset + 1;
      values.emplace_back(record.value.value_or("(null)"));
    }
    EXPECT_EQ(read->next, at);
  }
}

std::vector<std::string> EngineFixture::Numbers(int begin, int end) {
  std::vector<std::string> numbers;
  for (int i = begin; i < end; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace millrace
