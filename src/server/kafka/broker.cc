#include "server/kafka/broker.h"

#include <algorithm>
#include <utility>

#include "millrace/request_scope.h"

namespace millrace {

Broker::Broker(const Parts& parts, BrokerSettings settings, Tell tell)
    : parts_(parts),
      settings_(std::move(settings)),
      tell_(std::move(tell)),
      turn_(parts_.log, [&loop = parts_.loop](TurnLoop::Task task) { loop.Post(std::move(task)); }, {}),
      sessions_({.sessions_max = settings_.fetch_sessions_max}, parts_.session_bytes, random_) {}

std::shared_ptr<const MetadataImage> Broker::image() {
  if (image_ == nullptr || !parts_.log.IsCurrent(*image_)) image_ = parts_.log.image();
  return image_;
}

bool Broker::Commit() {
  if (!std::exchange(staged_, false)) return false;
  turn_.Commit();
  return true;
}

void Broker::Submit(Pool pool, std::move_only_function<void()> task) {
  ThreadPool& threads = pool == Pool::kAdmin ? parts_.admin : parts_.cold;
  // Its queue has a place for every connection, and a connection submits one thing at a time.
  [[maybe_unused]] const auto closed = threads.TrySubmit([task = std::move(task)](const std::stop_token& stop) mutable {
    // A wait for the store ends when the server does.
    const RequestScope scope({.stop = stop});
    task();
  });
}

std::string_view Keep(kafka::Arena& arena, std::string_view text) {
  const std::span<char> kept = arena.New<char>(text.size());
  std::ranges::copy(text, kept.begin());
  return {kept.data(), kept.size()};
}

}  // namespace millrace
