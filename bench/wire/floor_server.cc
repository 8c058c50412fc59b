#include "bench/wire/floor_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/coding.h"
#include "bench/harness/raw_disk.h"
#include "bench/harness/suite.h"
#include "bench/wire/wire.h"
#include "millrace/bytes.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kFileBytes = 64 << 20, kReadBytes = 256 << 10;

int Listen(std::uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener, 1024) != 0) {
    Die("the floor cannot listen");
  }
  return listener;
}

void Add(int poll, int descriptor) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) != 0) Die("epoll_ctl");
}

/// Whole frames in `bytes`, which are taken out of it.
std::size_t TakeFrames(std::string& bytes) {
  std::size_t frames = 0, at = 0;
  while (at + 4 <= bytes.size()) {
    const std::size_t end = at + 4 + GetBe<std::uint32_t>(AsBytes(bytes).data() + at);
    if (end > bytes.size()) break;
    at = end;
    ++frames;
  }
  bytes.erase(0, at);
  return frames;
}

}  // namespace

void ServeFloor(std::uint16_t port, const std::filesystem::path& file, std::string_view topic) {
  RecycledFile disk(file, kFileBytes, 1);
  const std::string answer = ProducedAnswer(topic);
  const int listener = Listen(port), poll = epoll_create1(EPOLL_CLOEXEC);
  Add(poll, listener);
  std::map<int, std::string> arriving;
  std::vector<char> buffer(kReadBytes);
  for (std::array<epoll_event, 256> events;;) {
    const int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    std::size_t bytes = 0;
    std::map<int, std::size_t> owed;
    for (int i = 0; i < count; ++i) {
      const int from = events[static_cast<std::size_t>(i)].data.fd;
      if (from == listener) {
        const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        const int on = 1;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Add(poll, accepted);
        continue;
      }
      const ssize_t got = recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got <= 0) {
        close(from);
        arriving.erase(from);
        continue;
      }
      bytes += static_cast<std::size_t>(got);
      arriving[from].append(buffer.data(), static_cast<std::size_t>(got));
      owed[from] += TakeFrames(arriving[from]);
    }
    if (bytes > 0) disk.SyncedOverwrite(bytes);
    for (const auto& [to, answers] : owed) {
      for (std::size_t i = 0; i < answers; ++i) {
        if (send(to, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
      }
    }
  }
}

}  // namespace millrace::bench
