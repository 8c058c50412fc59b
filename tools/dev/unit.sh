# ./dev unit ROOM [FILTER]
#
# Builds the unit tests of one room under sanitizers, nothing else, and runs them.
#
#   ROOM     a folder under src/
#   FILTER   only the tests whose full name contains this, or matches it if it has a *: WalTest.*Recycle*

run_verb() {
  local room=${1:-} filter=${2:-*}
  [[ -n $room ]] || fail "say which room: ./dev unit ROOM [FILTER]" 2
  [[ $room =~ ^[a-z0-9]+$ && -d src/$room ]] || fail "there is no room '$room' under src/; there are: $(cd src && ls -d */ | tr -d / | tr '\n' ' ')" 2
  [[ $filter == *'*'* ]] || filter="*$filter*"
  local program=${room}_test
  [[ $room != cli ]] || program=cli_commands_test  # what lies beside its main
  build_preset debug "$program"
  [[ -n $("build/debug/src/$room/$program" --gtest_filter="$filter" --gtest_list_tests) ]] || fail "no test of $room matches '$filter'" 2
  "build/debug/src/$room/$program" --gtest_filter="$filter" --gtest_brief=1
}
