# ./dev demo
#
# Builds the release and shows one life of a log with text that this machine holds: produce it, read it as a group in two
# sittings with a kill -9 in between, upload it, drop the local copy, read it all again and compare byte for byte.

run_verb() {
  build_preset release millrace
  tools/demo.sh build/release/bin/millrace build/demo
}
