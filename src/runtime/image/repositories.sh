#!/bin/sh
# Makes of the repositories of a spec what apt takes: their files with the release of this image
# in it, and their keys with the ending that apt tells their form by.
#
# usage: repositories.sh SENT DOWNLOADED RESULT
set -eu

sent=$1 downloaded=$2 result=$3

fail() {
    echo "ERROR: $1" >&2
    exit 1
}

# The form of a key: asc for text, gpg for bytes. The first byte of a binary key tells its packet.
form() {
    if grep -q -e '-----BEGIN PGP PRIVATE KEY BLOCK-----' "$1"; then
        fail "$2 is a private key; a repository is checked with the public one"
    fi
    if grep -q -e '-----BEGIN PGP PUBLIC KEY BLOCK-----' "$1"; then
        echo asc
        return
    fi
    case $(head -c 1 "$1" | od -A n -t u1 | tr -d ' ') in
        152 | 153 | 154 | 198) echo gpg ;;
        *) fail "$2 is no PGP public key" ;;
    esac
}

os_release() {
    # In a subshell: what it sets is not ours.
    value=$(. /etc/os-release 2>/dev/null && eval "printf %s \"\${$1:-}\"")
    case $value in
        *[!A-Za-z0-9._-]*) value= ;;
    esac
    printf %s "$value"
}

mkdir -p "$result/keys"
script=$(mktemp)
for pair in codename=VERSION_CODENAME version=VERSION_ID id=ID; do
    name=${pair%%=*} variable=${pair#*=}
    value=$(os_release "$variable")
    if [ -n "$value" ]; then
        echo "s|{$name}|$value|g" >>"$script"
    elif grep -q "{$name}" "$sent"/*.sources; then
        fail "the base's /etc/os-release has no $variable, which {$name} of apt_repositories stands for"
    fi
done
for key in "$sent"/keys/* "$downloaded"/*; do
    [ -f "$key" ] || continue
    name=${key##*/}
    form=$(form "$key" "the key ${name%.key}")
    cp "$key" "$result/keys/${name%.key}.$form"
    chmod 644 "$result/keys/${name%.key}.$form"
    # printf: the echo of some shells reads backslashes itself.
    printf 's,/%s\( \|$\),/%s.%s\\1,g\n' "$name" "${name%.key}" "$form" >>"$script"
done
for file in "$sent"/*.sources; do
    sed -f "$script" "$file" >"$result/${file##*/}"
    chmod 644 "$result/${file##*/}"
done
rm "$script"
