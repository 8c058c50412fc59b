// libcurl, loaded when the first store is reached over HTTP and not when the program begins: it brings many libraries
// along, and most commands and servers never speak to a far store (docs/adr/0054-libcurl-when-it-is-needed.md). Its
// functions under their names less `curl_`, with plain types for its enums and handles. Included by the transport's .cc
// files alone.
#pragma once

#include <cstdint>
#include <string>

#include "millrace/result.h"

struct curl_slist;
struct CURLMsg;

namespace millrace::curl {

inline constexpr const char* kFile = "libcurl.so.4";

/// Loads it for this process, where it stays. Before anything else here is called. Safe from any thread. kUnavailable,
/// with what to install: it is not there, or lacks what we call.
Result<void> Load(const std::string& file = kFile);

void* easy_init();
void easy_cleanup(void* easy);
void easy_reset(void* easy);
void easy_setopt(void* easy, int option, long value);
void easy_setopt(void* easy, int option, const void* value);
/// Of a function: libcurl calls it.
template <class Answer, class... Arguments>
void easy_setopt(void* easy, int option, Answer (*call)(Arguments...)) {
  easy_setopt(easy, option, reinterpret_cast<const void*>(call));
}
void easy_getinfo(void* easy, int info, long* value);
const char* easy_strerror(int code);

curl_slist* slist_append(curl_slist* list, const char* line);
void slist_free_all(curl_slist* list);

// These return a CURLMcode.
void* multi_init();
void multi_cleanup(void* multi);
int multi_add_handle(void* multi, void* easy);
int multi_remove_handle(void* multi, void* easy);
int multi_perform(void* multi, int* running);
int multi_poll(void* multi, int timeout_ms);
int multi_wakeup(void* multi);
CURLMsg* multi_info_read(void* multi, int* left);

}  // namespace millrace::curl
