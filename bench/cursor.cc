// The topic log and its cursors beside the crate walrus-rust, which has the same shape, and beside the limits of the
// machine. Without the crate's driver (--walrus) its sides are missing, and rows are judged by their limits alone.
#include <fmt/core.h>

#include "bench/cursor_rows/cursor_rows.h"

using namespace millrace::bench;

namespace millrace::bench {

std::string Delivery::ToText() const {
  std::string text = fmt::format("delivered {} of {}", delivered, written);
  if (wrong > 0) text += fmt::format(", {} of them not in their place", wrong);
  return text;
}

void AddWalrus(const Suite& suite, std::string_view name, std::string_view schedule, std::string_view consistency,
               std::vector<Side>& sides, std::function<double(WalrusPeer&)> run, std::function<std::string()> note) {
  if (suite.walrus().empty()) return;
  sides.push_back(
      {std::string(name),
       [&suite, schedule = std::string(schedule), consistency = std::string(consistency), run = std::move(run)] {
         const auto directory = suite.FreshDirectory("walrus");
         double figure = 0;
         {
           WalrusPeer peer(suite.walrus(), directory, schedule, consistency, suite.seed());
           figure = run(peer);
         }
         std::filesystem::remove_all(directory);
         return figure;
       },
       std::move(note)});
}

void Fill(OpenedEngine& engine, NumberedPayloads& payloads, std::uint64_t begin, std::uint64_t end, std::size_t length,
          Durability durability, const TopicPartition& partition) {
  for (std::uint64_t i = begin; i < end; i += length) {
    engine.Append(partition, payloads.StampedBatch(i, std::min<std::uint64_t>(length, end - i)), durability);
  }
}

}  // namespace millrace::bench

int main(int argc, char** argv) {
  Suite suite("cursor", argc, argv);
  if (suite.walrus().empty()) {
    fmt::print("peer walrus-rust 0.2.0 is MISSING: no driver was given (--walrus); rows are judged by their limits\n");
  } else {
    fmt::print("peer: walrus-rust 0.2.0, {}\n", suite.walrus().native());
  }
  MeasureAppends(suite);
  MeasureReads(suite);
  MeasureStrictReads(suite);
  MeasureFollowing(suite);
  MeasureReopening(suite);
  MeasureScaling(suite);
  return 0;
}
