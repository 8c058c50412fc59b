# ./dev test [REGEX]
#
# Builds and runs every test: units under sanitizers, simulations, planted bugs, fuzzing, whole-binary scenarios.
# With REGEX only the suites whose name matches, and only what these need is built. Ends with one line `N passed, N failed` over the whole run.
#
# Real S3 servers are installed while the compiler runs, into ~/.cache/millrace/tools; the suites s3_SERVER wait for theirs.
#
# Where each suite runs is said in its CMakeLists.txt (cmake/suites.cmake); logs are under build/PRESET/suites/.

# In the background, giving way to the compiler. A server that cannot be installed is tried again by its suite, which fails by name.
install_servers() {
  local only=$1 server wanted=()
  for server in seaweedfs minio; do
    if [[ s3_$server =~ $only ]]; then wanted+=("$server"); fi
  done
  ((${#wanted[@]} > 0)) || return 0
  mkdir -p build
  nice -n 15 python3 tools/s3_servers.py install "${wanted[@]}" >build/s3-servers.log 2>&1 &
  trap "kill $! 2>/dev/null || true" EXIT
}

run_verb() {
  local only=${1:-} preset suites builds=()
  install_servers "$only"
  for preset in debug release tsan bugs fuzz; do
    configure "$preset"
    suites=$(python3 tools/run_suites.py --list --only "$only" "build/$preset") || fail "cannot tell which suites the preset $preset has"
    [[ -n $suites ]] || continue
    if [[ -n $only ]]; then build_preset "$preset" $(sed 's/^/suite_/' <<<"$suites"); else build_preset "$preset" millrace_suites; fi
    builds+=("build/$preset")
  done
  ((${#builds[@]} > 0)) || fail "no suite matches '$only'" 2
  say "running the suites"
  python3 tools/run_suites.py --only "$only" "${builds[@]}"
}
