# ./dev suites
#
# Runs the test suites that others wrote against this tree's server, and writes docs/compatibility.md. They are downloaded and built the
# first time, which takes minutes. Not part of ./dev test: most of them ask for what is not served yet.

run_verb() {
  (($# == 0)) || fail "suites takes nothing" 2
  build_preset release millrace
  python3 test/clients/librdkafka_suite.py build/release/bin/millrace docs/compatibility.md "$(git rev-parse --short HEAD)"
}
