#include "client/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/check.h"
#include "base/coding.h"
#include "base/try.h"
#include "kafka/error_codes.h"
#include "kafka/messages/api_versions.h"

namespace millrace::client {
namespace {

constexpr std::size_t kFirstBytes = 64 << 10;  // of a frame, before any of it has come

std::string Shown(kafka::VersionRange range) { return fmt::format("{} to {}", range.first, range.last); }

}  // namespace

Error Connection::Broken(const Error& error) {
  broken_ = true;
  if (error.code() == ErrorCode::kClosed) return error;
  return error.WithContext(address_.Text());
}

Result<std::unique_ptr<Connection>> Connection::Open(const Address& address, const Until& until) {
  MR_ASSIGN_OR_RETURN(Socket socket, Socket::Connect(address, until));
  std::unique_ptr<Connection> connection(new Connection(address, std::move(socket)));
  MR_TRY(connection->AskVersions(until));
  return connection;
}

/// In version 0, which every server answers and whose answer is the same in all of them.
Result<void> Connection::AskVersions(const Until& until) {
  MR_ASSIGN_OR_RETURN(const std::int32_t number, Send(kafka::ApiVersionsRequest{}, 0, until));
  auto asked = ReceiveAnswer<kafka::ApiVersionsResponse>(0, number, until);
  if (!asked) return asked.error().WithHint("Is this the address of a server that speaks Kafka's protocol?");
  const Answer<kafka::ApiVersionsResponse>& answer = *asked;
  if (answer->error_code != 0) return Broken(kafka::ErrorOfCode(answer->error_code, "cannot ask what is served"));
  for (const auto& api : answer->api_keys) served_[api.api_key] = {api.min_version, api.max_version};
  return {};
}

Result<std::int16_t> Connection::Highest(std::int16_t key, std::string_view name, kafka::VersionRange wanted) const {
  const auto found = served_.find(key);
  if (found == served_.end())
    return Error(ErrorCode::kUnsupported, fmt::format("{} does not serve {}", address_.Text(), name));
  const std::int16_t version = std::min(found->second.last, wanted.last);
  if (version >= wanted.first && version >= found->second.first) return version;
  return Error(ErrorCode::kUnsupported, fmt::format("{} serves {} in versions {}, and this program speaks {}",
                                                    address_.Text(), name, Shown(found->second), Shown(wanted)));
}

/// Reads on to `end`, never more, and never asks for much more memory than what has come.
Result<void> Connection::Fill(Buffer& bytes, std::size_t& filled, std::size_t end, const Until& until) {
  while (filled < end) {
    if (filled == bytes.size()) {
      Buffer larger(std::min(end, std::max(kFirstBytes, 2 * filled)));
      std::memcpy(larger.bytes().data(), bytes.bytes().data(), filled);
      bytes = std::move(larger);
    }
    MR_DCHECK(filled < bytes.size() && bytes.size() <= end, filled, bytes.size(), end);
    MR_ASSIGN_OR_RETURN(const std::size_t got, socket_.Read(bytes.bytes().subspan(filled), until));
    filled += got;
  }
  return {};
}

bool Connection::HasEnded() {
  pollfd entry{socket_.descriptor(), POLLIN, 0};
  if (!broken_ && ::poll(&entry, 1, 0) > 0) broken_ = true;
  return broken_;
}

Result<SharedBytes> Connection::Receive(const Until& until) {
  Buffer head(sizeof(std::int32_t));
  std::size_t filled = 0;
  if (auto read = Fill(head, filled, head.size(), until); !read) return Broken(read.error());
  const auto size = GetBe<std::int32_t>(head.bytes().data());
  if (size < 0 || static_cast<std::uint32_t>(size) > kFrameBytesMax) {
    return Broken(Error(ErrorCode::kCorruption,
                        fmt::format("an answer of {} bytes is announced, and {} is the most", size, kFrameBytesMax)));
  }
  const auto end = static_cast<std::size_t>(size);
  Buffer bytes(std::min(end, kFirstBytes));
  filled = 0;
  if (auto read = Fill(bytes, filled, end, until); !read) {
    return Broken(read.error().WithContext(fmt::format("after {} of {} bytes of an answer", filled, end)));
  }
  return std::move(bytes).Freeze();
}

}  // namespace millrace::client
