// libcurl, loaded when the first store is reached over HTTP and not when the program begins: it brings thirty libraries
// along, and most commands and servers never speak to one (docs/adr/0054-libcurl-when-it-is-needed.md). Included by the
// transport's .cc files alone.
#pragma once

#include <curl/curl.h>

#include "millrace/result.h"

namespace millrace {

/// What we call of it, under its own names less `curl_`.
struct CurlLibrary {
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

/// Loads it from the shared library `file`, by the system's search path unless it has a slash. It stays until the
/// process ends. kUnavailable: it is not there, or lacks what we call.
Result<CurlLibrary> LoadCurlFrom(const char* file);
/// The one of this process; the first call loads it. Safe from any thread. Precondition: CurlTransport::Available.
const CurlLibrary& Curl();

}  // namespace millrace
