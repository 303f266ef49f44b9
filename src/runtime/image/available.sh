# Prints, for each argument, the first of its names that apt can install here; a package has
# several, separated by `|`, where releases call it differently. What this release has under none
# of them is left out, and said in a line that the builder shows.
#
# Invariant: prints names that were given, and nothing else, on standard output.
set -eu

wanted=$(printf '%s\n' "$@" | tr '|' '\n')
known=" $(apt-cache pkgnames | grep -xF -- "$wanted" | tr '\n' ' ') "

for names in "$@"; do
  rest=$names
  while :; do
    name=${rest%%|*}
    case $known in
      *" $name "*)
        printf '%s\n' "$name"
        break
        ;;
    esac
    if [ "$name" = "$rest" ]; then
      printf 'flowstorage-check: {"level":"warning","check":"packages","subject":"%s","message":"the base has no package `%s`, which is needed; it is left out","remedy":"add what it is called there to `system_packages` or `build_packages`, or exclude it by `exclude_system_packages`"}\n' \
        "${names%%|*}" "${names%%|*}" >&2
      break
    fi
    rest=${rest#*|}
  done
done
