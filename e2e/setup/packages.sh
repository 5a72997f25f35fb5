#!/usr/bin/env bash
# Installs the Debian packages named as arguments, where they are missing. Idempotent; never leaves one of their daemons running.
set -euo pipefail

if ! command -v dpkg-query >/dev/null; then
  echo "This installs Debian packages; elsewhere run ./test quick" >&2
  exit 1
fi
missing=()
for package in "$@"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "apt: all $# packages are present"
  exit 0
fi

sudo=()
if [ "$(id -u)" -ne 0 ]; then
  sudo=(sudo)
  # Nobody is there who could be asked for a password.
  [ -t 0 ] || sudo=(sudo -n)
fi

# Package scripts start what they install. A policy that says no is Debian's way to prevent that.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod 755 "$policy"
  trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi

install_missing() {
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null
}
log=$(mktemp)
echo "apt: installing ${missing[*]}"
# A stale or absent package list is the usual first failure on a fresh machine: update once, then try again.
if ! install_missing >"$log" 2>&1; then
  "${sudo[@]}" apt-get update -qq >>"$log" 2>&1
  if ! install_missing >>"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
  fi
fi
rm -f "$log"
