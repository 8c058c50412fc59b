# ./dev test [REGEX]
#
# Builds and runs every test: units under sanitizers, simulations, planted bugs, fuzzing, whole-binary scenarios.
# With REGEX only the suites whose name matches. Ends with one line `N passed, N failed` over the whole run.
#
# Where each suite runs is said in its CMakeLists.txt (cmake/suites.cmake); logs are under build/PRESET/suites/.

run_verb() {
  local only=${1:-} preset
  for preset in debug release tsan bugs fuzz; do build_preset "$preset" millrace_suites; done
  say "running the suites"
  python3 tools/run_suites.py --only "$only" build/debug build/release build/tsan build/bugs build/fuzz
}
