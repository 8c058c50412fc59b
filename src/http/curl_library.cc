#include "http/curl_library.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include "base/check.h"
#include "base/try.h"

namespace millrace::curl {
namespace {

struct Library {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_cleanup) multi_cleanup;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_perform) multi_perform;
  decltype(&curl_multi_poll) multi_poll;
  decltype(&curl_multi_wakeup) multi_wakeup;
  decltype(&curl_multi_info_read) multi_info_read;
};

Error NotLoaded(const std::string& file) {
  const char* const why = ::dlerror();
  return {ErrorCode::kUnavailable,
          fmt::format("{} cannot be loaded, without which no object store is reached over HTTP: {}", file,
                      why == nullptr ? "no reason is known" : why),
          "install libcurl 4 (Debian: libcurl4), or use a store in a local directory"};
}

template <class Function>
Result<void> Find(void* library, const std::string& file, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) return NotLoaded(file);
  return {};
}

Result<Library> LoadFrom(const std::string& file) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return NotLoaded(file);
  Library found{};
  MR_TRY(Find(library, file, "curl_global_init", found.global_init));
  MR_TRY(Find(library, file, "curl_easy_init", found.easy_init));
  MR_TRY(Find(library, file, "curl_easy_cleanup", found.easy_cleanup));
  MR_TRY(Find(library, file, "curl_easy_reset", found.easy_reset));
  MR_TRY(Find(library, file, "curl_easy_setopt", found.easy_setopt));
  MR_TRY(Find(library, file, "curl_easy_getinfo", found.easy_getinfo));
  MR_TRY(Find(library, file, "curl_easy_strerror", found.easy_strerror));
  MR_TRY(Find(library, file, "curl_slist_append", found.slist_append));
  MR_TRY(Find(library, file, "curl_slist_free_all", found.slist_free_all));
  MR_TRY(Find(library, file, "curl_multi_init", found.multi_init));
  MR_TRY(Find(library, file, "curl_multi_cleanup", found.multi_cleanup));
  MR_TRY(Find(library, file, "curl_multi_add_handle", found.multi_add_handle));
  MR_TRY(Find(library, file, "curl_multi_remove_handle", found.multi_remove_handle));
  MR_TRY(Find(library, file, "curl_multi_perform", found.multi_perform));
  MR_TRY(Find(library, file, "curl_multi_poll", found.multi_poll));
  MR_TRY(Find(library, file, "curl_multi_wakeup", found.multi_wakeup));
  MR_TRY(Find(library, file, "curl_multi_info_read", found.multi_info_read));
  return found;
}

/// Never destroyed: connections are closed by objects that may outlive every static one.
const Library& Curl() {
  static const auto* const curl = [] {
    auto loaded = LoadFrom(kFile);
    MR_CHECK(loaded.has_value());
    MR_CHECK(loaded->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    return new Library(*loaded);
  }();
  return *curl;
}

}  // namespace

Result<void> Load(const std::string& file) {
  MR_TRY(LoadFrom(file));
  return {};
}

void* easy_init() { return Curl().easy_init(); }
void easy_cleanup(void* easy) { Curl().easy_cleanup(easy); }
void easy_reset(void* easy) { Curl().easy_reset(easy); }
void easy_setopt(void* easy, int option, long value) {
  Curl().easy_setopt(easy, static_cast<CURLoption>(option), value);
}
void easy_setopt(void* easy, int option, const void* value) {
  Curl().easy_setopt(easy, static_cast<CURLoption>(option), value);
}
void easy_getinfo(void* easy, int info, long* value) { Curl().easy_getinfo(easy, static_cast<CURLINFO>(info), value); }
const char* easy_strerror(int code) { return Curl().easy_strerror(static_cast<CURLcode>(code)); }

curl_slist* slist_append(curl_slist* list, const char* line) { return Curl().slist_append(list, line); }
void slist_free_all(curl_slist* list) { Curl().slist_free_all(list); }

void* multi_init() { return Curl().multi_init(); }
void multi_cleanup(void* multi) { Curl().multi_cleanup(multi); }
int multi_add_handle(void* multi, void* easy) { return Curl().multi_add_handle(multi, easy); }
int multi_remove_handle(void* multi, void* easy) { return Curl().multi_remove_handle(multi, easy); }
int multi_perform(void* multi, int* running) { return Curl().multi_perform(multi, running); }
int multi_poll(void* multi, int timeout_ms) { return Curl().multi_poll(multi, nullptr, 0, timeout_ms, nullptr); }
int multi_wakeup(void* multi) { return Curl().multi_wakeup(multi); }
CURLMsg* multi_info_read(void* multi, int* left) { return Curl().multi_info_read(multi, left); }

}  // namespace millrace::curl
