// Appends from several threads through the library until it is killed, uploading and recycling in between, and says on
// stdout what was acknowledged: one line for each receipt, written only after the receipt is there.
//
//   e2e_writer DIR TOPIC PARTITIONS CYCLE
//   line: PARTITION BASE THREAD FIRST COUNT     the records FIRST … FIRST + COUNT - 1 of THREAD lie at BASE …
//   value of a record: "CYCLE/THREAD/NUMBER/" and padding, its key "THREAD"
//
// An error goes to stderr and ends its thread.
#include <millrace/millrace.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using millrace::Durability;

struct Job {
  millrace::Engine& engine;
  std::string topic, cycle;
  int partitions = 1;
};

/// One write, so that lines of several threads never mix and nothing waits in a buffer when we are killed.
void Say(int file, const std::string& line) {
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(3);
}

std::string ErrorLine(const millrace::Error& error) {
  return "error " + std::string(millrace::ErrorCodeName(error.code())) + " " + std::string(error.message()) + "\n";
}

void Append(const Job& job, int thread) {
  unsigned dice = static_cast<unsigned>(thread) * 7919 + 17;
  long number = 0;
  for (;;) {
    dice = dice * 1664525 + 1013904223;
    const int partition = static_cast<int>((dice >> 8) % static_cast<unsigned>(job.partitions));
    const int count = 1 + static_cast<int>((dice >> 16) % 12);
    std::vector<millrace::Record> records;
    for (int i = 0; i < count; ++i) {
      std::string value = job.cycle + "/" + std::to_string(thread) + "/" + std::to_string(number + i) + "/";
      value.append((dice >> 20) % 400, static_cast<char>('a' + (number + i) % 26));
      records.push_back({.key = std::to_string(thread), .value = std::move(value)});
    }
    millrace::AppendOptions options;
    constexpr Durability kLevels[] = {Durability::kOs, Durability::kDisk, Durability::kDisk, Durability::kOs};
    options.durability = dice % 61 == 0 ? Durability::kObject : kLevels[(dice >> 12) % 4];
    auto receipt = job.engine.Append({job.topic, millrace::PartitionId(partition)}, records, options);
    if (!receipt) {
      Say(STDERR_FILENO, ErrorLine(receipt.error()));
      return;
    }
    Say(STDOUT_FILENO, std::to_string(partition) + " " + std::to_string(receipt->base_offset.value()) + " " +
                           std::to_string(thread) + " " + std::to_string(number) + " " + std::to_string(count) + "\n");
    number += count;
  }
}

void UploadAndRecycle(const Job& job, const std::atomic<bool>& stop) {
  for (int round = 0; !stop; ++round) {
    if (auto uploaded = job.engine.Upload(); !uploaded) Say(STDERR_FILENO, "upload " + ErrorLine(uploaded.error()));
    if (round % 2 == 1) {
      if (auto recycled = job.engine.Recycle(); !recycled) Say(STDERR_FILENO, "recycle " + ErrorLine(recycled.error()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  millrace::EngineOptions options;
  options.data_dir = argv[1];
  options.wal_bytes_max = 64 << 20;
  options.append_wait_max = std::chrono::milliseconds(1500);
  options.upload.segment_bytes_max = 256 << 10;
  auto engine = millrace::Engine::Open(options);
  if (!engine) {
    Say(STDERR_FILENO, ErrorLine(engine.error()));
    return 1;
  }
  Job job{**engine, argv[2], argv[4], std::atoi(argv[3])};
  millrace::TopicOptions topic;
  topic.partitions = job.partitions;
  auto created = (*engine)->CreateTopic(job.topic, topic);
  if (!created && created.error().code() != millrace::ErrorCode::kAlreadyExists) {
    Say(STDERR_FILENO, ErrorLine(created.error()));
    return 1;
  }
  std::atomic<bool> stop{false};
  std::jthread uploads([&] { UploadAndRecycle(job, stop); });
  {
    std::vector<std::jthread> writers;
    for (int thread = 0; thread < 4; ++thread) writers.emplace_back([&job, thread] { Append(job, thread); });
  }
  stop = true;
  uploads.join();
  auto closed = (*engine)->Close();
  if (!closed) Say(STDERR_FILENO, "close " + ErrorLine(closed.error()));
  return closed ? 0 : 1;
}
