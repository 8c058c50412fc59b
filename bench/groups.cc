// Groups over the wire: `millrace serve` as a process of its own, and members that speak to it by frames, by one thread
// on a core of its own. Every answer is checked for its code.
#include "bench/groups_rows/groups_rows.h"

using namespace millrace::bench;

int main(int argc, char** argv) {
  Suite suite("groups", argc, argv);
  PinGenerator();
  CommitRow(suite);
  RebalanceRow(suite);
  CrowdRows(suite);
  SessionRow(suite);
  return 0;
}
