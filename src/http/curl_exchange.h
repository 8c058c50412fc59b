// One request and its answer on one libcurl easy handle: what is sent, what has come, what went wrong. Included by the
// transport alone; libcurl's own types are kept to the .cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/http_body.h"
#include "http/http_transport.h"

struct curl_slist;

namespace millrace {

struct CurlLimits {
  std::chrono::milliseconds connect_time_max;
  std::chrono::seconds stall_time_max, idle_time_max;
  std::string ca_file;
};

/// Not thread-safe. Callbacks of libcurl point to it: it does not move.
class CurlExchange {
 public:
  CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  /// Sets the handle up for `request`, which outlives the exchange.
  void Prepare(const HttpRequest& request, const CurlLimits& limits);
  /// What came of it, `code` being what libcurl says.
  Result<HttpResponse> Finish(int code);
  [[nodiscard]] void* handle() const { return handle_.get(); }
  [[nodiscard]] std::uint64_t connections() const;

 private:
  static std::size_t OnHeader(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t OnRead(char* bytes, std::size_t size, std::size_t count, void* self);
  static int OnSeek(void* self, std::int64_t offset, int origin);

  void SetMethod(std::uint64_t body_bytes);
  bool SetHeaders();
  bool TakeHeader(std::string_view line);
  bool TakeBody(std::span<const std::byte> bytes);
  Error Failure(int code) const;

  struct EasyClose {
    void operator()(void* handle) const;
  };
  struct ListFree {
    void operator()(curl_slist* list) const;
  };

  const std::unique_ptr<void, EasyClose> handle_;
  std::unique_ptr<curl_slist, ListFree> header_lines_;
  const HttpRequest* request_ = nullptr;
  std::size_t piece_ = 0, within_ = 0;  // of the body: what goes next
  HttpResponse response_;
  std::size_t header_bytes_ = 0;
  std::optional<std::uint64_t> content_length_;
  std::optional<HttpBody> body_;
  char why_[256] = {};  // libcurl's words
};

}  // namespace millrace
