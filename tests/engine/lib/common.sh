# shellcheck shell=bash disable=SC2034,SC2154 # Variables cross these files.
# What every part of the test engine shares: where its state lies, how it
# speaks, and which processes are its own.
#
# Invariant: a process is signalled only while its pid, start time and name are
# the ones recorded when it was started.

engine_dir=${FLOWSTORAGE_ENGINE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/flowstorage-engine}
cache=$engine_dir/cache
run=$engine_dir/run

say() { printf 'engine: %s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$1" >&2
  [[ $# -lt 2 ]] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# A command that fails where nobody expected it is named; `set -e` alone would
# end the script without a word.
set -E
trap 'printf "error: \`%s\` failed at %s:%s\n" "$BASH_COMMAND" "${BASH_SOURCE[0]##*/}" "$LINENO" >&2' ERR

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

need_root() {
  [[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null ||
    die "an engine needs root, and \`sudo\` is missing or asks for a password" "sudo -v, or start a Docker engine yourself"
}

# Two runs at once take turns. Whatever outlives this script must close
# descriptor 9, or it would hold the lock for as long as it runs.
take_turn() {
  mkdir -p "$engine_dir"
  exec 9>"$engine_dir/lock"
  flock -n 9 && return
  say "waiting for another run on $engine_dir"
  flock -w 900 9 || die "another run holds \`$engine_dir/lock\` for 15 minutes" "fuser -v $engine_dir/lock"
}

# Prints a short digest of everything on standard input: what a cache entry is
# named after, so that a changed recipe is built anew.
digest() {
  local sum
  sum=$(sha256sum)
  printf '%s\n' "${sum:0:12}"
}

# Prints when process $1 started, in clock ticks since boot. A zombie counts as
# gone: it holds nothing, and in a container nobody may ever reap it.
start_time() {
  local stat
  # Not $(<…): where the file vanishes meanwhile, that ends the whole script.
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  local -a field
  # The name, in parentheses, may hold spaces: split only what follows it.
  read -ra field <<<"${stat##*) }"
  [[ ${field[0]} != Z ]] && printf '%s\n' "${field[19]}"
}

# Prints the pid recorded in file $1 if that very process still runs as program
# $2; fails otherwise.
running() {
  local pid start name
  [[ -s $1 ]] || return 1
  read -r pid start <"$1"
  [[ -n $start && $(start_time "$pid") == "$start" ]] || return 1
  read -r name 2>/dev/null <"/proc/$pid/comm" || return 1
  [[ $name == "$2" ]] && printf '%s\n' "$pid"
}

# Starts a daemon as root in a session of its own, with the engine's programs
# before those of the machine, and records it. Its temporary files, which may be
# mounts, stay beside the record, to be found when it was killed.
# Usage: launch RECORD LOG PROGRAM [ARGUMENT…]
launch() {
  local record=$1 log=$2 program=$3 temporary=${1%/*}/tmp
  shift 2
  rm -f "$record"
  mkdir -p "$temporary"
  # The shell that becomes the daemon records itself: however this script ends,
  # no daemon of ours goes unrecorded.
  # shellcheck disable=SC2016 # The inner shell expands its own pid.
  as_root env TMPDIR="$temporary" PATH="$prefix/usr/sbin:$prefix/usr/bin:$PATH:/usr/sbin:/sbin" setsid --fork \
    sh -c 'echo "$$ $(cut -d" " -f22 "/proc/$$/stat")" >"$0"; exec "$@"' "$record" "$@" \
    </dev/null >>"$log" 2>&1 9>&-
  wait_for 10 running "$record" "${program##*/}" || die "\`${program##*/}\` did not start" "see $log"
}

# Ends the daemon recorded in file $1 if it still is program $2: first politely,
# after ten seconds by force.
finish() {
  local pid
  if pid=$(running "$1" "$2"); then
    as_root kill -TERM "$pid" || true
    for _ in {1..100}; do
      running "$1" "$2" >/dev/null || break
      sleep 0.1
    done
    if running "$1" "$2" >/dev/null; then
      as_root kill -KILL "$pid" || true
      sleep 0.2
    fi
  fi
  as_root rm -f "$1"
}

# Waits up to $1 seconds for a command to succeed.
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [[ $SECONDS -lt $until ]] || return 1
    sleep 0.1
  done
}

# Makes sure that the given Debian packages are installed on this machine.
need_packages() {
  local package installed
  local -a missing=()
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null || true)
  for package; do
    [[ $installed == *"ii $package"* ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing ${missing[*]}"
  local log=$engine_dir/install.log
  local -a install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}")
  # Fresh machines have no package lists, long-lived ones have stale lists.
  as_root "${install[@]}" >"$log" 2>&1 9>&- ||
    { as_root apt-get update && as_root "${install[@]}"; } >>"$log" 2>&1 9>&- ||
    die "cannot install ${missing[*]}" "see $log"
}
