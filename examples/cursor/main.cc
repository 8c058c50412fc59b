// A work queue: jobs go into a topic, threads take them through one cursor, each job once, whatever crashes between two
// runs; an auditor reads the same jobs through a cursor of its own, in batches. What both have passed is given back.
//
//   cmake -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build && build/cursor DIR
#include <millrace/millrace.h>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

using namespace millrace;

namespace {

const TopicPartition kJobs{"jobs", PartitionId(0)};

Result<void> Put(Engine& engine, int count) {
  std::vector<Record> jobs;
  for (int i = 0; i < count; ++i) jobs.push_back({.value = "job " + std::to_string(i)});
  auto receipt = engine.Append(kJobs, jobs);
  if (!receipt) return receipt.error();
  return {};
}

/// Four threads share one position. StrictlyAtOnce: a job leaves the log only when the position behind it is on the
/// disk, so no crash hands it out twice.
Result<int> Work(Engine& engine, int jobs) {
  auto cursor = engine.OpenCursor(kJobs, "workers", ReadConsistency::StrictlyAtOnce());
  if (!cursor) return cursor.error();
  std::atomic<int> left = jobs, done = 0;
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&] {
        while (left.fetch_sub(1) > 0) {
          auto job = (*cursor)->ReadNext(true);
          if (!job || !*job) return;
          ++done;  // here is the work
        }
      });
    }
  }
  if (auto closed = (*cursor)->Close(); !closed) return closed.error();
  return done.load();
}

/// AtLeastOnce(100): cheap, and after a crash fewer than a hundred entries and the last batch come again.
Result<std::size_t> Audit(Engine& engine) {
  auto cursor = engine.OpenCursor(kJobs, "audit", ReadConsistency::AtLeastOnce(100));
  if (!cursor) return cursor.error();
  std::size_t seen = 0;
  while (true) {
    auto batch = (*cursor)->ReadBatch(1 << 20, true);
    if (!batch) return batch.error();
    if (batch->empty()) break;
    seen += batch->size();
  }
  if (auto closed = (*cursor)->Close(); !closed) return closed.error();
  return seen;
}

Result<void> Run(const char* directory) {
  auto engine = Engine::Open({.data_dir = directory});
  if (!engine) return engine.error();
  const auto made = (*engine)->CreateTopic("jobs", {.cleanup = Cleanup::kConsumed});
  if (made) {
    if (auto put = Put(**engine, 10); !put) return put;
  } else if (made.error().code() != ErrorCode::kAlreadyExists) {
    return made;
  }
  auto worked = Work(**engine, 6);
  if (!worked) return worked.error();
  auto audited = Audit(**engine);
  if (!audited) return audited.error();
  std::cout << "worked " << *worked << ", audited " << *audited << "\n";
  auto cursors = (*engine)->ListCursors("jobs");
  if (!cursors) return cursors.error();
  for (const CursorDescription& cursor : *cursors)
    std::cout << cursor.name << " at " << cursor.position.value() << ", " << cursor.unread << " unread\n";
  if (auto recycled = (*engine)->Recycle(); !recycled) return recycled;
  auto offsets = (*engine)->Offsets(kJobs);
  if (!offsets) return offsets.error();
  std::cout << "kept from " << offsets->log_start.value() << "\n";
  return (*engine)->Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: cursor DIR\n";
    return 2;
  }
  if (auto done = Run(argv[1]); !done) {
    std::cerr << done.error().ToString() << "\n";
    return 1;
  }
  return 0;
}
