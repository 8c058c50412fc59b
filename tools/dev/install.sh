# ./dev install PREFIX
#
# Builds the release and installs it under PREFIX, which is made if needed.
# That is: the binary, headers, shared and static library, millrace.pc, the CMake package (find_package(millrace)) and
# shell completions.

run_verb() {
  [[ $# == 1 && -n $1 && $1 != -* ]] || fail "say where to: ./dev install PREFIX" 2
  build_preset release millrace millrace_library millrace_completions
  say "installing into $1"
  cmake --install build/release --prefix "$(realpath -m "$1")" --strip >build/release/install.log ||
    fail "could not install; see build/release/install.log"
  grep -E '^-- (Installing|Up-to-date)' build/release/install.log | grep -v '/include/' | sed 's/^-- //'
}
