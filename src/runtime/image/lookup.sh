#!/bin/sh
# Asks the base image's own apt repositories which packages have some files.
#
# usage: lookup.sh QUESTIONS LISTS >ANSWER
#
# QUESTIONS is a folder with `literals`, `patterns` and `exact`, one per line each: a line of the
# repositories' lists of contents answers if it has a literal and matches a pattern. Once every one of
# `exact` matched, the list of packages for any architecture, the longest, need not be read.
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
APT::Update::Error-Mode "any";
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
# Lists of less than a day are fresh enough. What can be fetched is read, even if one repository of
# several does not answer.
sources=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | cksum | tr ' ' -)
stamp=$lists/updated-$sources-$(dpkg --print-architecture)
if [ -z "$(find "$stamp" -mmin -1440 2>/dev/null)" ]; then
  if apt-get --config-file "$config" update --quiet >&2; then
    : >"$stamp"
  fi
fi

export LC_ALL=C
search() {
  while read -r list; do
    # Listed are also those that a repository does not have.
    if [ -e "$list" ]; then
      /usr/lib/apt/apt-helper --config-file "$config" cat-file "$list" || true
    fi
  done | grep -F -f "$questions/literals" | grep -E -f "$questions/patterns" | head -n 5000 || true
}
is_answered() {
  while read -r pattern; do
    grep -E -q -e "$pattern" "$1" || return 1
  done <"$questions/exact"
}

targets=/tmp/flowstorage-targets
found=/tmp/flowstorage-found
apt-get --config-file "$config" indextargets --format '$(FILENAME)' 'Identifier: Contents-deb' \
  >"$targets"
count=0
while read -r list; do
  if [ -e "$list" ]; then
    count=$((count + 1))
  fi
done <"$targets"
printf 'lists=%s\n' "$count"
grep -v 'Contents-all' "$targets" | search >"$found"
is_answered "$found" \
  || grep 'Contents-all' "$targets" | search >>"$found"
cat "$found"
