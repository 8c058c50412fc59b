#include "test/s3/sim_s3_connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kHeadBytesMax = 64 << 10;
constexpr std::uint64_t kBodyBytesMax = 5ULL << 30;  // of one put, as S3
constexpr std::uint64_t kPacedBytesMin = 16 << 10;
constexpr std::uint64_t kPacesPerSecond = 500;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string_view NextLine(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

SimS3Request::Words ParseHeaders(std::string_view lines) {
  SimS3Request::Words headers;
  while (!lines.empty()) {
    const std::string_view line = NextLine(lines);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](unsigned char character) { return std::tolower(character); });
    headers.insert_or_assign(std::move(name), std::string(Trimmed(line.substr(colon + 1))));
  }
  return headers;
}

nanoseconds TimeOf(std::uint64_t bytes, std::uint64_t bytes_per_second) {
  return nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second)));
}

}  // namespace

std::optional<SimS3Request> SimS3Connection::Receive() {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (unread_.size() > kHeadBytesMax || !ReadMore()) return std::nullopt;
  }
  const std::string head = unread_.substr(0, end);
  unread_.erase(0, end + 4);
  std::string_view rest = head;
  const std::string_view first = NextLine(rest);
  const std::size_t method_end = first.find(' '), target_end = first.rfind(' ');
  if (method_end == std::string_view::npos || target_end <= method_end) return std::nullopt;
  SimS3Request::Words headers = ParseHeaders(rest);
  std::uint64_t length = 0;
  if (const auto found = headers.find("content-length"); found != headers.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), length);
  }
  SharedBytes body;
  if (length > kBodyBytesMax || !ReceiveBody(length, headers.contains("expect"), &body)) return std::nullopt;
  auto request =
      SimS3Request::Parse(first.substr(0, method_end), first.substr(method_end + 1, target_end - method_end - 1),
                          std::move(headers), std::move(body));
  return request ? std::optional(*std::move(request)) : std::nullopt;
}

bool SimS3Connection::ReadMore() {
  char buffer[16 << 10];
  const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  unread_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

bool SimS3Connection::ReceiveBody(std::uint64_t length, bool expects_continue, SharedBytes* body) {
  if (length == 0) return true;
  if (expects_continue && !WriteAll(kContinue, {})) return false;
  Buffer buffer(length);
  std::span<std::byte> rest = buffer.bytes();
  const std::size_t known = std::min(unread_.size(), rest.size());
  std::memcpy(rest.data(), unread_.data(), known);
  unread_.erase(0, known);
  rest = rest.subspan(known);
  while (!rest.empty()) {
    const ssize_t got = ::recv(socket_, rest.data(), rest.size(), 0);
    if (got <= 0) return false;
    rest = rest.subspan(static_cast<std::size_t>(got));
  }
  *body = std::move(buffer).Freeze();
  return true;
}

bool SimS3Connection::Send(const SimS3Request& request, const SimS3Reply& reply) {
  const nanoseconds upload =
      reply.bytes_per_second == 0 ? nanoseconds(0) : TimeOf(request.body.size(), reply.bytes_per_second);
  if (!WaitUntil(std::chrono::steady_clock::now() + upload + reply.first_byte)) return false;
  if (reply.ending == SimS3Ending::kResetBeforeReply) return false;
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", reply.status, HttpReason(reply.status));
  for (const auto& [name, value] : reply.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (reply.status != 204) head += fmt::format("content-length: {}\r\n", reply.content_length);
  head += "\r\n";
  const bool paced = reply.bytes_per_second > 0 || reply.stall > nanoseconds(0);
  const bool sent = paced ? WriteAll(head, {}) && WritePaced(reply.body, reply.bytes_per_second, reply.stall)
                          : WriteAll(head, reply.body);
  return sent && reply.ending == SimS3Ending::kComplete;
}

bool SimS3Connection::WriteAll(std::string_view head, std::span<const std::byte> body) {
  while (!head.empty() || !body.empty()) {
    iovec pieces[] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<std::byte*>(body.data()), body.size()}};
    const msghdr message{.msg_iov = pieces, .msg_iovlen = 2};
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    const std::size_t of_head = std::min(head.size(), static_cast<std::size_t>(sent));
    head.remove_prefix(of_head);
    body = body.subspan(static_cast<std::size_t>(sent) - of_head);
  }
  return true;
}

bool SimS3Connection::WritePaced(std::span<const std::byte> body, std::uint64_t bytes_per_second, nanoseconds stall) {
  const std::uint64_t pace =
      bytes_per_second == 0 ? body.size() : std::max(kPacedBytesMin, bytes_per_second / kPacesPerSecond);
  auto start = std::chrono::steady_clock::now();
  std::uint64_t sent = 0;
  bool stalled = stall == nanoseconds(0);
  while (sent < body.size()) {
    std::uint64_t end = std::min<std::uint64_t>(sent + pace, body.size());
    if (!stalled) end = std::min<std::uint64_t>(end, (body.size() + 1) / 2);
    if (bytes_per_second > 0 && !WaitUntil(start + TimeOf(end, bytes_per_second))) return false;
    if (!WriteAll({}, body.subspan(sent, end - sent))) return false;
    sent = end;
    if (!stalled && sent >= (body.size() + 1) / 2) {
      stalled = true;
      start += stall;
      if (!WaitUntil(std::chrono::steady_clock::now() + stall)) return false;
    }
  }
  return true;
}

bool SimS3Connection::WaitUntil(Time time) {
  for (;;) {
    const auto left = std::chrono::duration_cast<nanoseconds>(time - std::chrono::steady_clock::now());
    if (left <= nanoseconds(0)) return true;
    const timespec timeout{.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
    pollfd stop{.fd = stop_event_, .events = POLLIN, .revents = 0};
    if (::ppoll(&stop, 1, &timeout, nullptr) > 0) return false;
  }
}

}  // namespace millrace
