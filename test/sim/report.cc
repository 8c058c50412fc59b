#include "report.h"

#include <fmt/format.h>

#include <cstdio>

namespace millrace::sim {

void Report::BeginSeed(std::uint64_t seed) {
  seed_ = seed;
  ++seeds_;
}

void Report::Event(std::string_view text) {
  for (const char character : text)
    trace_hash_ = (trace_hash_ ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  if (trace_ == Trace::kPrinted) fmt::print("  {}\n", text);
}

void Report::Fired(std::string_view kind, std::uint64_t count) {
  if (count == 0) return;
  const auto found = fired_.find(kind);
  if (found != fired_.end()) {
    found->second += count;
  } else {
    fired_.emplace(kind, count);
  }
}

std::uint64_t Report::fired(std::string_view kind) const {
  const auto found = fired_.find(kind);
  return found == fired_.end() ? 0 : found->second;
}

void Report::Fail(std::string_view property, std::string_view detail) {
  failures_.push_back({seed_, std::string(property), std::string(detail)});
  if (failures_.size() > kFailuresMax || trace_ == Trace::kSilent) return;
  fmt::print("FAILED row {} seed {} property {}: {}\n  replay: ./dev sim --row {} --seed {}\n", row_, seed_, property,
             detail, row_, seed_);
  std::fflush(stdout);
}

bool Report::Close(const Floors& floors) {
  bool passed = failures_.empty();
  std::string line = fmt::format("row {} checked={} (floor {}) seeds={} failures={}", row_, checked_, floors.checked,
                                 seeds_, failures_.size());
  for (const auto& [kind, count] : fired_) line += fmt::format(" {}={}", kind, count);
  fmt::print("{}\n", line);
  if (checked_ < floors.checked) {
    fmt::print("FAILED row {}: checked only {} of at least {}\n", row_, checked_, floors.checked);
    passed = false;
  }
  for (const auto& [kind, floor] : floors.fired) {
    const std::uint64_t count = fired(kind);
    if (count >= floor) continue;
    fmt::print("FAILED row {}: {} happened {} times, at least {} wanted\n", row_, kind, count, floor);
    passed = false;
  }
  std::fflush(stdout);
  return passed;
}

}  // namespace millrace::sim
