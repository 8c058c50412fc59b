#include "bench/cursor_rows/sealed_log.h"

#include <fmt/core.h>

#include <algorithm>

#include "bench/harness/stopwatch.h"

namespace millrace::bench {

namespace {

constexpr std::size_t kChunk = 1000;  // entries taken between two looks at the clock

EngineOptions OptionsFor(const Suite& suite, std::string_view name) {
  EngineOptions options = QuietOptions(suite.FreshDirectory(name));
  options.read.block_cache_max_size = 8u << 20;
  return options;
}

}  // namespace

void Require(const Delivery& delivery) {
  if (delivery.delivered != delivery.written || delivery.wrong != 0) Die("ours: " + delivery.ToText());
}

CursorLog::CursorLog(const Suite& suite, std::string_view name, std::uint64_t records, std::size_t batch)
    : payloads_(suite.seed()), engine_(OptionsFor(suite, name), 1) {
  NumberedPayloads payloads(suite.seed());
  Fill(engine_, payloads, 0, records, batch, Durability::kDisk);
}

SealedLog::SealedLog(const Suite& suite, std::uint64_t records, std::size_t batch)
    : CursorLog(suite, "sealed", records, batch) {
  OrDie(engine()->Upload(), "upload");
  OrDie(engine()->Recycle(), "recycle");
}

std::unique_ptr<Cursor> CursorLog::NewCursor(ReadConsistency mode) {
  return OrDie(engine_->OpenCursor(OpenedEngine::Partition(0), fmt::format("c{}", ++cursors_), mode), "open cursor");
}

double CursorLog::BatchRate(ReadConsistency mode, std::uint64_t bytes_max, std::uint64_t count, Delivery& delivery) {
  const auto cursor = NewCursor(mode);
  delivery = {.written = count};
  double seconds = 0;
  while (delivery.delivered < count) {
    const Stopwatch watch;
    const auto batch = OrDie(cursor->ReadBatch(bytes_max, true), "read batch");
    seconds += watch.seconds();
    if (batch.empty()) break;
    for (const Record& record : batch) delivery.wrong += payloads_.Is(delivery.delivered++, *record.value) ? 0 : 1;
  }
  Require(delivery);
  return static_cast<double>(count) / seconds;
}

double CursorLog::SingleRate(ReadConsistency mode, std::uint64_t count, Delivery& delivery) {
  const auto cursor = NewCursor(mode);
  delivery = {.written = count};
  double seconds = 0;
  std::vector<Record> chunk;
  while (delivery.delivered < count) {
    chunk.clear();
    chunk.reserve(kChunk);
    const std::size_t want = std::min<std::uint64_t>(kChunk, count - delivery.delivered);
    const Stopwatch watch;
    while (chunk.size() < want) {
      auto next = OrDie(cursor->ReadNext(true), "read next");
      if (!next) break;
      chunk.push_back(std::move(*next));
    }
    seconds += watch.seconds();
    if (chunk.empty()) break;
    for (const Record& record : chunk) delivery.wrong += payloads_.Is(delivery.delivered++, *record.value) ? 0 : 1;
  }
  Require(delivery);
  return static_cast<double>(count) / seconds;
}

double CursorLog::PeekRate(ReadConsistency mode, std::uint64_t count, Delivery& delivery) {
  const auto cursor = NewCursor(mode);
  delivery = {.written = count};
  double seconds = 0;
  std::vector<Record> chunk;
  while (delivery.delivered < count) {
    chunk.clear();
    chunk.reserve(kChunk);
    const Stopwatch watch;
    for (std::size_t i = 0; i < kChunk; ++i) {
      auto next = OrDie(cursor->ReadNext(false), "peek");
      if (!next) Die("a peek found nothing");
      chunk.push_back(std::move(*next));
    }
    seconds += watch.seconds();
    for (const Record& record : chunk) delivery.wrong += payloads_.Is(0, *record.value) ? 0 : 1;
    delivery.delivered += chunk.size();
  }
  Require(delivery);
  return static_cast<double>(count) / seconds;
}

double CursorLog::SharedRate(ReadConsistency mode, std::size_t threads, std::uint64_t count, Delivery& delivery) {
  const auto cursor = NewCursor(mode);
  std::vector<std::vector<Record>> taken(threads);
  for (auto& one : taken) one.reserve(count);
  const double seconds = TimeThreads(threads, [&](std::size_t thread) {
    for (;;) {
      auto next = OrDie(cursor->ReadNext(true), "read next");
      if (!next) return;
      taken[thread].push_back(std::move(*next));
    }
  });
  std::vector<bool> seen(count);
  delivery = {.written = count};
  for (const auto& one : taken) {
    std::uint64_t last = 0;
    for (const Record& record : one) {
      const std::uint64_t number = NumberedPayloads::NumberOf(*record.value);
      const bool right = number < count && !seen[number] && payloads_.Is(number, *record.value) &&
                         (&record == one.data() || number > last);
      if (number < count) seen[number] = true;
      last = number;
      ++delivery.delivered;
      if (!right) ++delivery.wrong;
    }
  }
  Require(delivery);
  return static_cast<double>(count) / seconds;
}

}  // namespace millrace::bench
