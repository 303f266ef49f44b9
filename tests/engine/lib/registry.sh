# shellcheck shell=bash disable=SC2034,SC2154 # Variables cross these files.
# Runs the image registry on loopback.
#
# Invariant: once a port is chosen it stays until `down`, because engines carry
# it as their mirror.

# Succeeds if something listens on loopback port $1.
listens() { (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the first free port from $1 on.
free_port() {
  local port
  for ((port = $1; port < $1 + 200; port++)); do
    listens "$port" || { printf '%s\n' "$port"; return; }
  done
  die "no free port from $1 on"
}

# Starts a registry of folder $1 on port $2.
start_registry() {
  local home=$1 port=$2
  mkdir -p "$home/data"
  cat >"$home/config.yml" <<EOT
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $home/data}
  delete: {enabled: true}
http: {addr: "127.0.0.1:$port"}
EOT
  launch "$home/registry.pid" "$home/registry.log" "$prefix/usr/bin/docker-registry" serve "$home/config.yml"
  wait_for 10 listens "$port" || die "the registry does not answer on port $port" "see $home/registry.log"
}

# Ends the registries that images were being built into, also those that an
# `up` which was killed left behind.
end_build_registries() {
  local record
  for record in "$cache"/images-*.partial/registry.pid; do
    [[ ! -e $record ]] || finish "$record" docker-registry
  done
}

# Makes the registry answer; sets `registry` to its address.
ensure_registry() {
  local home=$run/registry port
  if [[ -s $home/port ]] && running "$home/registry.pid" docker-registry >/dev/null; then
    read -r port <"$home/port"
  else
    mkdir -p "$home"
    if [[ -s $home/port ]]; then
      read -r port <"$home/port"
      ! listens "$port" || die "port $port, which the engines take for the registry, is in use" "tests/engine/down"
    else
      port=$(free_port 5000)
      printf '%s\n' "$port" >"$home/port"
    fi
    say "starting the registry on 127.0.0.1:$port"
    start_registry "$home" "$port"
  fi
  registry=127.0.0.1:$port
}
