#include "client/socket.h"

#include <errno.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "env/posix_error.h"

namespace millrace::client {
namespace {

std::string InWords(int error_number) { return std::generic_category().message(error_number); }

Error Interrupted() { return Error(ErrorCode::kClosed, "interrupted"); }

int MillisecondsLeft(const Until& until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until.deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

/// Until the descriptor has one of `events`. `descriptor` -1: until the deadline.
Result<void> Await(int descriptor, short events, const Until& until) {
  while (true) {
    std::array<pollfd, 2> entries{pollfd{descriptor, events, 0}, pollfd{until.stop.descriptor(), POLLIN, 0}};
    const int ready = ::poll(entries.data(), entries.size(), MillisecondsLeft(until));
    if (ready < 0 && errno != EINTR) return PosixError(errno, "wait for", "a connection");
    if (ready < 0) continue;
    if (entries[1].revents != 0) return Interrupted();
    if (entries[0].revents != 0) return {};
    if (std::chrono::steady_clock::now() >= until.deadline)
      return Error(ErrorCode::kTimeout, "the other side does not answer in time");
  }
}

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

Result<void> LookUp(const Address& address, Addresses& found) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const int error = ::getaddrinfo(address.host.c_str(), fmt::format("{}", address.port).c_str(), &hints, &found.first);
  if (error == 0) return {};
  return Error(ErrorCode::kUnavailable, fmt::format("cannot connect to {}: {}", address.Text(), ::gai_strerror(error)),
               "Is the name right?")
      .WithRetryable(error == EAI_AGAIN);
}

/// The number of the error, or 0.
Result<int> TryAddress(int descriptor, const addrinfo& to, const Until& until) {
  if (::connect(descriptor, to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  MR_TRY(Await(descriptor, POLLOUT, until));
  int error_number = 0;
  socklen_t size = sizeof error_number;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0) return errno;
  return error_number;
}

}  // namespace

Result<std::unique_ptr<Alarm>> Alarm::Make() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) return PosixError(errno, "make", "a descriptor for wake-ups");
  return std::unique_ptr<Alarm>(new Alarm(descriptor));
}

Alarm::~Alarm() {
  at_stop_.reset();
  ::close(descriptor_);
}

void Alarm::Ring() const {
  const std::uint64_t one = 1;
  (void)!::write(descriptor_, &one, sizeof one);
}

void Alarm::Quiet() const {
  std::uint64_t count = 0;
  (void)!::read(descriptor_, &count, sizeof count);
}

void Alarm::RingAt(std::stop_token stop) {
  at_stop_.emplace(std::move(stop), [this] { Ring(); });
}

Result<void> SleepUntil(const Until& until) {
  auto slept = Await(-1, 0, until);
  if (!slept && slept.error().code() == ErrorCode::kTimeout) return {};
  return slept;
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Result<Socket> Socket::Connect(const Address& address, const Until& until) {
  Addresses found;
  MR_TRY(LookUp(address, found));
  int error_number = 0;
  for (const addrinfo* one = found.first; one != nullptr; one = one->ai_next) {
    Socket socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.descriptor_ < 0) {
      error_number = errno;
      if (error_number == EMFILE || error_number == ENFILE) return PosixError(error_number, "make", "a connection");
      continue;
    }
    auto tried = TryAddress(socket.descriptor_, *one, until);
    if (!tried) return tried.error().WithContext(fmt::format("cannot connect to {}", address.Text()));
    error_number = *tried;
    if (error_number != 0) continue;
    const int yes = 1;  // requests are whole when they are written
    (void)::setsockopt(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return socket;
  }
  return Error(ErrorCode::kUnavailable, fmt::format("cannot connect to {}: {}", address.Text(), InWords(error_number)),
               "Is `millrace serve` running?");
}

Result<void> Socket::Write(std::span<const SharedBytes> slices, const Until& until) {
  std::vector<iovec> parts;
  for (const SharedBytes& slice : slices) {
    if (!slice.empty()) parts.push_back({const_cast<std::byte*>(slice.data()), slice.size()});
  }
  std::span<iovec> left(parts);
  while (!left.empty()) {
    msghdr message{};
    message.msg_iov = left.data();
    message.msg_iovlen = std::min<std::size_t>(left.size(), 64);
    const ssize_t written = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      MR_TRY(Await(descriptor_, POLLOUT, until));
      continue;
    }
    if (written < 0) return Error(ErrorCode::kUnavailable, fmt::format("the connection broke: {}", InWords(errno)));
    for (auto rest = static_cast<std::size_t>(written); !left.empty(); left = left.subspan(1)) {
      const std::size_t taken = std::min(rest, left.front().iov_len);
      left.front().iov_base = static_cast<std::byte*>(left.front().iov_base) + taken;
      left.front().iov_len -= taken;
      rest -= taken;
      if (left.front().iov_len > 0) break;
    }
  }
  return {};
}

Result<std::size_t> Socket::Read(std::span<std::byte> into, const Until& until) {
  MR_DCHECK(!into.empty());
  while (true) {
    const ssize_t got = ::recv(descriptor_, into.data(), into.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return Error(ErrorCode::kUnavailable, "the server closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return Error(ErrorCode::kUnavailable, fmt::format("the connection broke: {}", InWords(errno)));
    MR_TRY(Await(descriptor_, POLLIN, until));
  }
}

}  // namespace millrace::client
