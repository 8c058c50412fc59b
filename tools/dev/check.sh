# ./dev check
#
# Checks the tree without running it: format, floors, names, headers by themselves, GCC 12, and the checkers themselves.
# Ends with one line `N passed, N failed`.

PASSED=0 FAILED=0

# one_check NAME COMMAND...: silent when all is well, else shows what the command said.
one_check() {
  local name=$1 log=build/check/$1.log started=$SECONDS
  shift
  if "$@" >"$log" 2>&1; then
    PASSED=$((PASSED + 1))
    printf 'ok     %-16s %3d s\n' "$name" $((SECONDS - started))
  else
    FAILED=$((FAILED + 1))
    printf 'FAILED %-16s %3d s\n' "$name" $((SECONDS - started))
    head -n 60 "$log" | sed 's/^/       | /'
  fi
}

check_format() { cpp_files | xargs -0 clang-format-19 --dry-run -Werror; }

check_scripts() { { printf '%s\0' dev .ci/run; find tools test -name '*.sh' -print0; } | xargs -0 -n 1 bash -n; }

check_checkers() { python3 -m unittest discover -s tools -p '*_test.py'; }

check_gcc() { configure gcc && ninja -C build/gcc millrace_library; }

run_verb() {
  mkdir -p build/check
  say "checking the tree"
  one_check checkers check_checkers
  one_check format check_format
  one_check docs python3 tools/wrap_docs.py
  one_check arrows python3 tools/check_arrows.py
  one_check names python3 tools/check_names.py
  one_check unused python3 tools/check_unused.py
  one_check behaviours python3 tools/check_behaviours.py
  one_check scripts check_scripts
  one_check headers python3 tools/check_headers.py
  one_check gcc check_gcc
  echo "$PASSED passed, $FAILED failed"
  ((FAILED == 0))
}
