// Kafka's protocol as the generator speaks it: frames made beforehand, answers checked at fixed places, so that the
// generator costs little. Blocking; any failure ends the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/record.h"

namespace millrace::bench {

/// One connection.
class Wire {
 public:
  explicit Wire(std::uint16_t port);
  ~Wire();
  Wire(Wire&& other) noexcept;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void Send(std::string_view frame);
  /// The next answer, without its size; valid until the next call.
  std::string_view Receive();
  std::string_view Ask(std::string_view frame) { return Send(frame), Receive(); }
  [[nodiscard]] int descriptor() const { return socket_; }

 private:
  void Fill(std::size_t size);

  int socket_;
  std::string answer_;
};

/// One batch of `records` for a partition, to be answered once it is safe.
std::string ProduceFrame(std::string_view topic, std::int32_t partition, std::span<const Record> records);
/// Ends the program unless `answer` says that the batch was appended.
void CheckProduced(std::string_view answer, std::string_view topic);
/// What a server that keeps nothing answers to ProduceFrame, its size first.
std::string ProducedAnswer(std::string_view topic);

struct FetchRange {
  std::int32_t partition = 0;
  std::int64_t begin = 0;
  std::int32_t bytes_max = 1 << 20;
  std::int32_t wait_ms = 0;
};
std::string FetchFrame(std::string_view topic, const FetchRange& range);

struct Fetched {
  std::size_t bytes = 0;
  std::int64_t next = 0;  // what to fetch then; the offset asked for if nothing came
};
/// What an answer brought to a fetch from `begin`. Ends the program if it is an error.
Fetched ReadFetched(std::string_view answer, std::int64_t begin);

/// A fetch session on one topic: which one, and the number of its next request; both 0 to begin one.
struct SessionPlace {
  std::int32_t id = 0, epoch = 0;
};
/// Names `ranges` alone, whose limits and waits are those of the first; without any it waits for nothing.
std::string SessionFrame(std::string_view topic, const SessionPlace& place, std::span<const FetchRange> ranges);
struct SessionNews {
  std::int32_t session_id = 0;
  std::vector<FetchRange> partitions;  // each from where it is to be fetched then
};
/// What an answer brought of partitions with records. Ends the program if it is an error.
SessionNews ReadSession(std::string_view answer);

/// Makes a topic with these settings ("flush.messages", "1"); ends the program if the server refuses.
void MakeTopic(std::uint16_t port, std::string_view name, std::int32_t partitions,
               const std::vector<std::pair<std::string, std::string>>& settings = {});
std::string ApiVersionsFrame();

}  // namespace millrace::bench
