# Sourced by the scripts of this folder: where we are, how many jobs, ccache when it is there.
repo=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
jobs=${MOESIM_JOBS:-$(nproc)}
if [ -z "${CMAKE_CXX_COMPILER_LAUNCHER-}" ] && command -v ccache >/dev/null 2>&1; then
  CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CMAKE_CXX_COMPILER_LAUNCHER
fi
# Lets ccache store what is compiled with a precompiled header (the tests).
CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
export CCACHE_SLOPPINESS

say() { printf '== %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
  exit 1
}
# Prints the comment at the head of the calling script as its help.
usage() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p;}' "$0"; }

# configure PRESET [CMAKE ARGUMENT...]: quiet unless it fails. MOESIM_UNITY=1: several files compiled
# as one, for builds from nothing.
configure() {
  preset=$1
  shift
  [ -z "${MOESIM_UNITY-}" ] || set -- -DMOESIM_UNITY=ON "$@"
  if ! output=$(cd "$repo" && cmake --preset "$preset" "$@" 2>&1); then
    printf '%s\n' "$output" >&2
    fail "configuring preset $preset failed"
  fi
}
# build PRESET [CMAKE --build ARGUMENT...]
build() {
  preset=$1
  shift
  (cd "$repo" && cmake --build --preset "$preset" -j "$jobs" "$@")
}
