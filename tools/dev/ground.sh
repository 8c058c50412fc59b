# What every verb stands on: messages, the packages, configuring and building a preset. Sourced by ./dev.
ROOT=$PWD

say() { printf '\n==> %s\n' "$*"; }
fail() { printf 'dev: %s\n' "$1" >&2; exit "${2:-1}"; }

# The help of a verb is the comment at the head of its file.
print_help() { awk '!/^#/ { exit } { sub(/^# ?/, ""); print }' "tools/dev/$1.sh"; }

wanted_packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]//g' tools/dev/packages.txt; }

missing_packages() {
  comm -23 <(wanted_packages | sort) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' $(wanted_packages) 2>/dev/null | awk '$1 == "ii" { print $2 }' | sort)
}

is_debian_12() { [[ -e /etc/os-release ]] && (. /etc/os-release && [[ ${ID:-} == debian && ${VERSION_ID:-} == 12 ]]); }

# Installs what is missing of packages.txt; says nothing when there is nothing to do.
install_packages() {
  is_debian_12 || fail "this needs Debian 12; here is $(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-an unknown system}").
  Elsewhere, install what these packages hold and build with cmake --preset release: $(wanted_packages | tr '\n' ' ')"
  local missing
  missing=$(missing_packages)
  [[ -n $missing ]] || return 0
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "installing packages needs root or sudo; missing: $(tr '\n' ' ' <<<"$missing")"
    as_root=(sudo)
  fi
  say "installing $(wc -w <<<"$missing") Debian packages: $(tr '\n' ' ' <<<"$missing")"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$(package_log)" ||
    { tail -n 20 "$(package_log)" >&2; fail "apt-get could not install the packages above"; }
}
package_log() { mkdir -p build && echo build/packages.log; }

# Two checkouts share one compiler cache: paths are taken relative to the tree, precompiled headers by their text.
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

# Every C++ file of the tree, NUL-separated.
cpp_files() { find include src test bench examples -type f \( -name '*.h' -o -name '*.cc' \) -print0; }

# configure PRESET: only if the preset changed since the last time; CMake itself sees all else.
configure() {
  local preset=$1 stamp=build/$1/.presets
  if [[ -e build/$preset/build.ninja ]] && cmp -s "$stamp" CMakePresets.json; then return; fi
  mkdir -p "build/$preset"
  cmake --preset "$preset" >"build/$preset/configure.log" 2>&1 ||
    { tail -n 30 "build/$preset/configure.log" >&2; fail "cmake could not configure the preset $preset"; }
  cp CMakePresets.json "$stamp"
}

# build_preset PRESET [TARGET...]: quiet unless something fails.
build_preset() {
  local preset=$1 started=$SECONDS log
  shift
  configure "$preset"
  log=build/$preset/build.log
  say "building ${*:-everything} (preset $preset)"
  ninja -C "build/$preset" "$@" >"$log" 2>&1 || { grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | head -n 80 >&2; fail "the build failed; all of it is in $log"; }
  echo "built in $((SECONDS - started)) s"
}
