#!/usr/bin/env bash
# Goal: what is installed works for a user who has nothing else of the tree, and holds no planted bug.
# Method: install a finished build into an empty prefix; build and run the examples against it with find_package (shared and
# static) and with pkg-config (the same, both compilers), the server's with kcat as its client; look into what was installed.
# usage: run.sh BUILD_DIR
set -uo pipefail
BUILD=$(realpath "$1")
TREE=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
PREFIX=$WORK/prefix
PASSED=0 FAILED=0

# check NAME COMMAND...
check() {
  local name=$1
  shift
  if "$@" >"$WORK/log" 2>&1; then
    PASSED=$((PASSED + 1))
    echo "ok     $name"
  else
    FAILED=$((FAILED + 1))
    echo "FAILED $name"
    head -n 40 "$WORK/log"
  fi
}

# runs PROGRAM DIR: the example's output is what its source promises, and its second run goes on where the first ended.
runs() {
  local program=$1 directory=$2 first second
  first=$("$program" "$directory") || return 1
  second=$("$program" "$directory") || return 1
  diff <(printf '%s\n' 'appended [0, 2]' 'read 0 anna: two lamps' 'read 1 ben: a chair' 'read 2 anna: (null)' 'shipping got 2') \
    <(echo "$first") && [[ $second == *'appended [3, 5]'*'shipping got 2' ]]
}

# runs_cursor PROGRAM DIR: no job comes twice, over two runs, and what both cursors have passed is gone.
runs_cursor() {
  local program=$1 directory=$2
  diff <(printf '%s\n' 'worked 6, audited 10' 'audit at 10, 0 unread' 'workers at 6, 4 unread' 'kept from 6') <("$program" "$directory") &&
    diff <(printf '%s\n' 'worked 4, audited 0' 'audit at 10, 0 unread' 'workers at 10, 0 unread' 'kept from 10') <("$program" "$directory")
}

# runs_server PROGRAM DIR: what it says by calls a Kafka client reads, and what the client writes it reads by calls.
runs_server() {
  local program=$1 directory=$2 pid broker='' heard
  "$program" "$directory" >"$WORK/talk" &
  pid=$!
  for _ in $(seq 300); do
    broker=$(sed -n 's/^listening on //p' "$WORK/talk")
    [[ -z $broker ]] || break
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  heard=$(timeout 60 kcat -b "$broker" -t talk -C -o beginning -e -q -f '%k: %s') || { kill -9 "$pid"; return 1; }
  # The program may end before kcat does, which calls that an error. What the program heard is what counts.
  printf '%s\n' 'good evening' stop | timeout 60 kcat -b "$broker" -t talk -P || true
  timeout 60 tail --pid="$pid" -f /dev/null || { kill -9 "$pid"; return 1; }
  wait "$pid" || return 1
  [[ $heard == 'program: good morning' ]] && diff <(printf '%s\n' "listening on $broker" '0: good morning' '1: good evening' '2: stop') "$WORK/talk"
}

# with_pkg_config COMPILER PROGRAM KIND [SOURCE]
with_pkg_config() {
  local compiler=$1 program=$2 kind=$3 source=${4:-$TREE/examples/consumer/main.cc} flags
  flags=$(PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --cflags --libs $kind millrace) || return 1
  [[ $kind != --static ]] || flags=${flags/-lmillrace/-l:libmillrace.a}
  "$compiler" -std=c++23 "$source" $flags -Wl,-rpath,"$PREFIX/lib" -o "$program"
}

# Who compiles for C++20 is told in one line what to do.
tells_what_standard_it_needs() {
  local compiler told
  for compiler in clang++-19 g++-12; do
    told=$("$compiler" -std=c++20 -fsyntax-only -I"$PREFIX/include" "$TREE/examples/consumer/main.cc" 2>&1) && return 1
    grep -m 1 'error' <<<"$told" | grep -q 'Millrace needs C++23: compile with -std=c++23' || return 1
  done
}

# The program in the README is what it claims to be.
readme_program() {
  awk '/^```cpp/ { inside = 1; next } /^```/ { inside = 0 } inside' "$TREE/README.md" >"$WORK/readme.cc"
  with_pkg_config clang++-19 "$WORK/readme" '' "$WORK/readme.cc" || return 1
  diff <(printf '%s\n' '0: two lamps' '1: a chair') <("$WORK/readme" "$WORK/data-readme")
}

exports_only_our_names() {
  local others
  others=$(nm -D --defined-only -C "$PREFIX/lib/libmillrace.so" | awk '$2 != "A"' | grep -vE ' (vtable for |typeinfo (name )?for )?millrace::')
  [[ -z $others ]] || { echo "$others"; return 1; }
}

holds_no_planted_bug() {
  local file names
  names=$(grep -oE '^  k(Wal|Log|Tier|Read|Position|Meta)[A-Z][A-Za-z]+' "$TREE/src/base/bugs.h" | sed 's/^  k//' | paste -sd'|')
  [[ -n $names ]] || return 1
  for file in "$PREFIX/bin/millrace" "$PREFIX"/lib/libmillrace.so "$PREFIX/lib/libmillrace.a"; do
    ! grep -aoE "active_bug|$names" "$file" || { echo "in $file"; return 1; }
  done
}

depends_on_nothing_of_the_tree() {
  ! grep -rIl -e "$TREE" -e "$BUILD" "$PREFIX/lib/cmake" "$PREFIX/lib/pkgconfig" "$PREFIX/include"
}

cp -r "$TREE/examples/consumer" "$WORK/consumer"
cp -r "$TREE/examples/cursor" "$WORK/cursor"
cp -r "$TREE/examples/server" "$WORK/server"
check install cmake --install "$BUILD" --prefix "$PREFIX" --strip
check 'the binary runs' "$PREFIX/bin/millrace" --version
check 'find_package configures' cmake -S "$WORK/consumer" -B "$WORK/out" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_CXX_COMPILER=clang++-19
check 'find_package builds' cmake --build "$WORK/out"
check 'millrace::millrace runs' runs "$WORK/out/consumer" "$WORK/data-shared"
check 'millrace::static runs' runs "$WORK/out/consumer_static" "$WORK/data-static"
check 'find_package configures the cursor example' cmake -S "$WORK/cursor" -B "$WORK/out-cursor" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX" \
  -DCMAKE_CXX_COMPILER=clang++-19
check 'the cursor example builds' cmake --build "$WORK/out-cursor"
check 'the cursor example runs' runs_cursor "$WORK/out-cursor/cursor" "$WORK/data-cursor"
check 'find_package configures the server example' cmake -S "$WORK/server" -B "$WORK/out-server" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX" \
  -DCMAKE_CXX_COMPILER=clang++-19
check 'the server example builds' cmake --build "$WORK/out-server"
check 'the server example talks with kcat' runs_server "$WORK/out-server/server" "$WORK/data-server"
check 'pkg-config builds with clang++-19' with_pkg_config clang++-19 "$WORK/by-clang" ''
check 'pkg-config program runs' runs "$WORK/by-clang" "$WORK/data-clang"
check 'pkg-config builds with g++-12' with_pkg_config g++-12 "$WORK/by-gcc" ''
check 'pkg-config program of g++-12 runs' runs "$WORK/by-gcc" "$WORK/data-gcc"
check 'pkg-config --static builds' with_pkg_config clang++-19 "$WORK/by-static" --static
check 'pkg-config --static program runs' runs "$WORK/by-static" "$WORK/data-by-static"
check 'the program in the README builds and runs' readme_program
check 'C++20 is refused in one line' tells_what_standard_it_needs
check 'the reference of the library is there' grep -q PartitionFor "$PREFIX/share/doc/millrace/api.md"
check 'the shared library has a SONAME' sh -c "readelf -d '$PREFIX/lib/libmillrace.so' | grep -q 'SONAME.*libmillrace.so.0'"
check 'it shows our names only' exports_only_our_names
check 'no planted bug is inside' holds_no_planted_bug
check 'the packages name no path of the build' depends_on_nothing_of_the_tree
check 'completions are there' test -s "$PREFIX/share/bash-completion/completions/millrace" -a -s "$PREFIX/share/zsh/site-functions/_millrace" \
  -a -s "$PREFIX/share/fish/vendor_completions.d/millrace.fish"
check 'a second install over the first' cmake --install "$BUILD" --prefix "$PREFIX" --strip
echo "$PASSED passed, $FAILED failed"
((FAILED == 0))
