#!/bin/sh
# Asks the base image's own apt repositories which packages have some files.
#
# usage: lookup.sh QUESTIONS LISTS >ANSWER
#
# QUESTIONS is a folder with `literals` and `patterns`, one per line each: a line of the
# repositories' lists of contents answers if it has one of the former and matches one of the latter.
# LISTS is a folder that keeps what was downloaded. ANSWER begins with what the base is.
set -eu
questions=$1
lists=$2

codename=''
if [ -r /etc/os-release ]; then
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
fi
printf 'codename=%s\n' "$codename"
if ! command -v apt-get >/dev/null; then
  printf 'apt=no\n'
  exit 0
fi
printf 'apt=yes\n'
[ -s "$questions/patterns" ] || exit 0

# The targets are those of apt-file; a repository has one or the other. Nothing else is fetched.
config=/tmp/flowstorage-contents.conf
cat >"$config" <<'END'
Acquire::Languages "none";
Acquire::Retries "2";
APT::Get::List-Cleanup "false";
Acquire::IndexTargets {
  deb::Packages::DefaultEnabled "false";
  deb::Translations::DefaultEnabled "false";
  deb-src::Sources::DefaultEnabled "false";
  deb {
    Contents-deb {
      MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";
      ShortDescription "Contents-$(ARCHITECTURE)";
      Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents";
      flatMetaKey "Contents-$(ARCHITECTURE)";
      flatDescription "$(RELEASE) Contents";
      PDiffs "false";
      KeepCompressed "true";
      KeepCompressedAs "gz xz lz4";
      DefaultEnabled "true";
      Identifier "Contents-deb";
    };
    Contents-deb-legacy {
      MetaKey "Contents-$(ARCHITECTURE)";
      ShortDescription "Contents-$(ARCHITECTURE)";
      Description "$(RELEASE) $(ARCHITECTURE) Contents";
      PDiffs "false";
      KeepCompressed "true";
      KeepCompressedAs "gz xz lz4";
      DefaultEnabled "true";
      Identifier "Contents-deb";
      Fallback-Of "Contents-deb";
    };
  };
};
END
printf 'Dir::State::Lists "%s";\n' "$lists" >>"$config"
mkdir -p "$lists/partial"
# What can be fetched is read, even if one repository of several does not answer.
apt-get --config-file "$config" update --quiet >&2 || true

apt-get --config-file "$config" indextargets --format '$(FILENAME)' 'Identifier: Contents-deb' \
  | while read -r list; do
    # Listed are also those that a repository does not have.
    for file in "$list"*; do
      if [ -e "$file" ]; then
        /usr/lib/apt/apt-helper --config-file "$config" cat-file "$file" || true
      fi
    done
  done \
  | LC_ALL=C grep -F -f "$questions/literals" \
  | LC_ALL=C grep -E -f "$questions/patterns" \
  | head -n 5000 || true
