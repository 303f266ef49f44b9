# Unpacks Oracle Instant Client, and tells the loader of the image where it is.
#
# usage: oracle-instantclient.sh ARCHIVE FOLDER
set -eu

archive=$1 target=$2
python3 - "$archive" "$target" <<'PYTHON'
import os
import stat
import sys
import zipfile

archive, target = sys.argv[1:]
try:
    opened = zipfile.ZipFile(archive)
except zipfile.BadZipFile:
    sys.exit("ERROR: the file of the recipe oracle-instantclient is no zip archive")
for entry in opened.infolist():
    path = opened.extract(entry, target)
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        # Links are stored as files that hold their target.
        with open(path) as file:
            name = file.read()
        if "/" in name:
            sys.exit(f"ERROR: the archive links {entry.filename} to {name}")
        os.remove(path)
        os.symlink(name, path)
    elif stat.S_IMODE(mode):
        os.chmod(path, stat.S_IMODE(mode) & 0o755)
PYTHON
library=$(find "$target" -name 'libclntsh.so*' | sort | head -n 1)
[ -n "$library" ] || {
    echo "ERROR: the archive of the recipe oracle-instantclient has no libclntsh.so: take Basic or Basic Light" >&2
    exit 1
}
dirname "$library" >/etc/ld.so.conf.d/oracle-instantclient.conf
# The client asks for the name that the library had before its type of time grew.
for renamed in /usr/lib/*/libaio.so.1t64; do
    if [ -e "$renamed" ] && [ ! -e "${renamed%t64}" ]; then
        ln -s libaio.so.1t64 "${renamed%t64}"
    fi
done
ldconfig
rm -f /var/cache/ldconfig/aux-cache
