#include <algorithm>
#include <array>

#include "row.h"
#include "s3_chaos.h"
#include "wal_rows.h"
#include "world_rows.h"

namespace millrace::sim {
namespace {

constexpr std::uint64_t kFired = 100;  // the least a kind of fault must have happened in a CI run

const std::array kRows = {
    Row{.name = "1",
        .property = "no acknowledged frame lost, no hole, no duplicate, after power loss at any boundary",
        .run = &RunWalCrashStates,
        .seeds = 320,
        .floors = {.checked = 200'000,
                   .fired = {{"boundary", 10'000},
                             {"block-lost", kFired},
                             {"block-kept", kFired},
                             {"block-torn", kFired},
                             {"block-overtaken", kFired},
                             {"name-lost", kFired},
                             {"name-kept", kFired},
                             {"size-lost", kFired},
                             {"size-kept", kFired},
                             {"crash-in-recovery", kFired},
                             {"lived-on", kFired},
                             {"crash-in-second-life", kFired},
                             {"append-meanwhile", kFired},
                             {"kill", kFired},
                             {"power-loss", kFired},
                             {"read-back", kFired},
                             {"recycle", kFired}}}},
    Row{.name = "10-wal",
        .property = "every changed byte of the WAL is noticed",
        .run = &RunWalRot,
        .seeds = 5,
        .floors = {.checked = 100'000,
                   .fired = {{"flip", 50'000},
                             {"zeroed", 50},
                             {"misdirected", 100},
                             {"file-removed", 20},
                             {"read-refused", kFired}}}},
    Row{.name = "11-wal",
        .property = "the n-th failing call breaks nothing that was acknowledged",
        .run = &RunWalNthFailure,
        .seeds = 60,
        .floors = {.checked = 10'000, .fired = {{"call-failed", 2'000}, {"call-full", 1'000}}}},
    Row{.name = "12-wal",
        .property = "a failed sync is final",
        .run = &RunWalFailedSync,
        .seeds = 60,
        .floors = {.checked = 5'000, .fired = {{"sync-failed-clean", 500}, {"sync-failed-dirty", 500}}}},
    Row{.name = "13-wal",
        .property = "a full disk loses nothing and heals",
        .run = &RunWalFullDisk,
        .seeds = 200,
        .floors = {.checked = 1'000, .fired = {{"disk-full", kFired}}}},
    Row{.name = "2",
        .property = "the whole engine keeps its promises under all faults, and heals",
        .run = &RunWorld,
        .seeds = 200,
        .floors = {.checked = 200'000,
                   .fired = {{"append", kFired},
                             {"append-async", kFired},
                             {"kill", kFired},
                             {"power-loss", kFired},
                             {"error", kFired},
                             {"segment-committed", kFired},
                             {"read-tail", kFired},
                             {"read-wal", kFired},
                             {"read-cache", kFired},
                             {"read-objects", kFired},
                             {"object-deleted", kFired},
                             {"records-deleted", kFired},
                             {"topic-recreated", kFired},
                             {"taken-over", kFired},
                             {"position-committed", kFired},
                             {"position-resumed", kFired},
                             {"polled", kFired},
                             {"healed", 190}}}},
    Row{.name = "17",
        .property = "a bad S3 gives no wrong byte, loses none, and costs at most three times the time",
        .run = &RunS3Chaos,
        .seeds = 200,
        .floors = {.checked = 200'000,
                   .fired = {{"uploaded", kFired},
                             {"read-objects", kFired},
                             {"read-whole", 800},
                             {"kill", kFired},
                             {"killed-within-put", kFired},
                             {"s3-slow-down", kFired},
                             {"s3-too-many", kFired},
                             {"s3-reset-before", kFired},
                             {"s3-reset-after", kFired},
                             {"s3-reset-in-body", kFired},
                             {"s3-truncated", kFired},
                             {"s3-short-range", kFired},
                             {"s3-wrong-range", kFired},
                             {"s3-flipped-bit", kFired},
                             {"s3-wrong-checksum", kFired},
                             {"s3-stall", kFired},
                             {"s3-slow-get", kFired}}}},
};

}  // namespace

std::span<const Row> AllRows() { return kRows; }

const Row* FindRow(std::string_view name) {
  const auto found = std::ranges::find(kRows, name, &Row::name);
  return found == kRows.end() ? nullptr : &*found;
}

}  // namespace millrace::sim
