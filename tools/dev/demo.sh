# ./dev demo [--s3]
#
# Builds the release and shows one life of a log, with text that this machine holds.
# Serves it to kcat, which writes and reads it over the Kafka protocol; reads the same files in process as a group in two
# sittings with a kill -9 in between; uploads them, drops the local copy, reads all again in both ways and compares byte for byte.
#
#   --s3   the same with its history in a real S3 server, which is installed and started for it (SeaweedFS): what the
#          server can do, and reads that are cold, fetched ahead and cached, with their explanations

run_verb() {
  case "$*" in
    '') build_preset release millrace; tools/demo.sh build/release/bin/millrace build/demo ;;
    --s3) build_preset release millrace; demo_over_s3 ;;
    *) fail "demo takes nothing or --s3" 2 ;;
  esac
}

demo_over_s3() {
  say "installing and starting SeaweedFS"
  python3 tools/s3_servers.py run seaweedfs --logs build/demo-s3-server -- \
    bash -c 'tools/demo.sh build/release/bin/millrace build/demo-s3 "s3://$MILLRACE_S3_BUCKET/demo?endpoint=$MILLRACE_S3_ENDPOINT"'
}
