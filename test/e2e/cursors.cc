// Reads with cursors while the log under them grows, is uploaded and recycled, and says on stdout what it was handed,
// one line for each call, written only after the call has returned. Every value is its own offset.
//
//   e2e_cursors DIR loop                 until it is killed: a writer, uploads, and a thread or two for each cursor
//   e2e_cursors DIR take NAME COUNT      that many calls by the cursor NAME, then it kills itself
//   e2e_cursors DIR batches NAME COUNT   the same with batches of three
//   e2e_cursors DIR append COUNT         entries in one batch each
//   e2e_cursors DIR drain                every cursor to the end, and a clean close
//   line: NAME FIRST COUNT               entries FIRST … FIRST + COUNT - 1 were handed out
//
// A name says its mode: s… is strict, N… persists every N. An error goes to stderr.
#include <millrace/millrace.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using millrace::Cursor;
using millrace::Engine;
using millrace::Record;

const millrace::TopicPartition kPartition{"c", millrace::PartitionId(0)};
constexpr const char* kNames[] = {"strict", "shared", "7often", "1each"};

/// One write, so that lines of several threads never mix and nothing waits in a buffer when we are killed.
void Say(int file, const std::string& line) {
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(3);
}

[[noreturn]] void Complain(const std::string& text) {
  Say(STDERR_FILENO, text + "\n");
  std::_Exit(1);
}

template <class T>
T Must(millrace::Result<T> result, std::string_view what) {
  if (!result) Complain(std::string(what) + ": " + result.error().ToString());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

std::unique_ptr<Cursor> Open(Engine& engine, const std::string& name) {
  const auto mode = name[0] == 's' ? millrace::ReadConsistency::StrictlyAtOnce()
                                   : millrace::ReadConsistency::AtLeastOnce(static_cast<unsigned>(std::stoi(name)));
  return Must(engine.OpenCursor(kPartition, name, mode), "open " + name);
}

/// Holds what came against its offset, and says so.
void Tell(const std::string& name, const std::vector<Record>& records) {
  if (records.empty()) return;
  const long long first = records.front().offset.value();
  long long expected = first;
  for (const Record& record : records) {
    if (record.offset.value() != expected || record.value != std::to_string(expected))
      Complain(name + ": " + record.value.value_or("(null)") + " at " + std::to_string(record.offset.value()) +
               " where " + std::to_string(expected) + " was next");
    ++expected;
  }
  Say(STDOUT_FILENO, name + " " + std::to_string(first) + " " + std::to_string(records.size()) + "\n");
}

std::vector<Record> Take(Cursor& cursor, bool batch, std::uint64_t bytes_max) {
  if (batch) return Must(cursor.ReadBatch(bytes_max, true), "read");
  auto record = Must(cursor.ReadNext(true), "read");
  std::vector<Record> records;
  if (record) records.push_back(*std::move(record));
  return records;
}

void Append(Engine& engine, long long& next, int count) {
  std::vector<Record> batch;
  for (int i = 0; i < count; ++i) batch.push_back({.value = std::to_string(next + i)});
  Must(engine.Append(kPartition, batch), "append");
  next += count;
}

[[noreturn]] void Loop(Engine& engine, long long next) {
  std::vector<std::jthread> threads;
  std::vector<std::unique_ptr<Cursor>> cursors;
  for (const std::string name : kNames) cursors.push_back(Open(engine, name));
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    for (int reader = 0; reader < (i == 1 ? 3 : 1); ++reader) {
      threads.emplace_back([&, i, reader] {
        for (unsigned turn = static_cast<unsigned>(reader);; ++turn) {
          const auto records = Take(*cursors[i], turn % 3 != 0, 1 + turn % 40);
          Tell(kNames[i], records);
          if (records.empty()) Must(cursors[i]->Wait(std::chrono::milliseconds(50)), "wait");
          if (turn % 7 == 0) Must(cursors[i]->ReadBatch(100, false), "peek");
        }
      });
    }
  }
  threads.emplace_back([&] {
    for (;;) {
      Must(engine.Upload(), "upload");
      Must(engine.Recycle(), "recycle");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  for (int turn = 0;; ++turn) Append(engine, next, 1 + turn % 9);
}

void Drain(Engine& engine) {
  for (const std::string name : kNames) {
    const auto cursor = Open(engine, name);
    for (;;) {
      const auto records = Take(*cursor, true, 1'000);
      Tell(name, records);
      if (records.empty()) break;
    }
    Must(cursor->Close(), "close " + name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 2) return 2;
  millrace::EngineOptions options;
  options.data_dir = words[0];
  options.wal_bytes_max = 32 << 20;
  options.batch_bytes_max = 4 << 20;
  options.upload.segment_bytes_max = 64 << 10;
  const auto engine = Must(Engine::Open(options), "open");
  const auto created = engine->CreateTopic(kPartition.topic, {.cleanup = millrace::Cleanup::kConsumed});
  if (!created && created.error().code() != millrace::ErrorCode::kAlreadyExists) Complain(created.error().ToString());
  long long next = Must(engine->Offsets(kPartition), "offsets").log_end.value();
  const std::string& verb = words[1];
  if (verb == "loop") Loop(*engine, next);
  if (verb == "append" && words.size() == 3) {
    for (int i = std::stoi(words[2]); i > 0; --i) Append(*engine, next, 1);
  } else if ((verb == "take" || verb == "batches") && words.size() == 4) {
    const auto cursor = Open(*engine, words[2]);
    for (int i = std::stoi(words[3]); i > 0; --i) {
      // Entries of one digit: three bytes are three of them.
      Tell(words[2], Take(*cursor, verb == "batches", 3));
    }
    ::kill(::getpid(), SIGKILL);
  } else if (verb == "drain") {
    Drain(*engine);
  } else {
    return 2;
  }
  Must(engine->Close(), "close");
  return 0;
}
