# shellcheck shell=bash disable=SC2034,SC2154 # Variables cross these files.
# Makes the root file system of the Python base image: Debian 12 with this
# machine's way to the package registries.
#
# Invariant: the result is named after everything it is made from: this file,
# the mirrors, and what this machine needs to reach them.

readonly bundle=/etc/ssl/certs/ca-certificates.crt

# Prints the apt sources of the base image: Debian 12 from this machine's mirrors.
image_sources() {
  local mirror security
  mirror=$(debian_mirror)
  printf 'deb %s bookworm main\ndeb %s bookworm-updates main\n' "$mirror" "$mirror"
  security=$(mirror_of bookworm-security)
  [[ -z $security ]] || printf 'deb %s bookworm-security main\n' "$security"
}

# Prints the settings that this machine's apt needs to reach its mirrors.
image_apt_settings() {
  apt-config dump | grep -E '^Acquire::(https?::(Proxy|CaInfo|Verify-Peer|Verify-Host)\b|Check-(Date|Valid-Until) )' || true
}

# Prints one of this machine's pip settings, from the environment or its files.
pip_setting() {
  local variable=PIP_${1^^}
  variable=${variable//-/_}
  if [[ -n ${!variable-} ]]; then
    printf '%s\n' "${!variable}"
  else
    python3 -m pip config get "global.$1" 2>/dev/null || true
  fi
}

# Writes to folder $1 the files that let an image reach the package registries:
# certificates that Debian does not know, and the indexes for pip and uv.
write_machine_files() {
  local top=$1 index extra
  mkdir -p "$top/usr/local/share/ca-certificates" "$top/etc/uv"
  # Debian's own certificates come with its package; the rest of this machine's
  # bundle is kept one by one, so that the image can rebuild its bundle itself.
  awk -v top="$top/usr/local/share/ca-certificates" '
    FNR == 1 { file++ }
    /BEGIN CERTIFICATE/ { body = "" }
    { body = body $0 "\n" }
    /END CERTIFICATE/ {
      if (file == 1) known[body] = 1
      else if (!(body in known)) {
        known[body] = 1
        printf "%s", body > sprintf("%s/machine-%03d.crt", top, ++count)
      }
    }' <(find /usr/share/ca-certificates -name '*.crt' -exec cat {} +) "${SSL_CERT_FILE:-$bundle}"
  index=$(pip_setting index-url)
  extra=$(pip_setting extra-index-url)
  {
    printf '[global]\ncert = %s\n' "$bundle"
    [[ -z $index ]] || printf 'index-url = %s\n' "$index"
    [[ -z $extra ]] || printf 'extra-index-url = %s\n' "$extra"
  } >"$top/etc/pip.conf"
  {
    [[ -z $index ]] || printf 'index-url = "%s"\n' "$index"
    # shellcheck disable=SC2086 # pip separates indexes by spaces.
    [[ -z $extra ]] || printf 'extra-index-url = [%s]\n' "$(printf '"%s", ' $extra)"
  } >"$top/etc/uv/uv.toml"
}

# Prints the variables that the inputs depend on.
input_environment() {
  printf '%s=%s\n' pip "${PIP_INDEX_URL-} ${PIP_EXTRA_INDEX_URL-} ${PIP_CONFIG_FILE-}" certificates "${SSL_CERT_FILE-}"
}

# Succeeds if nothing that the inputs are made from changed since. Asking apt and
# pip takes seconds, and `up` runs before every test.
inputs_current() {
  local changed
  [[ -e $1/environment && $(<"$1/environment") == "$(input_environment)" ]] || return 1
  # Most machines have only some of these.
  changed=$(find /etc/apt /usr/share/ca-certificates "${SSL_CERT_FILE:-$bundle}" \
    /etc/pip.conf /etc/xdg/pip ~/.pip ~/.config/pip "${PIP_CONFIG_FILE:-/etc/pip.conf}" "$here/lib/rootfs.sh" \
    -newer "$1/environment" -print -quit 2>/dev/null || true)
  [[ -z $changed ]]
}

# Gathers what the root file system is made from in folder $1.
gather_inputs() {
  rm -rf "$1"
  write_machine_files "$1/machine"
  image_sources >"$1/sources.list"
  image_apt_settings >"$1/apt.conf"
  input_environment >"$1/environment"
}

# Prints the cache folder of the root file system, named after what goes in.
rootfs_dir() {
  local inputs=$engine_dir/inputs
  inputs_current "$inputs" || gather_inputs "$inputs"
  printf '%s/rootfs-%s\n' "$cache" "$(
    { grep -v '^ *#' "$here/lib/rootfs.sh" && cd "$inputs" && find . -type f ! -name environment | sort | xargs sha256sum; } | digest
  )"
}

# Makes the root file system in folder $1, all or nothing.
make_rootfs() {
  local target=$1 inputs=$engine_dir/inputs
  rm -rf "$target.partial"
  mkdir -p "$target.partial"
  cp -a "$inputs/machine" "$target.partial/machine"
  # As the real image does, ours leaves out manuals, and its docker-clean deletes
  # package archives after each installation: a cache mount has to undo that.
  as_root mmdebstrap --quiet --variant=minbase \
    --include=python3,python3-pip,python3-venv,ca-certificates,netbase,tzdata \
    --aptopt="$inputs/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt=force-unsafe-io \
    --customize-hook="copy-in $here/images/python/docker-clean /etc/apt/apt.conf.d" \
    bookworm "$target.partial/rootfs.tar" - <"$inputs/sources.list"
  as_root chown "$(id -u):$(id -g)" "$target.partial/rootfs.tar"
  mv "$target.partial" "$target"
}
