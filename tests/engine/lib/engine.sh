# shellcheck shell=bash disable=SC2034,SC2154 # Variables cross these files.
# Starts and stops private engines: containerd, dockerd and their bridge.
#
# Invariant: an engine touches nothing outside its own folder but one bridge and
# three packet filter rules, all of which `stop_engine` takes away again.

# Every engine has a folder, `run/engines/NAME`, with everything it keeps.
engine_home() { printf '%s/engines/%s\n' "$run" "$1"; }

engine_host() { printf 'unix://%s/docker.sock\n' "$(engine_home "$1")"; }

# Prints the pid of the engine's dockerd if the engine is ours, alive and answers.
engine_pid() {
  local home pid
  home=$(engine_home "$1")
  running "$home/containerd.pid" containerd >/dev/null || return 1
  pid=$(running "$home/dockerd.pid" dockerd) || return 1
  docker --host "$(engine_host "$1")" version >/dev/null 2>&1 || return 1
  printf '%s\n' "$pid"
}

# The bridge is named after the state folder too, so that two of them do not
# share one; interface names end at 15 characters.
bridge_of() { printf 'fs-%.4s-%s\n' "$(printf '%s' "$engine_dir" | digest)" "$1"; }

# Kernels come with either table format; the program must match.
iptables_program() {
  local program
  for program in iptables iptables-legacy; do
    if as_root "$program" -w -t nat -nL POSTROUTING >/dev/null 2>&1; then
      printf '%s\n' "$program"
      return
    fi
  done
  die "the kernel answers neither \`iptables\` nor \`iptables-legacy\`"
}

# dockerd would flush the chains that another dockerd on this machine relies on,
# so ours leaves packet filtering alone and each bridge brings its own rules.
bridge_rules() {
  local action=$1 bridge=$2 subnet=$3 iptables rule
  iptables=$(iptables_program)
  while read -r rule; do
    # shellcheck disable=SC2086 # A rule is a list of words.
    case $action in
      add) as_root "$iptables" -w -t ${rule/ / -C } 2>/dev/null || as_root "$iptables" -w -t ${rule/ / -I } ;;
      remove) as_root "$iptables" -w -t ${rule/ / -D } 2>/dev/null || true ;;
    esac
  done <<EOT
nat POSTROUTING -s $subnet ! -o $bridge -j MASQUERADE
filter FORWARD -i $bridge -j ACCEPT
filter FORWARD -o $bridge -j ACCEPT
EOT
}

# Prints the bridge's subnet, taking the first free one for a new bridge.
raise_bridge() {
  local bridge=$1 mtu=$2 octet taken
  if ! ip link show "$bridge" >/dev/null 2>&1; then
    taken=$(ip -4 -o addr; ip -4 route)
    for octet in {1..254}; do
      [[ $taken == *"10.213.$octet."* ]] || break
    done
    as_root ip link add name "$bridge" mtu "$mtu" type bridge
    as_root ip addr add "10.213.$octet.1/24" dev "$bridge"
    as_root ip link set "$bridge" up
  fi
  ip -4 -o route show dev "$bridge" proto kernel | awk 'NR == 1 { print $1 }'
}

# Prints the packet size of the way out: a bridge with larger packets than that
# stalls downloads wherever path discovery is filtered.
outer_mtu() {
  local device
  device=$(ip -4 route show default | awk 'NR == 1 { for (i = 1; i < NF; i++) if ($i == "dev") print $(i + 1) }')
  cat "/sys/class/net/${device:-lo}/mtu" 2>/dev/null || echo 1500
}

# A bare container has no control groups mounted; dockerd does not start then.
mount_cgroups() {
  grep -q ' - cgroup2\? ' /proc/self/mountinfo && return
  say "mounting control groups"
  as_root mount -t cgroup2 cgroup2 /sys/fs/cgroup
  printf '/sys/fs/cgroup\n' >>"$run/mounts"
}

write_engine_files() {
  local home=$1 bridge=$2 mtu=$3
  cat >"$home/containerd.toml" <<EOT
version = 3
root = "$home/containerd"
state = "$home/containerd-state"
# What only Kubernetes needs, and a socket outside our folder.
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
address = "$home/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "$home/opt"
EOT
  cat >"$home/daemon.json" <<EOT
{
  "hosts": ["unix://$home/docker.sock"],
  "group": "$(id -g)",
  "containerd": "$home/containerd.sock",
  "data-root": "$home/docker",
  "exec-root": "$home/docker-state",
  "pidfile": "$home/dockerd.self",
  "bridge": "$bridge",
  "mtu": $mtu,
  "iptables": false,
  "ip6tables": false,
  "features": {"containerd-snapshotter": true},
  "registry-mirrors": ["http://$registry"]
}
EOT
}

# Starts engine $1 from the programs in `prefix`, with `registry` as mirror.
start_engine() {
  local name=$1 home bridge mtu subnet
  home=$(engine_home "$name")
  bridge=$(bridge_of "$name")
  # A socket's path ends at 107 characters.
  [[ ${#home} -le 90 ]] || die "the path \`$home\` is too long for a socket" "set FLOWSTORAGE_ENGINE_DIR to a shorter one"
  say "starting engine \`$name\`"
  end_processes "$name"
  mkdir -p "$home"
  mount_cgroups
  mtu=$(outer_mtu)
  subnet=$(raise_bridge "$bridge" "$mtu")
  printf '%s %s\n' "$bridge" "$subnet" >"$home/bridge"
  bridge_rules add "$bridge" "$subnet"
  echo 1 | as_root tee /proc/sys/net/ipv4/ip_forward >/dev/null
  write_engine_files "$home" "$bridge" "$mtu"
  launch "$home/containerd.pid" "$home/containerd.log" "$prefix/usr/bin/containerd" --config "$home/containerd.toml"
  wait_for 20 test -S "$home/containerd.sock" || die "\`containerd\` does not answer" "see $home/containerd.log"
  launch "$home/dockerd.pid" "$home/dockerd.log" "$prefix/usr/sbin/dockerd" --config-file "$home/daemon.json"
  wait_for 40 engine_pid "$name" || die "\`dockerd\` does not answer" "see $home/dockerd.log"
}

# Ends the engine's daemons, and whatever steps and containers a killed dockerd
# left running: they are known by a root file system inside the engine's folder.
end_processes() {
  local home left
  home=$(engine_home "$1")
  finish "$home/dockerd.pid" dockerd
  finish "$home/containerd.pid" containerd
  # Processes come and go while they are looked at, and mostly none is left.
  left=$(as_root grep -ls -- " / / .*$home/" /proc/[0-9]*/mountinfo | cut -d/ -f3 || true)
  left+=" $(pgrep -f -- "containerd-shim.* -address $home/containerd.sock" || true)"
  # shellcheck disable=SC2086 # A list of pids.
  [[ $left == ' ' ]] || as_root kill -KILL $left 2>/dev/null || true
  as_root rm -f "$home"/{dockerd.self,docker.sock,containerd.sock,containerd.sock.ttrpc}
}

# Takes engine $1 down with its folder.
stop_engine() {
  local name=$1 home bridge subnet
  home=$(engine_home "$name")
  [[ -d $home ]] || return 0
  say "stopping engine \`$name\`"
  end_processes "$name"
  if [[ -s $home/bridge ]]; then
    read -r bridge subnet <"$home/bridge"
    bridge_rules remove "$bridge" "$subnet"
    as_root ip link delete "$bridge" 2>/dev/null || true
  fi
  unmount_below "$home"
  as_root rm -rf --one-file-system "$home"
}

# Unmounts everything below the folder $1, the latest mount first.
unmount_below() {
  local target
  while read -r target; do
    as_root umount -l "$target"
  done < <(awk -v top="$1/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac)
}
