# ./dev bench [NAME... | --publish] [--only TEXT] [--rounds N] [--seed N]
#
# Measures: all programs of bench/, or the ones named (limits, durable_append, read, …), against the machine and its peers.
# A name stands for those that go on with an underscore too: read is also read_cold_scan, read_cached, …
# --only runs the rows whose name holds TEXT. Results are kept in build/bench/results.jsonl, one line a row, newest last;
# --publish writes them into docs/benchmarks.md and README.md and measures nothing. The machine should have nothing else to do.
#
# `cursor` compares with the crate walrus-rust, through a driver (bench/peers/walrus) that cargo builds in the cache folder of tools; without cargo
# the peer is named as missing. Its scaling rows become the pictures in docs/pictures, by --publish too.
#
# ./dev bench micro [ARGUMENT...] runs the micro-benchmarks that stand beside the code (Google Benchmark takes the arguments).

run_micro() {
  build_preset release millrace_micro
  local program
  for program in build/release/bench/micro/*; do "$program" "$@"; done
}

# The driver of the crate, built outside the tree; prints its path, or nothing and why on the standard error.
walrus_driver() {
  local folder="${XDG_CACHE_HOME:-$HOME/.cache}/millrace/tools/walrus-rust-0.2.0"
  if ! command -v cargo >/dev/null; then
    echo "there is no cargo here: the peer walrus-rust 0.2.0 is missing" >&2
  elif cargo build --quiet --release --locked --manifest-path bench/peers/walrus/Cargo.toml --target-dir "$folder" >&2; then
    echo "$folder/release/walrus-driver"
  else
    echo "the driver could not be built: the peer walrus-rust 0.2.0 is missing" >&2
  fi
}

publish() {
  python3 tools/bench_report.py build/bench/results.jsonl docs/benchmarks.md README.md &&
    python3 tools/bench_curve.py build/bench/results.jsonl docs/pictures &&
    python3 tools/curves.py build/bench/results.jsonl docs/pictures
}

run_verb() {
  if [[ ${1:-} == micro ]]; then
    run_micro "${@:2}"
    return
  fi
  local names=() options=()
  while (($#)); do
    case $1 in
      --publish) publish && return ;;
      --*) options+=("$1" "${2:?$1 needs a value}"); shift 2 ;;
      *) names+=("$1"); shift ;;
    esac
  done
  build_preset release millrace_bench
  mkdir -p build/bench
  ((${#names[@]})) || names=(limits durable_append unsynced_append read eviction lookup open recovery cli idle cursor)
  local name program driver extra
  for name in "${names[@]}"; do
    [[ -x build/release/bench/bin/$name ]] || fail "there is no benchmark '$name'; there are: $(ls build/release/bench/bin | tr '\n' ' ')" 2
    extra=()
    if [[ $name == cursor ]]; then
      driver=$(walrus_driver)
      [[ -z $driver ]] || extra=(--walrus "$driver")
    fi
    for program in "build/release/bench/bin/$name" "build/release/bench/bin/$name"_*; do
      [[ -x $program ]] || continue  # nothing goes on with an underscore
      "$program" --dir build/bench/work --results build/bench/results.jsonl "${extra[@]}" "${options[@]}"
    done
  done
}
