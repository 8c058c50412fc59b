# ./dev sim [--seed N | --seeds N | --meta | --bug NAME | --bugs]
#
# Runs the real log over a simulated disk, store and clock, from seeds, against a model.
#
#   --seed N    one seed, with its trace
#   --seeds N   N seeds
#   --meta      that a seed replays identically
#   --bug NAME  is this planted bug caught? (its name in test/sim/bug_table.cc)
#   --bugs      the score: is each planted bug caught by the row it names?

run_verb() {
  local preset=release
  [[ " $* " != *" --bug"* ]] || preset=bugs
  build_preset "$preset" millrace_sim
  "build/$preset/test/sim/millrace_sim" "$@"
}
