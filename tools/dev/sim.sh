# ./dev sim [--seed N | --seeds N | --meta | --bugs]
#
# Runs the real log over a simulated disk, store and clock, from seeds, against a model.
#
#   --seed N    one seed, with its trace
#   --seeds N   N seeds
#   --meta      that a seed replays identically
#   --bugs      the score: is each planted bug caught by the row it names?

run_verb() {
  local preset=release
  [[ " $* " != *" --bugs"* ]] || preset=bugs
  build_preset "$preset" millrace_sim
  "build/$preset/test/sim/millrace_sim" "$@"
}
