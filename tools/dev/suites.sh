# ./dev suites
#
# Runs the test suites that others wrote, and our scenarios for the clients that others wrote, against this tree's server, and writes
# docs/compatibility.md. They are downloaded and built the first time, which takes minutes. ./dev test runs them, too, and writes nothing.

run_verb() {
  (($# == 0)) || fail "suites takes nothing" 2
  build_preset release millrace
  python3 test/clients/compatibility.py build/release/bin/millrace docs/compatibility.md "$(git rev-parse --short HEAD)"
}
