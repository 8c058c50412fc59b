#include "bench/kafka_rows/load.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"
#include "bench/wire/poll.h"
#include "bench/wire/wire.h"

namespace millrace::bench {
namespace {

/// A connection that produces, and when its requests without an answer were sent.
struct Producer {
  Wire wire;
  std::deque<Stopwatch> sent;
};

/// Measures the server's time between its construction and Finish.
class Meter {
 public:
  explicit Meter(const ServerProcess& server) : server_(server), before_(server.CpuSeconds()) {}
  [[nodiscard]] double seconds() const { return watch_.seconds(); }
  void Finish(Cost& cost) const {
    cost.seconds = watch_.seconds();
    cost.server_seconds = server_.CpuSeconds() - before_;
  }

 private:
  const ServerProcess& server_;
  const double before_;
  const Stopwatch watch_;
};

void AwaitReadable(const Wire& wire) {
  pollfd one{.fd = wire.descriptor(), .events = POLLIN, .revents = 0};
  if (poll(&one, 1, 30'000) != 1) Die("a fetch that waits was not answered");
}

}  // namespace

double Cost::Percentile(double part) const {
  std::vector<double> sorted = latencies_us;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.empty()) Die("nothing was measured");
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))];
}

Cost Produce(const ServerProcess& server, std::string_view topic, std::span<const std::string> frames,
             const Load& load) {
  std::vector<Producer> producers;
  Poll poll;
  for (std::size_t i = 0; i < load.connections; ++i) producers.push_back({Wire(server.port()), {}});
  for (std::size_t i = 0; i < load.connections; ++i) poll.Add(producers[i].wire, i);
  Cost cost;
  std::size_t next = 0, waiting = 0;
  const auto send = [&](Producer& producer) {
    const std::string& frame = frames[next++ % frames.size()];
    producer.sent.emplace_back();
    producer.wire.Send(frame);
    cost.bytes += frame.size();
    ++waiting;
  };
  const Meter meter(server);
  for (Producer& producer : producers)
    for (std::size_t i = 0; i < load.in_flight; ++i) send(producer);
  while (waiting > 0) {
    for (const std::size_t ready : poll.Wait()) {
      Producer& producer = producers[ready];
      CheckProduced(producer.wire.Receive(), topic);
      cost.latencies_us.push_back(producer.sent.front().microseconds());
      producer.sent.pop_front();
      ++cost.requests;
      --waiting;
      if (meter.seconds() < load.seconds) send(producer);
    }
  }
  meter.Finish(cost);
  return cost;
}

Cost Consume(const ServerProcess& server, std::string_view topic, std::int64_t begin, std::int64_t end,
             std::size_t times) {
  Wire wire(server.port());
  Cost cost;
  const Meter meter(server);
  for (std::size_t i = 0; i < times; ++i) {
    for (std::int64_t at = begin; at < end;) {
      const Fetched fetched = ReadFetched(wire.Ask(FetchFrame(topic, {.begin = at})), at);
      if (fetched.next == at) Die("a fetch brought nothing");
      at = fetched.next;
      cost.bytes += fetched.bytes;
      ++cost.requests;
    }
  }
  meter.Finish(cost);
  return cost;
}

std::int64_t EndOf(const ServerProcess& server, std::string_view topic) {
  Wire wire(server.port());
  for (std::int64_t at = 0;;) {
    const Fetched fetched = ReadFetched(wire.Ask(FetchFrame(topic, {.begin = at, .bytes_max = 16 << 20})), at);
    if (fetched.next == at) return at;
    at = fetched.next;
  }
}

Cost Deliver(const ServerProcess& server, std::string_view topic, const std::string& frame, std::size_t count) {
  Wire producer(server.port()), consumer(server.port());
  std::int64_t at = EndOf(server, topic);
  Cost cost;
  const Meter meter(server);
  for (std::size_t i = 0; i < count; ++i) {
    consumer.Send(FetchFrame(topic, {.begin = at, .wait_ms = 20'000}));
    std::this_thread::sleep_for(std::chrono::microseconds(300));  // until the fetch is parked
    const Stopwatch watch;
    producer.Send(frame);
    AwaitReadable(consumer);
    const std::string_view answer = consumer.Receive();
    cost.latencies_us.push_back(watch.microseconds());
    at = ReadFetched(answer, at).next;
    CheckProduced(producer.Receive(), topic);
  }
  meter.Finish(cost);
  return cost;
}

Cost Follow(const ServerProcess& server, std::string_view topic, std::span<const std::string> frames,
            std::size_t consumers, double seconds) {
  const std::int64_t begin = EndOf(server, topic);
  std::vector<Wire> wires;
  std::vector<std::int64_t> places(consumers, begin);
  Poll poll;
  Wire producer(server.port());
  for (std::size_t i = 0; i < consumers; ++i) wires.emplace_back(server.port());
  for (std::size_t i = 0; i < consumers; ++i) poll.Add(wires[i], i);
  const std::size_t last = consumers;
  poll.Add(producer, last);
  Cost cost;
  const auto follow = [&](std::size_t i) { wires[i].Send(FetchFrame(topic, {.begin = places[i], .wait_ms = 20'000})); };
  const Meter meter(server);
  for (std::size_t i = 0; i < consumers; ++i) follow(i);
  std::size_t next = 0;
  producer.Send(frames[next++ % frames.size()]);
  for (bool producing = true; producing;) {
    for (const std::size_t ready : poll.Wait()) {
      if (ready == last) {
        CheckProduced(producer.Receive(), topic);
        ++cost.requests;
        producing = meter.seconds() < seconds;
        if (producing) producer.Send(frames[next++ % frames.size()]);
        continue;
      }
      const Fetched fetched = ReadFetched(wires[ready].Receive(), places[ready]);
      cost.bytes += fetched.bytes;
      places[ready] = fetched.next;
      follow(ready);
    }
  }
  meter.Finish(cost);
  return cost;
}

}  // namespace millrace::bench
