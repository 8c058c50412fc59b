// Where the body of an answer goes while it arrives: into the parts that were asked for, with no copy after. Memory
// follows what the peer says only as far as was asked, and what arrives where it says nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "http/http_transport.h"
#include "millrace/bytes.h"

namespace millrace {

/// One body. Not thread-safe. `part_lengths` outlives it.
class HttpBody {
 public:
  /// Of an answer with `status` to `request`, which says in `content_length`, if at all, how much comes.
  HttpBody(const HttpRequest& request, int status, std::optional<std::uint64_t> content_length);

  /// Takes what fits. False: there was more than was asked; the rest need not be received.
  bool Take(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t size() const { return received_; }
  [[nodiscard]] bool overlong() const { return overlong_; }
  /// Fills parts, body_bytes and overlong of `response`. The body is done with.
  void Finish(HttpResponse& response);

 private:
  [[nodiscard]] std::uint64_t PartLength() const;
  void ClosePart();
  void Grow(std::uint64_t wanted);

  const bool sized_;
  const std::uint64_t one_part_;
  const std::span<const std::uint64_t> lengths_;
  const std::optional<std::uint64_t> expected_;
  std::vector<SharedBytes> parts_;
  Buffer part_;
  std::uint64_t filled_ = 0;  // of part_
  std::uint64_t received_ = 0;
  bool overlong_ = false;
};

}  // namespace millrace
