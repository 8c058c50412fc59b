#!/usr/bin/env bash
# One life of a log, with the real binary, a Kafka client and real text: what `./dev demo` shows.
# usage: demo.sh MILLRACE DIR [STORE]   (DIR is emptied first)
# STORE is the URL of an object store elsewhere; then reads of it are looked at more closely: cold, fetched ahead, cached.
set -euo pipefail
export LC_ALL=C
MILLRACE=$(realpath "$1")
DIR=$2
STORE=${3:-}
LINES_MIN=100000 LINES_MAX=1000000
case $DIR in '' | / | .) echo "demo: $DIR is no place for a demo" >&2; exit 2 ;; esac
rm -rf "$DIR"
mkdir -p "$DIR"
cd "$DIR"

say() { printf '\n%s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# timed TEXT COMMAND...: runs COMMAND and says how long it took. The time of the last step stays in TOOK.
timed() {
  local text=$1 started=${EPOCHREALTIME/./}
  shift
  "$@" || die "failed: $text"
  TOOK=$(( (${EPOCHREALTIME/./} - started) / 1000 ))
  printf '   %-62s %6d ms\n' "$text" "$TOOK"
}

PLACE=(--data-dir data ${STORE:+--store "$STORE"})
millrace() { "$MILLRACE" "$@" "${PLACE[@]}"; }

# Text that a Debian machine holds: what is installed, which files that brought, and the logs of it.
machine_text() {
  cat /var/lib/dpkg/status /var/lib/dpkg/info/*.list /var/lib/dpkg/info/*.md5sums
  find /var/log -type f -readable \( -name '*.log' -o -name syslog -o -name 'messages' \) -print0 2>/dev/null | sort -z | xargs -0r cat
  find /var/lib/apt/lists /usr/share/cmake-3.25 -type f -readable -print0 2>/dev/null | sort -z | xargs -0r cat
}

gather() {
  # head ends the pipe early on a machine with much text; the last line gets its newline. kcat sends no empty lines.
  { machine_text 2>/dev/null || true; } | tr -d '\000' | head -n "$LINES_MAX" | awk length >text || [[ -s text ]]
}

# The server as a process: its port is free before it is taken, its last line says that it listens.
begin_serving() {
  mkfifo serving
  "$MILLRACE" serve --listen localhost:0 "${PLACE[@]}" 2>serving &
  SERVER=$!
  trap 'kill -9 "$SERVER" 2>/dev/null || true' EXIT
  exec {SAID}<serving
  rm serving
  local line
  BROKER=
  while read -r line <&"$SAID"; do
    case $line in 'advertised '*) BROKER=${line##* } ;; ready) break ;; esac
  done
  [[ -n $BROKER ]] || die "the server did not come up"
}

end_serving() {
  kill -TERM "$SERVER"
  wait "$SERVER" || die "the server ended with $?"
  exec {SAID}<&-
  trap - EXIT
}

# Any Kafka client would do. A line is a value; acks=all: synced to this disk before the reply.
kcat_produce() { kcat -b "$BROKER" -t demo -P -q -X acks=all -l text; }
kcat_consume() { kcat -b "$BROKER" -t demo -C -o beginning -e -q >"$1"; }

# Reads as the group `readers`, and dies by kill -9 once 40 % of the lines have come through.
first_sitting() {
  mkfifo pipe
  "$MILLRACE" consume demo --group readers "${PLACE[@]}" >pipe 2>first.messages &
  local consumer=$!
  awk -v stop=$((LINE_COUNT * 2 / 5)) -v victim=$consumer '{ print } NR == stop { system("kill -9 " victim) }' <pipe >first.part
  wait "$consumer" || true
} 2>kill.messages

second_sitting() { millrace consume demo --group readers >second.part 2>second.messages; }

# The lines of the first sitting are a prefix; the second goes on at or before its end and nothing is missing.
compare_sittings() {
  local came_first came_second resumed_at
  came_first=$(wc -l <first.part)
  came_second=$(wc -l <second.part)
  resumed_at=$((LINE_COUNT - came_second))
  ((resumed_at > 0)) || die "the second sitting began from the start: nothing was committed before the kill"
  ((resumed_at <= came_first)) || die "$((resumed_at - came_first)) lines are missing between the sittings"
  # The kill may have torn the last line.
  cmp <(head -n $((came_first - 1)) first.part) <(head -n $((came_first - 1)) text) || die "the first sitting read something else"
  cmp second.part <(tail -n "$came_second" text) || die "the second sitting read something else"
  note "first sitting: $came_first lines, then kill -9; second: from offset $resumed_at, $came_second lines"
  note "$((came_first - resumed_at)) lines came twice (not yet committed when killed), none is missing, each equals the text"
}

restore_all() { "$MILLRACE" store restore "$STORE" --data-dir data >restored 2>restored.messages; }
# What it skips, it says: the offsets that the lost disk might have given.
read_restored() { millrace consume demo --from earliest >again 2>skipped; }

read_all_again() { millrace consume demo --from earliest --explain >again 2>explained; }

# The line {"explain":{"bytes":{...},...}} in words.
explain() {
  sed -n 's/.*"bytes":{\([^}]*\)}.*/\1/p' explained | tr -d '"' | sed 's/:/ /g; s/,/, /g' | while read -r line; do note "bytes came from: $line"; done
  grep -q '"object_store":[1-9]' explained || die "no byte came from the object store"
  grep -q '"tail":0,"wal":0' explained || die "bytes came from the hot tier though it was recycled"
}

# The same in words, and further: requests, what was fetched ahead of the reader, what that would cost at Amazon.
explain_requests() {
  python3 - "$@" <<'PYTHON'
import json, sys
path, *wanted = sys.argv[1:]
explained = next(json.loads(line)["explain"] for line in open(path) if line.startswith('{"explain"'))
came = {name: count for name, count in explained["bytes"].items() if count}
print("   bytes came from: " + (", ".join(f"{name} {count}" for name, count in came.items()) or "nowhere"))
ahead = f", {explained['prefetched']} bytes of it fetched ahead" if explained.get("prefetched") else ""
print(f"   {explained['requests']} requests{ahead}; waited {explained['wait_ms']:.0f} ms; {explained['cost_usd']:.7f} USD at list prices")
for source in wanted:
    if not (came.get(source) or explained.get(source)):
        sys.exit(f"demo: expected bytes of {source}, there are none")
PYTHON
}

# The store's own point of view, before anything is trusted to it.
doctor() { millrace doctor >doctor.text 2>&1 || { cat doctor.text; return 1; }; }

read_one() { millrace consume demo --from $((LINE_COUNT / 2)) -n 1 --explain >one 2>explained; }

# Nothing of the objects is left on this disk.
forget_cache() { rm -rf data/cache; }

far_reads() {
  say "5. Cold: one line from the middle, of which nothing is on this disk"
  forget_cache
  timed "millrace consume demo --from $((LINE_COUNT / 2)) -n 1 --explain" read_one
  cmp one <(sed -n "$((LINE_COUNT / 2 + 1))p" text) || die "that is another line"
  explain_requests explained object_store

  say "6. All of it, one after the other: chunks are fetched ahead of the reader"
  forget_cache
  timed "millrace consume demo --from earliest --explain" read_all_again
  note "$((LINE_COUNT * 1000 / (TOOK + 1))) lines/s"
  explain_requests explained object_store prefetched
  timed "cmp text again" cmp text again

  say "7. Once more: from the cache on this disk"
  timed "millrace consume demo --from earliest --explain" read_all_again
  note "$((LINE_COUNT * 1000 / (TOOK + 1))) lines/s"
  explain_requests explained segment_cache
  timed "cmp text again" cmp text again
  note "equal, byte for byte"
}

near_reads() {
  say "5. All of it again, now from the object tier"
  timed "millrace consume demo --from earliest --explain" read_all_again
  note "$((LINE_COUNT * 1000 / (TOOK + 1))) lines/s"
  explain
  timed "cmp text again" cmp text again
  note "equal, byte for byte"
}

began=$SECONDS
if [[ -n $STORE ]]; then
  say "0. The store: $STORE"
  timed "millrace doctor" doctor
  sed 's/^/   /' doctor.text
fi

say "1. Text of this machine"
timed "gathered" gather
LINE_COUNT=$(wc -l <text)
note "$LINE_COUNT lines, $(wc -c <text) bytes: package status, file lists, logs"
((LINE_COUNT >= LINES_MIN)) || die "this machine holds only $LINE_COUNT lines; $LINES_MIN are wanted"

say "2. Served to Kafka clients: a client that knows nothing of Millrace writes every line and reads it"
timed "millrace topic create demo" millrace topic create demo
timed "the server is up" begin_serving
timed "kcat -P: acks=all, synced to this disk before the reply" kcat_produce
note "$((LINE_COUNT * 1000 / (TOOK + 1))) lines/s"
timed "kcat -C" kcat_consume came
note "$((LINE_COUNT * 1000 / (TOOK + 1))) lines/s"
timed "cmp text came" cmp text came
timed "SIGTERM: what is in flight is finished, synced, and the server ends" end_serving

say "3. The same files in process: a group reads them in two sittings; the first is killed with kill -9"
timed "millrace consume demo --group readers | …, kill -9" first_sitting
timed "millrace consume demo --group readers" second_sitting
compare_sittings

say "4. Into the object store, and off this disk's hot tier"
timed "millrace segment upload" millrace segment upload
timed "millrace wal recycle" millrace wal recycle

if [[ -n $STORE ]]; then far_reads; NEXT_STEP=8; else near_reads; NEXT_STEP=6; fi

say "$NEXT_STEP. Served again: the Kafka client reads its history out of the object tier"
timed "the server is up" begin_serving
timed "kcat -C" kcat_consume came
note "$((LINE_COUNT * 1000 / (TOOK + 1))) lines/s"
timed "cmp text came" cmp text came
timed "SIGTERM" end_serving

if [[ -n $STORE ]]; then
  say "$((NEXT_STEP + 1)). The disk is gone: the data directory is deleted, and the log comes back from the bucket alone"
  timed "rm -rf data" rm -rf data
  timed "millrace store restore" restore_all
  sed 's/^/   /' restored
  timed "millrace consume demo --from earliest" read_restored
  timed "cmp text again" cmp text again
  note "equal, byte for byte"
fi

say "Done in $((SECONDS - began)) s."
if [[ -z $STORE ]]; then note "The log is in $PWD/data; look at it with $MILLRACE topic describe demo --data-dir $PWD/data"; fi
