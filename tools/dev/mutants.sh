# ./dev mutants ROOM [N] [--seed S] [--jobs J] [--list]
#
# Edits a copy of the tree, a line at a time, and tells which edits the tests of a room do not notice.
#
#   ROOM       a folder under src/; its tests are ROOM_test, for fetch and prefetch also read_test
#   N          how many edits that compile (25)
#   --seed S   others (1); the same seed over the same sources makes the same edits
#   --jobs J   as many compilers at once
#   --list     says which edits it would try, and makes none
#
# Negated conditions, dropped calls, locks and wakes, borders off by one. Each survivor is printed as the line before
# and after: either a test is missing, or docs/mutants.md says why none can tell. The copy is build/mutants; nothing in
# the tree itself changes. Takes a build and a run of the tests for each edit; not part of the checks.

run_verb() {
  local arguments=() count=() word
  for word in "$@"; do
    [[ $word =~ ^[0-9]+$ && ${arguments[-1]:-} != --seed && ${arguments[-1]:-} != --jobs ]] && count=(--count "$word") || arguments+=("$word")
  done
  ((${#arguments[@]})) || fail "say which room: ./dev mutants ROOM [N]" 2
  nice -n 19 python3 tools/mutants.py "${count[@]}" "${arguments[@]}"
}
