# shellcheck shell=bash disable=SC2034,SC2154 # Variables cross these files.
# Fetches the programs of the engine from Debian and unpacks them privately.
#
# Invariant: nothing is installed; apt's own sources, lists and cache stay as
# they are.

# The engine comes from testing: Debian 12's is too old for the containerd image
# store. runc comes from Debian 12, testing's needs a newer libc.
readonly engine_packages=(docker.io/forky containerd/forky docker-buildx/forky runc/bookworm docker-registry/bookworm)
readonly cli_packages=(docker-cli/forky)
# 0.13.1 prints its rawjson over several lines, so it is tested against as well.
readonly old_buildx_packages=(docker-buildx/trixie)
readonly buildx_path=usr/libexec/docker/cli-plugins/docker-buildx

# Prints the folder in the cache that a part unpacks to.
part_dir() {
  local name=$1
  shift
  printf '%s/%s-%s\n' "$cache" "$name" "$(printf '%s\n' "$@" | digest)"
}

# Prints the address of the mirror that this machine uses for the release $1.
mirror_of() {
  # shellcheck disable=SC2016 # apt expands these.
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
    awk -v release="$1" '$2 == release && !found++ { print $1 }'
}

# Prints the mirror of the main Debian archive.
debian_mirror() {
  local codename mirror
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
  mirror=$(mirror_of "$codename")
  [[ -n $mirror && -e /usr/share/keyrings/debian-archive-keyring.gpg ]] ||
    die "no Debian mirror in the apt sources of this machine" "use Debian 12, or start a Docker engine yourself"
  printf '%s\n' "$mirror"
}

# Runs apt-get on private sources, lists and cache under $apt.
private_apt() {
  apt-get -q -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
    -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" "$@"
}

# Unpacks the packages PACKAGE/RELEASE… to the folder $1, all or nothing.
unpack_part() {
  local target=$1 package
  shift
  rm -rf "$target.partial"
  mkdir -p "$target.partial" "$apt/debs"
  (
    cd "$apt/debs" || exit
    rm -f ./*.deb
    private_apt download "$@"
    for package in ./*.deb; do
      dpkg -x "$package" "$target.partial"
    done
  )
  mv "$target.partial" "$target"
}

# Makes the parts present; sets `prefix` and `old_buildx`, and puts a docker
# client on PATH where the machine has none.
fetch_parts() {
  local with_cli=$1 cli apt=$cache/apt log=$cache/parts.log
  prefix=$(part_dir engine "${engine_packages[@]}")
  cli=$(part_dir cli "${cli_packages[@]}")
  old_buildx=$(part_dir old-buildx "${old_buildx_packages[@]}")
  if [[ ! -d $prefix || ! -d $old_buildx || ($with_cli == yes && ! -d $cli) ]]; then
    say "fetching the engine's programs from Debian"
    mkdir -p "$apt"/{lists,cache}/partial
    local mirror release
    mirror=$(debian_mirror)
    for release in bookworm trixie forky; do
      printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$release"
    done >"$apt/sources.list"
    {
      private_apt update
      [[ -d $prefix ]] || unpack_part "$prefix" "${engine_packages[@]}"
      [[ -d $old_buildx ]] || unpack_part "$old_buildx" "${old_buildx_packages[@]}"
      [[ $with_cli == no || -d $cli ]] || unpack_part "$cli" "${cli_packages[@]}"
    } >"$log" 2>&1 || die "cannot fetch the engine from Debian" "see $log"
    rm -rf "$apt"
  fi
  old_buildx=$old_buildx/$buildx_path
  if [[ $with_cli == yes ]]; then
    PATH=$cli/usr/bin:$PATH
  fi
}
