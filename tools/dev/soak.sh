# ./dev soak [MINUTES]
#
# Simulates new seeds and kills the real binary again and again, for the minutes given (30), until something fails.
# A failure names its seed; ./dev sim --seed N shows it again.

run_verb() {
  local minutes=${1:-30}
  local until=$((SECONDS + minutes * 60)) round=0
  build_preset release millrace_suites
  while ((SECONDS < until)); do
    round=$((round + 1))
    say "round $round"
    MILLRACE_SEED=$(date +%s%N) python3 tools/run_suites.py --only 'sim|kill|e2e' build/release
  done
  say "$round rounds in $((SECONDS / 60)) minutes, nothing failed"
}
