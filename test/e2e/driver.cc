// An engine told what to do, line by line, and telling what came of it: for scenarios in which the world around it
// changes between two calls. One topic, one partition, one thread.
//
//   e2e_driver DIR STORE
//   append COUNT BYTES   "ok ACKNOWLEDGED"     fill BYTES   appends until an error: "full CODE ACKNOWLEDGED message"
//   upload | recycle     "ok"                  read         everything, held against what was acknowledged: "ok
//   RECORDS" close                "ok", and ends        any failure  "error CODE message"
#include <millrace/millrace.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

namespace {

const millrace::TopicPartition kPartition{"full", millrace::PartitionId(0)};

std::string Text(const millrace::Error& error) {
  return std::string(millrace::ErrorCodeName(error.code())) + " " + std::string(error.message());
}

class Driver {
 public:
  explicit Driver(millrace::Engine& engine) : engine_(engine) {}

  std::string Append(long count, std::size_t bytes) {
    for (long i = 0; i < count; ++i) {
      if (auto error = AppendOne(bytes); !error.empty()) return "error " + error;
    }
    return "ok " + std::to_string(acknowledged_.size());
  }

  std::string Fill(std::size_t bytes) {
    for (;;) {
      std::string error = AppendOne(bytes);
      if (error.empty()) continue;
      const std::size_t space = error.find(' ');
      return "full " + error.substr(0, space) + " " + std::to_string(acknowledged_.size()) + error.substr(space);
    }
  }

  /// Dense from 0 to the end, and each acknowledged value at its offset. What failed may be there as well.
  std::string Read() {
    long long expected = 0;
    std::size_t found = 0;
    for (millrace::Offset at{0};;) {
      auto read = engine_.Read(kPartition, at);
      if (!read) return "error " + Text(read.error());
      for (const millrace::RecordView& record : read->records) {
        if (record.offset.value() != expected++) return "error kInternal a gap at " + std::to_string(expected - 1);
        const auto acknowledged = acknowledged_.find(record.offset.value());
        if (acknowledged == acknowledged_.end()) continue;
        if (record.value != Value(acknowledged->second.number, acknowledged->second.bytes)) {
          return "error kInternal another value at " + std::to_string(record.offset.value());
        }
        ++found;
      }
      if (read->records.empty()) break;
      at = read->next;
    }
    if (found != acknowledged_.size()) {
      return "error kInternal " + std::to_string(acknowledged_.size() - found) + " acknowledged records are missing";
    }
    return "ok " + std::to_string(expected);
  }

 private:
  struct Acknowledged {
    long long number;
    std::size_t bytes;
  };

  static std::string Value(long long number, std::size_t bytes) {
    std::string value = std::to_string(number) + "/";
    unsigned long long dice = static_cast<unsigned long long>(number) * 2654435761u + 1;
    while (value.size() < bytes) {
      dice = dice * 6364136223846793005u + 1442695040888963407u;
      value.push_back(static_cast<char>(dice >> 56));
    }
    return value;
  }

  std::string AppendOne(std::size_t bytes) {
    const millrace::Record record{.value = Value(next_, bytes)};
    auto receipt = engine_.Append(kPartition, std::span(&record, 1));
    if (!receipt) {
      ++next_;
      return Text(receipt.error());
    }
    acknowledged_[receipt->base_offset.value()] = {next_++, bytes};
    return {};
  }

  millrace::Engine& engine_;
  long long next_ = 0;
  std::map<long long, Acknowledged> acknowledged_;  // by offset
};

std::string Outcome(const millrace::Result<void>& result) { return result ? "ok" : "error " + Text(result.error()); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  millrace::EngineOptions options;
  options.data_dir = argv[1];
  options.object_store = argv[2];
  options.wal_bytes_max = 256 << 20;  // far above the disk, so that the disk is what ends
  options.append_wait_max = std::chrono::milliseconds(300);
  auto engine = millrace::Engine::Open(options);
  if (!engine) {
    std::cout << "error " << Text(engine.error()) << std::endl;
    return 1;
  }
  auto created = (*engine)->CreateTopic(kPartition.topic, {});
  if (!created && created.error().code() != millrace::ErrorCode::kAlreadyExists) {
    std::cout << "error " << Text(created.error()) << std::endl;
    return 1;
  }
  std::cout << "ok" << std::endl;
  Driver driver(**engine);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    long count = 1;
    std::size_t bytes = 0;
    words >> verb;
    if (verb == "append") words >> count;
    words >> bytes;
    std::string answer = "error kInvalidArgument " + line;
    if (verb == "append") answer = driver.Append(count, bytes);
    if (verb == "fill") answer = driver.Fill(bytes);
    if (verb == "read") answer = driver.Read();
    if (verb == "upload") answer = Outcome((*engine)->Upload());
    if (verb == "recycle") answer = Outcome((*engine)->Recycle());
    if (verb == "close") answer = Outcome((*engine)->Close());
    std::cout << answer << std::endl;
    if (verb == "close") return answer == "ok" ? 0 : 1;
  }
  return 0;
}
