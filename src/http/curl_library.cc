#include "http/curl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string_view>

#include "base/check.h"
#include "base/try.h"
#include "http/curl_transport.h"

namespace millrace {
namespace {

Error NotLoaded(std::string_view file) {
  const char* const why = ::dlerror();
  return {ErrorCode::kUnavailable,
          fmt::format("{} cannot be loaded, without which no object store is reached over HTTP: {}", file,
                      why == nullptr ? "no reason is known" : why),
          "install libcurl 4 (Debian: libcurl4), or use a store in a local directory"};
}

template <class Function>
Result<void> Find(void* library, std::string_view file, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) return NotLoaded(file);
  return {};
}

/// Never destroyed: connections are closed by objects that may outlive every static one.
const Result<CurlLibrary>& OfThisProcess() {
  static const auto* const loaded = [] {
    auto library = LoadCurlFrom("libcurl.so.4");
    if (library) MR_CHECK(library->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    return new Result<CurlLibrary>(std::move(library));
  }();
  return *loaded;
}

}  // namespace

Result<CurlLibrary> LoadCurlFrom(const char* file) {
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return NotLoaded(file);
  CurlLibrary curl{};
  MR_TRY(Find(library, file, "curl_global_init", curl.global_init));
  MR_TRY(Find(library, file, "curl_easy_init", curl.easy_init));
  MR_TRY(Find(library, file, "curl_easy_cleanup", curl.easy_cleanup));
  MR_TRY(Find(library, file, "curl_easy_reset", curl.easy_reset));
  MR_TRY(Find(library, file, "curl_easy_setopt", curl.easy_setopt));
  MR_TRY(Find(library, file, "curl_easy_getinfo", curl.easy_getinfo));
  MR_TRY(Find(library, file, "curl_easy_strerror", curl.easy_strerror));
  MR_TRY(Find(library, file, "curl_slist_append", curl.slist_append));
  MR_TRY(Find(library, file, "curl_slist_free_all", curl.slist_free_all));
  MR_TRY(Find(library, file, "curl_multi_init", curl.multi_init));
  MR_TRY(Find(library, file, "curl_multi_cleanup", curl.multi_cleanup));
  MR_TRY(Find(library, file, "curl_multi_add_handle", curl.multi_add_handle));
  MR_TRY(Find(library, file, "curl_multi_remove_handle", curl.multi_remove_handle));
  MR_TRY(Find(library, file, "curl_multi_perform", curl.multi_perform));
  MR_TRY(Find(library, file, "curl_multi_poll", curl.multi_poll));
  MR_TRY(Find(library, file, "curl_multi_wakeup", curl.multi_wakeup));
  MR_TRY(Find(library, file, "curl_multi_info_read", curl.multi_info_read));
  return curl;
}

const CurlLibrary& Curl() {
  const auto& library = OfThisProcess();
  MR_CHECK(library.has_value());
  return *library;
}

Result<void> CurlTransport::Available() {
  const auto& library = OfThisProcess();
  if (!library) return library.error();
  return {};
}

}  // namespace millrace
