// Row 10: every flipped bit is noticed. Goal: after any single bit flip in what the real rooms stored, a reader gets
// the right data, repaired data, or a typed error that names the place; never wrong data, never silently less, never a
// crash. Method: store with the real code, flip each bit in turn, read with the real code, compare with what went in.
// Proves S16, S21, W35, W25.
#include <cstdio>

#include "segment_flips.h"

int main() {
  using namespace millrace;
  int failed = 0;
  FlipReport segments("row 10, segments");
  FlipSegments(segments);
  failed += segments.Passes(500'000) ? 0 : 1;
  std::printf("%d passed, %d failed\n", 1 - failed, failed);
  return failed == 0 ? 0 : 1;
}
