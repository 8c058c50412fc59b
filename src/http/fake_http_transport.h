// A transport for tests: answers come from a function of the test, each request is kept as it was sent. Nothing of the
// product uses it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "http/http_body.h"
#include "http/http_transport.h"
#include "millrace/request_scope.h"

namespace millrace {

/// An answer with a body of text.
struct FakeAnswer {
  int status = 200;
  std::vector<HttpHeader> headers;
  std::string body;
};

/// Safe from any thread.
class FakeHttpTransport final : public HttpTransport {
 public:
  struct Sent {
    HttpMethod method;
    std::string host, target, body;
    std::vector<HttpHeader> headers;
    std::optional<std::chrono::nanoseconds> deadline;
    [[nodiscard]] std::string Header(std::string_view name) const {
      const auto found = std::ranges::find(headers, name, &HttpHeader::name);
      return found == headers.end() ? std::string() : found->value;
    }
  };
  using Answering = std::function<Result<FakeAnswer>(const Sent& request)>;

  explicit FakeHttpTransport(Answering answering) : answering_(std::move(answering)) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    Sent sent{request.method, request.host, request.target, {}, request.headers, request.deadline};
    for (const SharedBytes& piece : request.body) sent.body += AsText(piece);
    {
      MutexLock lock(mutex_);
      sent_.push_back(sent);
    }
    Result<FakeAnswer> answer = answering_(sent);
    if (RequestScope::Current().stop.stop_requested()) return Error(ErrorCode::kClosed, "no longer waited for");
    if (!answer) return answer.error();
    HttpResponse response;
    response.status = answer->status;
    response.headers = answer->headers;
    HttpBody body(request, answer->status, answer->body.size());
    if (request.method != HttpMethod::kHead) (void)body.Take(AsBytes(answer->body));
    body.Finish(response);
    return response;
  }

  /// The first request is the slow one: whether a second is sent is the plan's to say, and the second wins.
  Result<HttpResponse> Race(const HttpRequest& request, const HedgePlan& plan) override {
    {
      MutexLock lock(mutex_);
      hedge_after_.push_back(plan.after);
    }
    auto response = Send(request);
    if (!plan.allowed() || !response) return response;
    response->hedged = response->hedge_won = true;
    return response;
  }

  [[nodiscard]] std::vector<Sent> sent() const {
    MutexLock lock(mutex_);
    return sent_;
  }
  [[nodiscard]] std::vector<std::chrono::nanoseconds> hedge_after() const {
    MutexLock lock(mutex_);
    return hedge_after_;
  }

 private:
  const Answering answering_;
  mutable Mutex mutex_;
  std::vector<Sent> sent_ MR_GUARDED_BY(mutex_);
  std::vector<std::chrono::nanoseconds> hedge_after_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
