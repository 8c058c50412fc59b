// Row 10: every flipped bit is noticed. Goal: after any single bit flip in what the real rooms stored, a reader gets
// the right data, repaired data, or a typed error that names the place; never wrong data, never silently less, never a
// crash. Counted apart: the last group of a WAL before its mark, which looks like a torn tail. Method: store with the
// real code, flip one bit after the other, read with the real code, compare with what went in. Proves S16, S21, W35,
// W25.
#include <cstdio>

#include "segment_flips.h"
#include "wal_flips.h"

int main() {
  using namespace millrace;
  int passed = 0, failed = 0;
  std::uint64_t checked = 0;
  const auto run = [&](const char* row, void (*flip)(FlipReport&), std::uint64_t floor) {
    FlipReport report(row);
    flip(report);
    checked += report.checked();
    ++(report.Passes(floor) ? passed : failed);
  };
  run("row 10, segments", FlipSegments, 400'000);
  run("row 10, WAL before open", FlipWalBeforeOpen, 50'000);
  run("row 10, WAL while open", FlipWalWhileOpen, 30'000);
  constexpr std::uint64_t kFloor = 500'000;
  std::printf("row 10: checked=%llu floor=%llu\n", static_cast<unsigned long long>(checked),
              static_cast<unsigned long long>(kFloor));
  ++(checked >= kFloor ? passed : failed);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
