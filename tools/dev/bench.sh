# ./dev bench [NAME... | --publish] [--memory-disk] [--only TEXT] [--rounds N] [--seed N] [--percent N]
#
# Measures: all programs of bench/, or the ones named (limits, durable_append, read, …), against the machine and its peers.
# A name stands for those that go on with an underscore too: read is also read_cold_scan, read_cached, …
# --only runs the rows whose name holds TEXT. Results are kept in build/bench/results.jsonl, one line a row, newest last;
# --publish writes them into docs/benchmarks.md and README.md and measures nothing. The machine should have nothing else to do.
# --percent makes the large rows of `store` and `groups` smaller: 1 for a look at whether they run.
#
# --memory-disk measures a second setting of the disk: ext4 on a loop device over memory, whose syncs are short, so that
# the processor shows and not the disk. It needs root, and 8 GB of memory; its rows are kept under names of their own.
#
# `cursor` compares with the crate walrus-rust, through a driver (bench/peers/walrus) that cargo builds in the cache folder of tools; without cargo
# the peer is named as missing. `kafka` compares with Apache Kafka from Maven, if there is Java. The scaling rows of
# `cursor` become the pictures in docs/pictures, by --publish too.
#
# ./dev bench micro [ARGUMENT...] runs the micro-benchmarks that stand beside the code (Google Benchmark takes the arguments).

run_micro() {
  build_preset release millrace_micro
  local program
  for program in build/release/bench/micro/*; do "$program" "$@"; done
}

# The driver of the crate, built outside the tree; prints its path, or nothing and why on the standard error.
walrus_driver() {
  local folder="${XDG_CACHE_HOME:-$HOME/.cache}/millrace/tools/walrus-rust-0.2.0"
  if ! command -v cargo >/dev/null; then
    echo "there is no cargo here: the peer walrus-rust 0.2.0 is missing" >&2
  elif cargo build --quiet --release --locked --manifest-path bench/peers/walrus/Cargo.toml --target-dir "$folder" >&2; then
    echo "$folder/release/walrus-driver"
  else
    echo "the driver could not be built: the peer walrus-rust 0.2.0 is missing" >&2
  fi
}

# The jars of Apache Kafka; prints their folder, or nothing and why on the standard error.
kafka_jars() {
  if ! command -v java >/dev/null; then
    echo "there is no Java here: the peer Apache Kafka is missing" >&2
  else
    PYTHONDONTWRITEBYTECODE=1 python3 -c 'import sys; sys.path.insert(0, "test/clients"); import install; print(install.install_broker())' ||
      echo "the jars could not be had: the peer Apache Kafka is missing" >&2
  fi
}

# A file system in memory that syncs as one on a disk does; mounted until this shell ends.
memory_disk_image=/dev/shm/millrace-bench-disk memory_disk=build/bench/memory
mount_memory_disk() {
  ((EUID == 0)) || fail "--memory-disk mounts a loop device, which needs root"
  mkdir -p "$memory_disk"
  trap unmount_memory_disk EXIT
  truncate -s 8G "$memory_disk_image"
  mkfs.ext4 -q -F "$memory_disk_image"
  mount -o loop "$memory_disk_image" "$memory_disk" || fail "the loop device could not be mounted"
}
unmount_memory_disk() {
  mountpoint -q "$memory_disk" && umount "$memory_disk"
  rm -f "$memory_disk_image"
}

# The lines of a run over memory, under names that say so.
named_after_memory() { sed -E 's/"row":"([^"]*)"/"row":"disk in memory: \1"/'; }

publish() {
  python3 tools/bench_report.py build/bench/results.jsonl docs/benchmarks.md README.md &&
    python3 tools/bench_curve.py build/bench/results.jsonl docs/pictures &&
    python3 tools/curves.py build/bench/results.jsonl docs/pictures
}

run_verb() {
  if [[ ${1:-} == micro ]]; then
    run_micro "${@:2}"
    return
  fi
  local names=() options=() folder=build/bench/work results=build/bench/results.jsonl in_memory=
  while (($#)); do
    case $1 in
      --publish) publish && return ;;
      --memory-disk) in_memory=1; shift ;;
      --*) options+=("$1" "${2:?$1 needs a value}"); shift 2 ;;
      *) names+=("$1"); shift ;;
    esac
  done
  build_preset release millrace_bench
  mkdir -p build/bench
  if [[ -n $in_memory ]]; then
    mount_memory_disk
    folder=$memory_disk/work results=$(mktemp)
  fi
  ((${#names[@]})) || names=(limits durable_append unsynced_append read eviction lookup open recovery cli idle cursor store kafka groups)
  local name program driver extra
  for name in "${names[@]}"; do
    [[ -x build/release/bench/bin/$name ]] || fail "there is no benchmark '$name'; there are: $(ls build/release/bench/bin | tr '\n' ' ')" 2
    extra=()
    if [[ $name == cursor ]]; then
      driver=$(walrus_driver)
      [[ -z $driver ]] || extra=(--walrus "$driver")
    elif [[ $name == kafka ]]; then
      driver=$(kafka_jars)
      [[ -z $driver ]] || extra=(--kafka "$driver")
    fi
    for program in "build/release/bench/bin/$name" "build/release/bench/bin/$name"_*; do
      [[ -x $program ]] || continue  # nothing goes on with an underscore
      "$program" --dir "$folder" --results "$results" "${extra[@]}" "${options[@]}"
    done
  done
  [[ -z $in_memory ]] || { named_after_memory <"$results" >>build/bench/results.jsonl && rm -f "$results"; }
}
