#include "server/net/socket_driver.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace millrace {
namespace {

// One socket does not hold the turn longer than this.
constexpr std::size_t kReadPerTurn = 2 << 20;
constexpr std::size_t kSlicesPerWrite = 64;
// A client who sends or takes less than this in SocketTimeouts::progress does not move.
constexpr std::size_t kProgressBytes = 64 << 10;

}  // namespace

SocketDriver::SocketDriver(EventLoop& loop, int socket, std::shared_ptr<KafkaConnection> connection,
                           const SocketTimeouts& timeouts, Owner owner)
    : loop_(loop),
      socket_(socket),
      connection_(std::move(connection)),
      timeouts_(timeouts),
      owner_(std::move(owner)),
      readiness_(std::make_unique<Readiness>(loop, socket)),
      accepted_at_(loop.Now()),
      progress_at_(accepted_at_) {}

SocketDriver::~SocketDriver() {
  if (!closed_) {
    readiness_.reset();
    ::close(socket_);
  }
}

void SocketDriver::Begin() {
  if (!readiness_->open()) return CloseNow("the system does not watch its socket");
  connection_->OnEnd([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->paused_ = false;
      self->MarkDirty();
    }
  });
  CheckTime();
  AwaitReadable();
}

void SocketDriver::AwaitReadable() {
  if (closed_ || reading_ || paused_ || !connection_->wants_bytes()) return;
  reading_ = true;
  readiness_->AwaitReadable([self = shared_from_this()] {
    self->reading_ = false;
    self->Read();
  });
}

void SocketDriver::AwaitWritable() {
  if (closed_ || writing_) return;
  writing_ = true;
  readiness_->AwaitWritable([self = shared_from_this()] {
    self->writing_ = false;
    self->MarkDirty();
  });
}

void SocketDriver::AwaitBudget() {
  if (awaits_budget_ || !connection_->awaits_budget()) return;
  awaits_budget_ = true;
  connection_->bytes().budget().AwaitBytes([&loop = loop_, weak = weak_from_this()] {
    loop.Post([weak] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->awaits_budget_ = false;
      self->paused_ = false;
      self->MarkDirty();
    });
  });
}

void SocketDriver::MarkDirty() {
  if (closed_ || dirty_) return;
  dirty_ = true;
  owner_.dirty(shared_from_this());
}

void SocketDriver::NoteRead(std::size_t count) {
  moved_bytes_ += count;
  const bool request = connection_->requests_taken() != requests_seen_;
  if (!request && moved_bytes_ < kProgressBytes) return;
  requests_seen_ = connection_->requests_taken();
  moved_bytes_ = 0;
  progress_at_ = loop_.Now();
}

void SocketDriver::Read() {
  if (closed_) return;
  MarkDirty();
  for (std::size_t total = 0; total < kReadPerTurn && connection_->wants_bytes();) {
    // An empty frame between two reads is where the time of the next frame begins.
    if (!connection_->in_frame()) progress_at_ = loop_.Now();
    const std::span<std::byte> room = connection_->Room();
    if (room.empty()) {
      paused_ = true;
      return;
    }
    const ssize_t count = ::read(socket_, room.data(), room.size());
    if (count == 0) return CloseNow({});
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        connection_->Received(0);
        break;
      }
      return CloseNow({});
    }
    total += static_cast<std::size_t>(count);
    connection_->Received(static_cast<std::size_t>(count));
    NoteRead(static_cast<std::size_t>(count));
    if (static_cast<std::size_t>(count) < room.size()) break;
  }
}

bool SocketDriver::Write() {
  OutboundBytes& out = connection_->outbound();
  while (!out.empty()) {
    std::array<iovec, kSlicesPerWrite> slices;
    msghdr message{};
    message.msg_iov = slices.data();
    message.msg_iovlen = out.Gather(slices);
    const ssize_t count = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        AwaitWritable();
      } else {
        CloseNow({});
      }
      return false;
    }
    out.Written(static_cast<std::size_t>(count));
    moved_bytes_ += static_cast<std::size_t>(count);
    if (!out.empty() && moved_bytes_ < kProgressBytes) continue;
    moved_bytes_ = 0;
    progress_at_ = loop_.Now();
  }
  return true;
}

void SocketDriver::Flush() {
  dirty_ = false;
  while (!closed_) {
    if (!Write()) return;
    paused_ = false;
    connection_->GoOn();
    if (connection_->outbound().empty()) break;
  }
  if (closed_) return;
  if (connection_->over()) return CloseNow(connection_->why_closed());
  AwaitBudget();
  AwaitReadable();
}

void SocketDriver::Drain() {
  if (closed_) return;
  connection_->Drain();
  MarkDirty();
}

void SocketDriver::CloseNow(std::string_view why) {
  if (closed_) return;
  closed_ = true;
  const auto self = shared_from_this();
  loop_.StopTimer(timer_);
  readiness_.reset();
  ::shutdown(socket_, SHUT_WR);
  ::close(socket_);
  owner_.closed(self, why);
  connection_->Abandon();
}

SocketDriver::Limit SocketDriver::NextLimit() const {
  if (!connection_->outbound().empty()) return {progress_at_ + timeouts_.progress, "it does not take its replies"};
  // Until what is in flight has ended it is not the client that is waited for.
  if (connection_->busy() || paused_) return {loop_.Now() + timeouts_.progress, nullptr};
  if (connection_->requests_taken() == 0) return {accepted_at_ + timeouts_.handshake, "no request came"};
  if (connection_->in_frame()) return {progress_at_ + timeouts_.progress, "a request stopped coming"};
  return {progress_at_ + timeouts_.idle, "it was idle"};
}

void SocketDriver::CheckTime() {
  timer_ = 0;
  if (closed_) return;
  const Limit limit = NextLimit();
  if (limit.why != nullptr && limit.at <= loop_.Now()) return CloseNow(limit.why);
  // A state that begins later has a nearer limit than the one it follows.
  const TurnLoop::Time soon = loop_.Now() + std::min({timeouts_.progress, timeouts_.handshake, timeouts_.idle});
  timer_ = loop_.StartTimer(std::min(limit.at, soon), [self = shared_from_this()] { self->CheckTime(); });
}

}  // namespace millrace
