// The rows of bench/cursor.cc, and what they share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/numbered_payloads.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/suite.h"
#include "bench/harness/walrus_peer.h"

namespace millrace::bench {

void MeasureAppends(Suite& suite);
void MeasureScaling(Suite& suite);
void MeasureReads(Suite& suite);
void MeasureStrictReads(Suite& suite);
void MeasureFollowing(Suite& suite);
void MeasureReopening(Suite& suite);

/// What came back of what was written.
struct Delivery {
  std::uint64_t written = 0, delivered = 0, wrong = 0;
  [[nodiscard]] std::string ToText() const;
};

/// The peer's side of a row, and its goal, if the peer is here: `run` gets a fresh process over a fresh directory.
void AddWalrus(const Suite& suite, std::string_view name, std::string_view schedule, std::string_view consistency,
               std::vector<Side>& sides, std::function<double(WalrusPeer&)> run,
               std::function<std::string()> note = {});

/// Appends entries [begin, end) to `partition`, `length` a batch.
void Fill(OpenedEngine& engine, NumberedPayloads& payloads, std::uint64_t begin, std::uint64_t end, std::size_t length,
          Durability durability, const TopicPartition& partition = OpenedEngine::Partition(0));

}  // namespace millrace::bench
