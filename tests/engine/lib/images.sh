# shellcheck shell=bash disable=SC2034,SC2154 # Variables cross these files.
# Provides the base images: builds them once, keeps them as the storage of a
# registry, and copies that into the registry in use.
#
# Invariant: a name that an engine of someone else already resolves is left to
# mean what it means there.

readonly base_images=(
  python:3.11-slim
  prefecthq/prefect:1.4.1-python3.11
  prefecthq/prefect:3.8.8-python3.11
)

# Prints the path of image $1 in a registry that stands in for the public one.
registry_path() {
  case $1 in
    */*) printf '%s\n' "$1" ;;
    *) printf 'library/%s\n' "$1" ;;
  esac
}

# Prints the cache folder of the images made from root file system $1.
images_dir() {
  printf '%s/images-%s\n' "$cache" "$(
    {
      printf '%s\n' "${1##*/}"
      cd "$here/images" && find . -type f | sort | xargs sha256sum
    } | digest
  )"
}

# Builds one image and pushes it: IMAGE REGISTRY CONTEXT [ARGUMENT…].
build_image() {
  local image=$1 to=$2 context=$3
  shift 3
  say "building $image"
  # Attestations would say nothing about an image that never leaves the machine.
  docker buildx build --builder default --provenance=false --progress=plain \
    --tag "$to/$(registry_path "$image")" --push "$@" "$context" >>"$cache/images.log" 2>&1 9>&-
}

# Builds the images on top of the Python image in registry $1, side by side: one
# compiles while the other downloads.
build_prefect_images() {
  local base status=0
  base=$1/$(registry_path "${base_images[0]}")
  build_image "${base_images[1]}" "$1" "$here/images/prefect1" --build-arg BASE="$base" &
  build_image "${base_images[2]}" "$1" "$here/images/prefect3" --build-arg BASE="$base" || status=1
  wait $! && return "$status"
}

# Builds all images with the engine in DOCKER_HOST into registry storage $1.
build_images() {
  local target=$1 rootfs=$2 port
  end_build_registries
  as_root rm -rf "$target.partial"
  port=$(free_port 5100)
  start_registry "$target.partial" "$port"
  : >"$cache/images.log"
  if ! { build_image "${base_images[0]}" "127.0.0.1:$port" "$rootfs" \
    --file "$here/images/python/Dockerfile" &&
    build_prefect_images "127.0.0.1:$port"; }; then
    die "cannot build the base images" "see $cache/images.log"
  fi
  end_build_registries
  as_root mv "$target.partial/data" "$target"
  rm -rf "$target.partial"
}

# Removes what earlier recipes left in the cache: every NAME-* but the given one.
drop_others() {
  local keep=$1 entry
  for entry in "${keep%-*}"-*; do
    [[ $entry == "$keep" ]] || as_root rm -rf "$entry"
  done
}

# Makes the registry hold the base images. The root file system may be in the
# making already, by process $2.
ensure_images() {
  local rootfs=$1 maker=$2 store
  store=$(images_dir "$rootfs")
  if [[ ! -d $store ]]; then
    if [[ -n $maker ]]; then
      wait "$maker" || die "cannot make the Python base image" "see $cache/rootfs.log"
    fi
    build_images "$store" "$rootfs"
    drop_others "$rootfs"
    drop_others "$store"
  fi
  if [[ $(cat "$run/registry/images" 2>/dev/null) != "$store" ]]; then
    say "copying the base images into the registry"
    as_root cp -a "$store/." "$run/registry/data/"
    printf '%s\n' "$store" >"$run/registry/images"
  fi
}

# Starts making the root file system where it is needed; sets `rootfs` and
# `rootfs_maker`, empty if there is nothing to wait for.
begin_rootfs() {
  rootfs=$(rootfs_dir)
  rootfs_maker=''
  [[ ! -d $(images_dir "$rootfs") && ! -d $rootfs ]] || return 0
  need_packages mmdebstrap
  say "making the root file system of the Python image"
  # A process group of its own, so that it can be ended with all it started.
  set -m
  make_rootfs "$rootfs" >"$cache/rootfs.log" 2>&1 9>&- </dev/null &
  rootfs_maker=$!
  set +m
}

# Ends the making of the root file system, if it goes on.
end_rootfs() {
  if [[ -n ${rootfs_maker-} ]] && kill -TERM -- "-$rootfs_maker" 2>/dev/null; then
    wait "$rootfs_maker" || true
  fi
}

# Makes the base images' names resolve on an engine of someone else, which has
# no mirror to our registry.
name_images() {
  local image ours
  for image in "${base_images[@]}"; do
    docker image inspect "$image" >/dev/null 2>&1 && continue
    timeout 60 docker pull -q "$image" >/dev/null 2>&1 && continue
    say "naming our own $image on this engine"
    ours=$registry/$(registry_path "$image")
    docker pull -q "$ours" >/dev/null
    docker tag "$ours" "$image"
  done
}
