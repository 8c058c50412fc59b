// A server for tests: one node, one topic "t" of two partitions, on a real socket. It answers well, unless a test says
// how a request is to be answered instead: by other bytes, by half of them, by the end of the connection.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "client/address.h"
#include "kafka/arena.h"
#include "kafka/message.h"
#include "kafka/messages/produce.h"

namespace millrace::client {

class FakeBroker {
 public:
  struct Request {
    kafka::RequestHeader header;
    std::span<const std::byte> frame;
    int times = 0;  // that this API was asked before
  };
  struct Reply {
    std::vector<std::byte> bytes;  // with their size in front, unless they are to be wrong
    bool closes = false;           // the connection, behind the bytes
  };
  using Handler = std::function<Reply(const Request&)>;

  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  [[nodiscard]] Address address() const { return {"127.0.0.1", port_}; }
  /// How requests of this API are answered from now on.
  void On(std::int16_t api_key, Handler handler);
  /// How often an API was asked.
  [[nodiscard]] int times(std::int16_t api_key);
  /// Connections that it has ended.
  [[nodiscard]] int ended() const { return ended_; }
  /// As On would answer by itself.
  Reply AnswerWell(const Request& request);

  /// What its topic is set to: "os", "disk" (as it begins), "object"; "" for a server that knows no such setting.
  void SetDurability(std::string durability);
  /// From now on producers get ids, and batches that come again are known by their numbers.
  void NumberBatches();
  /// Batches of partition 0 as they were produced, base offsets stamped.
  std::vector<std::vector<std::byte>> stored();

  template <class Message>
  static Reply Answer(const Request& request, const Message& message) {
    return {Bytes(kafka::EncodeResponse(message, request.header.api_version, request.header.correlation_id))};
  }
  template <class Message>
  static Message Read(const Request& request, kafka::Arena& arena) {
    kafka::WireReader in(request.frame, arena);
    (void)kafka::ReadRequestHeader(in);
    return *kafka::Decode<Message>(in, request.header.api_version);
  }
  /// A Produce answer with this code for the partition that was asked.
  static Reply Refuse(const Request& request, std::int16_t code);

 private:
  static std::vector<std::byte> Bytes(const kafka::WireSlices& slices);
  void Accept();
  void Serve(int socket);
  Reply Metadata(const Request& request);
  Reply Configs(const Request& request);
  Reply Offsets(const Request& request);
  Reply Produce(const Request& request);
  /// Where the server has the batch already, or the code that refuses its number. None: it is the next one.
  std::optional<kafka::ProduceResponse::Partition> Repeated(std::size_t index, std::span<const std::byte> batch)
      MR_REQUIRES(mutex_);
  static Reply Produced(const Request& request, std::string_view name,
                        const kafka::ProduceResponse::Partition& partition);
  Reply Fetch(const Request& request);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  Mutex mutex_;
  std::map<std::int16_t, Handler> handlers_ MR_GUARDED_BY(mutex_);
  std::string durability_ MR_GUARDED_BY(mutex_) = "disk";
  bool numbers_ MR_GUARDED_BY(mutex_) = false;
  std::map<std::int16_t, int> times_ MR_GUARDED_BY(mutex_);
  std::array<std::vector<std::vector<std::byte>>, 2> stored_ MR_GUARDED_BY(mutex_);
  std::array<std::int64_t, 2> ends_ MR_GUARDED_BY(mutex_){};
  std::vector<int> sockets_ MR_GUARDED_BY(mutex_);
  std::vector<std::thread> serving_ MR_GUARDED_BY(mutex_);
  std::atomic<int> ended_ = 0;
  std::thread accepting_;
};

}  // namespace millrace::client
