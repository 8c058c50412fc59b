// Which of many connections can be read, for a generator of one thread.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>

#include "bench/harness/suite.h"
#include "bench/wire/wire.h"

namespace millrace::bench {

class Poll {
 public:
  Poll() : descriptor_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~Poll() { close(descriptor_); }
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  void Add(const Wire& wire, std::size_t index) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
    if (epoll_ctl(descriptor_, EPOLL_CTL_ADD, wire.descriptor(), &event) != 0) Die("epoll_ctl");
  }
  /// Their indices, once there are any.
  std::span<const std::size_t> Wait() {
    const int count = epoll_wait(descriptor_, events_.data(), static_cast<int>(events_.size()), -1);
    if (count < 0) Die("epoll_wait");
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) ready_[i] = events_[i].data.u64;
    return {ready_.data(), static_cast<std::size_t>(count)};
  }

 private:
  int descriptor_;
  std::array<epoll_event, 128> events_{};
  std::array<std::size_t, 128> ready_{};
};

}  // namespace millrace::bench
