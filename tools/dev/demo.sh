# ./dev demo
#
# Builds the release and shows one life of a log, with text that this machine holds.
# Produces it, reads it as a group in two sittings with a kill -9 in between, uploads it, drops the local copy, reads it all
# again and compares byte for byte.

run_verb() {
  build_preset release millrace
  tools/demo.sh build/release/bin/millrace build/demo
}
