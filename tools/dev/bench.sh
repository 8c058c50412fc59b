# ./dev bench [NAME... | --publish] [--only TEXT] [--rounds N] [--seed N]
#
# Measures: all programs of bench/, or the ones named (limits, durable_append, read, …), against the machine and its peers.
# --only runs the rows whose name holds TEXT. Results are kept in build/bench/results.jsonl, one line a row, newest last;
# --publish writes them into docs/benchmarks.md and README.md and measures nothing. The machine should have nothing else to do.
#
# ./dev bench micro [ARGUMENT...] runs the micro-benchmarks that stand beside the code (Google Benchmark takes the arguments).

run_micro() {
  build_preset release millrace_micro
  local program
  for program in build/release/bench/micro/*; do "$program" "$@"; done
}

run_verb() {
  if [[ ${1:-} == micro ]]; then
    run_micro "${@:2}"
    return
  fi
  local names=() options=()
  while (($#)); do
    case $1 in
      --publish) python3 tools/bench_report.py build/bench/results.jsonl docs/benchmarks.md README.md && return ;;
      --*) options+=("$1" "${2:?$1 needs a value}"); shift 2 ;;
      *) names+=("$1"); shift ;;
    esac
  done
  build_preset release millrace_bench
  mkdir -p build/bench
  ((${#names[@]})) || names=(limits durable_append unsynced_append read lookup open recovery cli idle)
  local name
  for name in "${names[@]}"; do
    [[ -x build/release/bench/bin/$name ]] || fail "there is no benchmark '$name'; there are: $(ls build/release/bench/bin | tr '\n' ' ')" 2
    "build/release/bench/bin/$name" --dir build/bench/work --results build/bench/results.jsonl "${options[@]}"
  done
}
