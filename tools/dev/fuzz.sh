# ./dev fuzz [TARGET [SECONDS]]
#
# Fuzzes one decoder (or each in turn) with libFuzzer, 60 seconds unless said otherwise, starting from test/fuzz/corpus.
# What is found lies under build/fuzz/test/fuzz/ and the run stops there.

run_verb() {
  local only=${1:-.} seconds=${2:-60} target
  build_preset fuzz millrace_suites
  for target in $(ctest --test-dir build/fuzz -N | sed -n 's/^ *Test *#[0-9]*: //p' | grep -E "$only"); do
    say "fuzzing $target for $seconds s"
    local program=build/fuzz/test/fuzz/$target found=build/fuzz/test/fuzz/${target}_found
    "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$found/" \
      "$found" "test/fuzz/corpus/${target#fuzz_}"
  done
}
