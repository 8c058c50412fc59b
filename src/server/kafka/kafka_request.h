// One request on its way through the server: the frame it lies in, what its header says, and the one end it comes to.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/check.h"
#include "kafka/arena.h"
#include "kafka/wire_writer.h"
#include "server/kafka/frame_pool.h"
#include "server/turn_loop.h"

namespace millrace {

/// What a client told about itself: for the log, and for nothing else.
struct KafkaClient {
  std::string peer;      // address and port
  std::string software;  // name and version, from ApiVersions v3 on
};

/// What a request needs of the connection it came by. Of the loop's thread.
class RequestOwner {
 public:
  virtual ~RequestOwner() = default;
  /// One of its requests came to its end, or to where the next one may overlap it.
  virtual void RequestChanged() = 0;
  /// What its fetches keep from one to the next.
  [[nodiscard]] virtual std::shared_ptr<void>& fetch_state() = 0;
  [[nodiscard]] virtual TurnLoop& loop() = 0;
  [[nodiscard]] virtual KafkaClient& client() = 0;
};

/// Why a request that waits shall end its wait. kServerStops: answer now, with what there is. kPeerGone: no reply goes
/// anywhere any more.
enum class WaitEnd { kServerStops, kPeerGone };

/// Of the loop's thread; what works for it elsewhere hands it back by `loop().Post`. Ends exactly once.
class KafkaRequest {
 public:
  KafkaRequest(std::shared_ptr<RequestOwner> owner, FrameMemory frame)
      : frame_(std::move(frame)), owner_(std::move(owner)) {}
  KafkaRequest(const KafkaRequest&) = delete;
  KafkaRequest& operator=(const KafkaRequest&) = delete;

  // Set from its header, before a handler sees it.
  std::int16_t api_key = 0, api_version = 0;
  std::int32_t correlation_id = 0;
  std::string client_id;  // cut to what a log line can bear
  std::span<const std::byte> body;
  kafka::Arena arena;  // of the decoded request, and of its reply

  [[nodiscard]] const FrameMemory& frame() const { return frame_; }
  [[nodiscard]] TurnLoop& loop() { return owner_->loop(); }
  [[nodiscard]] KafkaClient& client() { return owner_->client(); }
  [[nodiscard]] std::shared_ptr<void>& fetch_state() { return owner_->fetch_state(); }

  /// Of a Produce request whose batches have their place in the log: the next Produce request may be handled.
  void LetOverlap() {
    overlaps_ = true;
    owner_->RequestChanged();
  }
  [[nodiscard]] bool overlaps() const { return overlaps_; }

  enum class End { kOpen, kReply, kNoReply, kClose };
  [[nodiscard]] End end() const { return end_; }
  /// Its answer, head included.
  void Reply(kafka::WireSlices slices) { Finish(End::kReply, std::move(slices), {}); }
  /// It asked for no answer, and all went well.
  void EndWithoutReply() { Finish(End::kNoReply, {}, {}); }
  /// There is no answer to it: the connection is closed after the replies before it. `why` goes to the log.
  void EndByClosing(std::string why) { Finish(End::kClose, {}, std::move(why)); }

  /// `end` is called when the wait shall end before what is waited for comes; not once the request has ended.
  void Wait(std::move_only_function<void(WaitEnd)> end) { end_wait_ = std::move(end); }
  void EndWait(WaitEnd why) {
    if (auto end = std::exchange(end_wait_, nullptr)) end(why);
  }

  [[nodiscard]] kafka::WireSlices TakeReply() { return std::move(reply_); }
  [[nodiscard]] const std::string& why_closed() const { return why_closed_; }

 private:
  void Finish(End end, kafka::WireSlices slices, std::string why) {
    MR_CHECK(end_ == End::kOpen, static_cast<int>(end_), api_key);
    end_ = end;
    reply_ = std::move(slices);
    why_closed_ = std::move(why);
    end_wait_ = nullptr;
    // It may be the last to hold the owner, and the owner the last to hold this.
    const std::shared_ptr<RequestOwner> owner = std::move(owner_);
    owner->RequestChanged();
  }

  const FrameMemory frame_;
  std::shared_ptr<RequestOwner> owner_;
  End end_ = End::kOpen;
  bool overlaps_ = false;
  kafka::WireSlices reply_;
  std::string why_closed_;
  std::move_only_function<void(WaitEnd)> end_wait_;
};

}  // namespace millrace
