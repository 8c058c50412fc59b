#include "http/curl_exchange.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "http/content_range.h"
#include "http/curl_library.h"

namespace millrace {
namespace {

constexpr std::size_t kHeaderBytesMax = 64 << 10;
constexpr long kReceiveBytes = 256 << 10;
constexpr long kSendBytes = 256 << 10;

// A connection over a long fat pipe wants the usual congestion control, whatever the machine's default; where the
// kernel has none of that name, its default does.
int OnSocket(void*, curl_socket_t socket, curlsocktype) {
  constexpr char kCubic[] = "cubic";
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, kCubic, sizeof(kCubic) - 1);
  return CURL_SOCKOPT_OK;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

std::string UrlOf(const HttpRequest& request) {
  const bool numeric6 = request.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}{}", request.tls ? "https" : "http", numeric6 ? "[" : "", request.host,
                     numeric6 ? "]" : "", request.port, request.target);
}

}  // namespace

static_assert(sizeof(curl_off_t) == sizeof(std::int64_t));

void CurlExchange::EasyClose::operator()(void* handle) const { curl::easy_cleanup(handle); }

void CurlExchange::ListFree::operator()(curl_slist* list) const { curl::slist_free_all(list); }

CurlExchange::CurlExchange() : handle_(curl::easy_init()) { MR_CHECK(handle_ != nullptr); }

void CurlExchange::Prepare(const HttpRequest& request, const CurlLimits& limits) {
  request_ = &request;
  piece_ = within_ = header_bytes_ = 0;
  response_ = {};
  content_length_.reset();
  body_.reset();
  why_[0] = '\0';
  curl::easy_reset(handle_.get());  // keeps connections
  const auto set = [easy = handle_.get()](int option, auto value) { curl::easy_setopt(easy, option, value); };
  set(CURLOPT_NOSIGNAL, 1L);
  static_assert(sizeof(why_) >= CURL_ERROR_SIZE);
  set(CURLOPT_ERRORBUFFER, why_);
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PROXY, "");
  set(CURLOPT_URL, UrlOf(request).c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_SOCKOPTFUNCTION, &OnSocket);
  set(CURLOPT_BUFFERSIZE, kReceiveBytes);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_time_max.value_or(limits.connect_time_max).count()));
  set(CURLOPT_LOW_SPEED_LIMIT, 1024L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall_time_max.count()));
  set(CURLOPT_MAXAGE_CONN, static_cast<long>(limits.idle_time_max.count()));
  if (!limits.ca_file.empty()) set(CURLOPT_CAINFO, limits.ca_file.c_str());
#if LIBCURL_VERSION_NUM >= 0x075700
  // A caller that waits no longer does not wait for the resolver either.
  set(CURLOPT_QUICK_EXIT, 1L);
#endif
  set(CURLOPT_HEADERFUNCTION, &CurlExchange::OnHeader);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &CurlExchange::OnBody);
  set(CURLOPT_WRITEDATA, this);
  MR_CHECK(SetHeaders());
  SetMethod(request.body_bytes());
}

void CurlExchange::SetMethod(std::uint64_t body_bytes) {
  const auto set = [easy = handle_.get()](int option, auto value) { curl::easy_setopt(easy, option, value); };
  const HttpMethod method = request_->method;
  if (method == HttpMethod::kGet) {
    set(CURLOPT_HTTPGET, 1L);
  } else if (method == HttpMethod::kHead) {
    set(CURLOPT_NOBODY, 1L);
  } else if (method == HttpMethod::kDelete) {
    set(CURLOPT_CUSTOMREQUEST, "DELETE");
  } else {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_CUSTOMREQUEST, std::string(HttpMethodName(method)).c_str());
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_bytes));
    set(CURLOPT_UPLOAD_BUFFERSIZE, kSendBytes);
    set(CURLOPT_READFUNCTION, &CurlExchange::OnRead);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &CurlExchange::OnSeek);
    set(CURLOPT_SEEKDATA, this);
  }
}

bool CurlExchange::SetHeaders() {
  curl_slist* list = nullptr;
  const auto append = [&list](const std::string& line) {
    curl_slist* const longer = curl::slist_append(list, line.c_str());
    if (longer != nullptr) list = longer;
    return longer != nullptr;
  };
  // What libcurl would add by itself and no signature covers: an accept, and a wait for 100 before a body.
  bool all = append("accept:") && append("expect:");
  for (const HttpHeader& header : request_->headers) {
    all = all && append(header.value.empty() ? header.name + ';' : header.name + ": " + header.value);
  }
  header_lines_.reset(list);
  curl::easy_setopt(handle_.get(), CURLOPT_HTTPHEADER, list);
  return all;
}

std::size_t CurlExchange::OnHeader(char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::size_t length = size * count;
  return static_cast<CurlExchange*>(self)->TakeHeader({bytes, length}) ? length : 0;
}

bool CurlExchange::TakeHeader(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kHeaderBytesMax) return false;
  if (line.starts_with("HTTP/")) {  // an answer begins, the final one or a 100 before it
    response_.headers.clear();
    content_length_.reset();
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return false;
    const auto status = ParseCount(Trimmed(line.substr(space + 1, 3)));
    if (!status || *status < 100 || *status > 999) return false;
    response_.status = static_cast<int>(*status);
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  HttpHeader header{std::string(Trimmed(line.substr(0, colon))), std::string(Trimmed(line.substr(colon + 1)))};
  std::ranges::transform(header.name, header.name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (header.name == "content-length") content_length_ = ParseCount(header.value);
  response_.headers.push_back(std::move(header));
  return true;
}

std::size_t CurlExchange::OnBody(char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::size_t length = size * count;
  return static_cast<CurlExchange*>(self)->TakeBody(std::as_bytes(std::span(bytes, length))) ? length : 0;
}

bool CurlExchange::TakeBody(std::span<const std::byte> bytes) {
  if (!body_) body_.emplace(*request_, response_.status, content_length_);
  return body_->Take(bytes);
}

std::size_t CurlExchange::OnRead(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  const std::span<const SharedBytes> pieces = exchange.request_->body;
  std::size_t room = size * count, filled = 0;
  while (room > 0 && exchange.piece_ < pieces.size()) {
    const SharedBytes& piece = pieces[exchange.piece_];
    const std::size_t taken = std::min(room, piece.size() - exchange.within_);
    if (taken > 0) std::memcpy(bytes + filled, piece.data() + exchange.within_, taken);
    filled += taken;
    room -= taken;
    exchange.within_ += taken;
    if (exchange.within_ < piece.size()) break;
    ++exchange.piece_;
    exchange.within_ = 0;
  }
  return filled;
}

int CurlExchange::OnSeek(void* self, std::int64_t offset, int origin) {
  // A kept connection turned out to be closed: the body is sent again from its start.
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_FAIL;
  auto& exchange = *static_cast<CurlExchange*>(self);
  exchange.piece_ = exchange.within_ = 0;
  return CURL_SEEKFUNC_OK;
}

std::uint64_t CurlExchange::connections() const {
  long opened = 0;
  curl::easy_getinfo(handle_.get(), CURLINFO_NUM_CONNECTS, &opened);
  return static_cast<std::uint64_t>(opened);
}

Error CurlExchange::Failure(int code) const {
  const char* const why = why_[0] != '\0' ? why_ : curl::easy_strerror(code);
  std::string text = fmt::format("{}:{}: {}", request_->host, request_->port, why);
  // libcurl says that it could not connect; the system knows why.
  long system_error = 0;
  curl::easy_getinfo(handle_.get(), CURLINFO_OS_ERRNO, &system_error);
  const bool of_socket = code == CURLE_COULDNT_CONNECT || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
  if (of_socket && system_error != 0) {
    text += fmt::format(" ({})", ::strerrordesc_np(static_cast<int>(system_error)));
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorCode::kTimeout, text};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return {ErrorCode::kInvalidArgument, text,
              "Install the authority that signed its certificate, or name its file: AWS_CA_BUNDLE, SSL_CERT_FILE or "
              "ca= in the URL; or use http:// where that is meant"};
    default:
      return {ErrorCode::kUnavailable, text};
  }
}

Result<HttpResponse> CurlExchange::Finish(int code) {
  const bool enough = body_ && body_->overlong();  // we stopped it ourselves
  if (code != CURLE_OK && !enough) return Failure(code);
  if (response_.status == 0) return Failure(CURLE_WEIRD_SERVER_REPLY);
  if (!body_) body_.emplace(*request_, response_.status, content_length_);
  body_->Finish(response_);
  body_.reset();
  return std::move(response_);
}

}  // namespace millrace
