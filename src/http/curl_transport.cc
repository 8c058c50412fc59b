#include "http/curl_transport.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/counter.h"
#include "base/deadline.h"
#include "base/mutex.h"
#include "http/curl_exchange.h"
#include "http/curl_library.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kWakeAtLeast{1'000};

// A whole answer that settles a race even if another one is still to come.
bool IsGood(const Result<HttpResponse>& answer) { return answer && answer->status < 500 && answer->status != 429; }

}  // namespace

/// A multi handle with its own connections, and what is sent over it now.
class CurlLane {
 public:
  CurlLane() : multi_(curl::multi_init()) { MR_CHECK(multi_ != nullptr); }
  ~CurlLane() {
    for (Runner& runner : runners_) Cancel(runner);
    curl::multi_cleanup(multi_);
  }
  CurlLane(const CurlLane&) = delete;
  CurlLane& operator=(const CurlLane&) = delete;

  Result<HttpResponse> Run(const HttpRequest& request, const CurlLimits& limits, const HedgePlan* plan,
                           const Clock& clock) {
    const RequestLimits& scope = RequestScope::Current();
    const auto began = clock.Monotonic();
    const auto deadline = std::min(request.deadline.value_or(kNever), scope.deadline);
    // The poll below sleeps on descriptors: a stop has to reach it there.
    const std::stop_callback wake(scope.stop, [this] { curl::multi_wakeup(multi_); });
    Start(runners_[0], request, limits);
    const auto hedge_at = plan == nullptr ? kNever : DeadlineAfter(began, plan->after);
    bool may_hedge = plan != nullptr;
    std::optional<Result<HttpResponse>> answer;
    while (!answer) {
      const auto now = clock.Monotonic();
      if (scope.stop.stop_requested()) {
        answer = Error(ErrorCode::kClosed, fmt::format("{}:{}: no longer waited for", request.host, request.port));
        break;
      }
      if (now >= deadline) {
        const auto took = std::chrono::duration<double>(now - began).count();
        answer = Error(ErrorCode::kTimeout,
                       fmt::format("{}:{}: no whole answer within {:.1f} s", request.host, request.port, took));
        break;
      }
      if (may_hedge && now >= hedge_at) {
        may_hedge = false;
        if (!plan->allowed || plan->allowed()) Start(runners_[1], request, limits);
      }
      Step(WaitFrom(now, std::min(deadline, may_hedge ? hedge_at : kNever)));
      answer = Outcome();
    }
    const bool hedged = runners_[1].used;
    for (Runner& runner : runners_) Cancel(runner);
    if (*answer) (*answer)->hedged = hedged;
    return *std::move(answer);
  }

  [[nodiscard]] std::uint64_t TakeConnections() { return std::exchange(connections_, 0); }

 private:
  struct Runner {
    CurlExchange exchange;
    bool used = false, running = false;
    std::optional<Result<HttpResponse>> answer;
  };

  void Start(Runner& runner, const HttpRequest& request, const CurlLimits& limits) {
    runner.exchange.Prepare(request, limits);
    runner.used = runner.running = true;
    runner.answer.reset();
    MR_CHECK(curl::multi_add_handle(multi_, runner.exchange.handle()) == CURLM_OK);
  }

  // Ends what is still under way, by closing its connection.
  void Cancel(Runner& runner) {
    if (runner.running) {
      connections_ += runner.exchange.connections();
      curl::multi_remove_handle(multi_, runner.exchange.handle());
    }
    runner.used = runner.running = false;
    runner.answer.reset();
  }

  static std::chrono::milliseconds WaitFrom(std::chrono::nanoseconds now, std::chrono::nanoseconds until) {
    if (until == kNever) return kWakeAtLeast;
    return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(until - now), std::chrono::milliseconds(0),
                      kWakeAtLeast);
  }

  void Step(std::chrono::milliseconds wait) {
    int running = 0;
    MR_CHECK(curl::multi_perform(multi_, &running) == CURLM_OK);
    if (!Collect()) {
      MR_CHECK(curl::multi_poll(multi_, static_cast<int>(wait.count())) == CURLM_OK);
    }
  }

  // True: something ended.
  bool Collect() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* const message = curl::multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      for (Runner& runner : runners_) {
        if (runner.exchange.handle() != message->easy_handle) continue;
        const CURLcode code = message->data.result;  // the message dies with the handle's removal
        connections_ += runner.exchange.connections();
        curl::multi_remove_handle(multi_, runner.exchange.handle());
        runner.running = false;
        runner.answer = runner.exchange.Finish(code);
        any = true;
        break;
      }
    }
    return any;
  }

  // The answer of the race, once it is settled.
  std::optional<Result<HttpResponse>> Outcome() {
    for (Runner& runner : runners_) {
      if (!runner.answer || !IsGood(*runner.answer)) continue;
      (*runner.answer)->hedge_won = &runner == &runners_[1];
      return std::move(runner.answer);
    }
    if (runners_[0].running || runners_[1].running) return std::nullopt;
    // Both failed, or the only one: a status says more than a broken connection.
    for (Runner& runner : runners_) {
      if (runner.answer && *runner.answer) return std::move(runner.answer);
    }
    return std::move(runners_[0].answer);
  }

  CURLM* const multi_;
  Runner runners_[2];
  std::uint64_t connections_ = 0;
};

/// Lanes that no call uses now, the warmest last.
class CurlTransport::Lanes {
 public:
  explicit Lanes(std::size_t idle_max) : idle_max_(idle_max) {}

  std::unique_ptr<CurlLane> Take() {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        auto lane = std::move(idle_.back());
        idle_.pop_back();
        return lane;
      }
    }
    return std::make_unique<CurlLane>();
  }

  void GiveBack(std::unique_ptr<CurlLane> lane) {
    connections_.Add(lane->TakeConnections());
    MutexLock lock(mutex_);
    if (idle_.size() < idle_max_) idle_.push_back(std::move(lane));
  }

  [[nodiscard]] std::uint64_t connections() const { return connections_.value(); }

 private:
  const std::size_t idle_max_;
  Counter connections_;
  Mutex mutex_;
  std::vector<std::unique_ptr<CurlLane>> idle_ MR_GUARDED_BY(mutex_);
};

Result<void> CurlTransport::Available() { return curl::Load(); }

CurlTransport::CurlTransport(const Clock& clock, Options options)
    : clock_(clock), options_(options), lanes_(std::make_unique<Lanes>(options.idle_lanes_max)) {}

CurlTransport::~CurlTransport() = default;

std::uint64_t CurlTransport::connections() const { return lanes_->connections(); }

Result<HttpResponse> CurlTransport::Run(const HttpRequest& request, const HedgePlan* plan) {
  auto lane = lanes_->Take();
  const CurlLimits limits{options_.connect_time_max, options_.stall_time_max, options_.idle_time_max, options_.ca_file};
  Result<HttpResponse> answer = lane->Run(request, limits, plan, clock_);
  lanes_->GiveBack(std::move(lane));
  return answer;
}

Result<HttpResponse> CurlTransport::Send(const HttpRequest& request) { return Run(request, nullptr); }

Result<HttpResponse> CurlTransport::Race(const HttpRequest& request, const HedgePlan& plan) {
  return Run(request, &plan);
}

}  // namespace millrace
