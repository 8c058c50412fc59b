// MILLRACE_EXPORT marks what the shared library shows; everything else is hidden.
#pragma once

#if __cplusplus < 202100L
#error "Millrace needs C++23: compile with -std=c++23"
#endif
#define MILLRACE_EXPORT __attribute__((visibility("default")))
