#include "server/server_loop.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "base/try.h"
#include "env/start_thread.h"
#include "server/kafka/dispatch.h"

namespace millrace {
namespace {

// A flush may let the next requests in, whose appends want a commit and a flush of their own.
constexpr int kRoundsPerTurn = 16;

/// Of text that came from outside: what a terminal or a log would take for more than text becomes a question mark.
std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<ServerLoop>> ServerLoop::Start(const SharedByLoops& shared, std::unique_ptr<EventLoop> events) {
  std::unique_ptr<ServerLoop> loop(new ServerLoop(shared, std::move(events)));
  MR_ASSIGN_OR_RETURN(loop->thread_, StartThread([raw = loop.get()](const std::stop_token&) { raw->events_->Run(); }));
  return loop;
}

ServerLoop::ServerLoop(const SharedByLoops& shared, std::unique_ptr<EventLoop> events)
    : shared_(shared),
      events_(std::move(events)),
      broker_(std::make_unique<Broker>(Broker::Parts{.engine = shared.engine,
                                                     .log = shared.log,
                                                     .loop = *events_,
                                                     .admin = shared.admin,
                                                     .cold = shared.cold,
                                                     .cold_bytes = shared.cold_bytes,
                                                     .session_bytes = shared.session_bytes,
                                                     .groups = shared.groups},
                                       shared.broker, shared.tell)) {
  events_->OnTurnEnd([this] { EndTurn(); });
  events_->GatherWhile([this] { return broker_->staged(); });  // one sync for all of them
}

ServerLoop::~ServerLoop() { Close(); }

void ServerLoop::Serve(int socket, std::string host, std::string peer) {
  events_->Post([this, socket, host = std::move(host), peer = std::move(peer)]() mutable {
    Begin(socket, host, std::move(peer));
  });
}

void ServerLoop::Begin(int socket, const std::string& host, std::string peer) {
  if (draining_) {
    ::close(socket);
    shared_.counts.Leave(host);
    return;
  }
  const int on = 1;
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  auto connection = std::make_shared<KafkaConnection>(
      *events_, shared_.frames, shared_.in_flight, shared_.connection,
      [this](const RequestRef& request) { HandleRequest(*broker_, request); }, std::move(peer));
  auto driver = std::make_shared<SocketDriver>(
      *events_, socket, std::move(connection), shared_.timeouts,
      SocketDriver::Owner{.dirty = [this](const std::shared_ptr<SocketDriver>& one) { dirty_.push_back(one); },
                          .closed = [this](const std::shared_ptr<SocketDriver>& one,
                                           std::string_view why) { Closed(one.get(), why); }});
  served_.emplace(driver.get(), Served{driver, host});
  driver->Begin();
}

void ServerLoop::Closed(const SocketDriver* driver, std::string_view why) {
  const auto place = served_.find(driver);
  if (place == served_.end()) return;
  if (!why.empty()) {
    const KafkaClient& client = place->second.driver->connection().client();
    shared_.tell(fmt::format("closed {}{}{}: {}", client.peer, client.software.empty() ? "" : " ",
                             Printable(client.software), Printable(why)));
  }
  shared_.counts.Leave(place->second.host);
  served_.erase(place);
  if (draining_ && served_.empty() && empty_) std::exchange(empty_, nullptr)();
}

void ServerLoop::EndTurn() {
  for (int round = 0; round < kRoundsPerTurn; ++round) {
    const bool committed = broker_->Commit();
    if (!committed && dirty_.empty()) return;
    for (const auto& driver : std::exchange(dirty_, {})) driver->Flush();
  }
  events_->Post([] {});  // the rest belongs to the next turn, which shall not wait
}

void ServerLoop::Listen(int socket, std::function<void(int socket, const SocketAddress& peer)> accepted) {
  events_->Post([this, socket, accepted = std::move(accepted)]() mutable {
    listeners_.push_back(std::make_unique<Listener>(*events_, socket, std::move(accepted), shared_.tell));
  });
}

void ServerLoop::Drain(std::function<void()> empty) {
  events_->Post([this, empty = std::move(empty)]() mutable {
    draining_ = true;
    listeners_.clear();
    empty_ = std::move(empty);
    std::vector<std::shared_ptr<SocketDriver>> drivers;
    for (const auto& [key, served] : served_) drivers.push_back(served.driver);
    for (const auto& driver : drivers) driver->Drain();
    if (served_.empty() && empty_) std::exchange(empty_, nullptr)();
  });
}

void ServerLoop::CloseConnections() {
  events_->Post([this] {
    std::vector<std::shared_ptr<SocketDriver>> drivers;
    for (const auto& [key, served] : served_) drivers.push_back(served.driver);
    for (const auto& driver : drivers) driver->CloseNow("the server stopped before its request was done");
  });
}

void ServerLoop::Close() {
  if (!thread_.joinable()) return;
  events_->Stop();
  thread_.join();
  listeners_.clear();
  dirty_.clear();
  for (auto place = served_.begin(); place != served_.end(); place = served_.begin()) {
    const auto driver = place->second.driver;
    driver->CloseNow({});
  }
  // Appends that were not told are dropped: the connections they were for are gone.
  broker_.reset();
}

}  // namespace millrace
