# Lets every program that uses OpenSSL speak old versions of TLS, whatever the release's own
# openssl.cnf says or leaves out.
#
# usage: openssl-legacy-tls.sh VERSION SECLEVEL
set -eu

version=$1 level=$2
file=$(readlink -f /usr/lib/ssl/openssl.cnf)
[ -f "$file" ] || {
    echo "ERROR: the base has no openssl.cnf" >&2
    exit 1
}
new=$(mktemp)
trap 'rm -f "$new"' EXIT

# Prints the value of a key of a section; the section without a name comes first in the file.
value() {
    awk -v wanted="$1" -v key="$2" '
        { line = $0; sub(/#.*/, "", line) }
        line ~ /^[ \t]*\[.*\]/ { gsub(/^[ \t]*\[[ \t]*|[ \t]*\].*$/, "", line); section = line; next }
        section == wanted && (at = index(line, "=")) {
            name = substr(line, 1, at - 1); gsub(/[ \t]/, "", name)
            found = substr(line, at + 1); gsub(/^[ \t]+|[ \t]+$/, "", found)
            if (name == key) result = found
        }
        END { print result }' "$file"
}

# Sets a key of a section, which is made where it is missing; older values of the key go.
set_value() {
    awk -v wanted="$1" -v key="$2" -v value="$3" '
        function put() { print key " = " value; done = 1 }
        BEGIN { if (wanted == "") put() }
        { line = $0; sub(/#.*/, "", line) }
        line ~ /^[ \t]*\[.*\]/ {
            gsub(/^[ \t]*\[[ \t]*|[ \t]*\].*$/, "", line); section = line
            print
            if (section == wanted && !done) put()
            next
        }
        {
            at = index(line, "="); name = substr(line, 1, at - 1); gsub(/[ \t]/, "", name)
            if (section == wanted && at && name == key) next
            print
        }
        END { if (!done) { print "\n[" wanted "]"; put() } }' "$file" >"$new"
    cat "$new" >"$file"
}

# The name of the section that a key leads to.
section() {
    name=$(value "$1" "$2")
    if [ -z "$name" ]; then
        name=$3
        set_value "$1" "$2" "$name"
    fi
    printf %s "$name"
}

init=$(section "" openssl_conf openssl_init)
ssl=$(section "$init" ssl_conf ssl_sect)
defaults=$(section "$ssl" system_default system_default_sect)
set_value "$defaults" MinProtocol "$version"
set_value "$defaults" CipherString "DEFAULT@SECLEVEL=$level"
