#include "allocation_meter.h"

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace millrace {
namespace {

// The allocator's hooks are functions without a place of their own, so the count has to be a variable of the thread.
thread_local bool counting = false;
thread_local std::ptrdiff_t held = 0, peak = 0;

void OnAllocate(const volatile void*, std::size_t size) {
  if (!counting) return;
  held += static_cast<std::ptrdiff_t>(size);
  peak = std::max(peak, held);
}

void OnFree(const volatile void* pointer) {
  if (counting && pointer != nullptr)
    held -= static_cast<std::ptrdiff_t>(__sanitizer_get_allocated_size(const_cast<const void*>(pointer)));
}

const int kInstalled = __sanitizer_install_malloc_and_free_hooks(OnAllocate, OnFree);

}  // namespace

AllocationMeter::AllocationMeter() {
  if (kInstalled == 0) std::abort();
  held = peak = 0;
  counting = true;
}

AllocationMeter::~AllocationMeter() { counting = false; }

std::size_t AllocationMeter::peak_bytes() const { return static_cast<std::size_t>(peak); }

void AllocationMeter::ExpectPeakWithin(std::size_t bytes_max) const {
  if (peak_bytes() <= bytes_max) return;
  counting = false;
  std::fprintf(stderr, "allocated %zu bytes at once, more than %zu\n", peak_bytes(), bytes_max);
  std::abort();
}

}  // namespace millrace
