#include "bench/harness/log_lines.h"

#include <fmt/core.h>

#include <array>
#include <random>
#include <string_view>

namespace millrace::bench {
namespace {

constexpr std::array<std::string_view, 4> kLevels{"INFO ", "INFO ", "WARN ", "DEBUG"};
constexpr std::array<std::string_view, 6> kServices{"orders-api",     "payment-gateway", "inventory-sync",
                                                    "session-broker", "mail-dispatcher", "search-indexer"};
constexpr std::array<std::string_view, 6> kEvents{
    "request completed method=GET path=/v1/orders/{} status=200 duration_ms={} bytes=18231",
    "request completed method=POST path=/v1/carts/{}/items status=201 duration_ms={} bytes=412",
    "cache refreshed region=eu-central entries={} duration_ms={}",
    "connection from 10.12.{}.17 closed by peer after {} ms, 3 requests served, keep-alive exhausted",
    "job finished queue=default id={} attempts=1 duration_ms={} result=ok worker=worker-7 host=node-12.internal",
    "slow query table=order_lines rows={} duration_ms={} plan=index_scan index=order_lines_by_order_and_time"};

std::string Line(std::mt19937_64& random, std::uint64_t number) {
  const std::uint64_t word = random();
  return fmt::format("2026-11-21T{:02}:{:02}:{:02}.{:03}Z {} {} ", number / 3'600'000 % 24, number / 60'000 % 60,
                     number / 1000 % 60, number % 1000, kLevels[word % kLevels.size()],
                     kServices[(word >> 8) % kServices.size()]) +
         fmt::format(fmt::runtime(kEvents[(word >> 16) % kEvents.size()]), (word >> 24) % 1'000'000,
                     (word >> 44) % 500) +
         '\n';
}

}  // namespace

std::vector<Record> RecordsOfLogLines(std::uint64_t seed, std::size_t count, std::size_t value_bytes) {
  std::mt19937_64 random(seed);
  std::vector<Record> records(count);
  std::string text;
  std::uint64_t lines = 0;
  for (Record& record : records) {
    while (text.size() < value_bytes) text += Line(random, lines++ * 7);
    record.value = text.substr(0, value_bytes);
    text.erase(0, value_bytes);
  }
  return records;
}

}  // namespace millrace::bench
