#!/usr/bin/env bash
# Installs the Debian packages that the end-to-end suite starts as partners: a database, a SAML identity provider,
# an OpenID relying party and a browser. Idempotent; never leaves one of their daemons running.
#   apt.sh rust   only what the Rust tests need
#   apt.sh        everything
set -euo pipefail

# The httpd is a dependency of simplesamlphp that we never start; micro-httpd is the smallest that satisfies it.
packages=(
  postgresql-15 python3-venv
  simplesamlphp micro-httpd php8.2-cli php8.2-cgi php8.2-xml php8.2-mbstring php8.2-curl
  apache2 libapache2-mod-auth-openidc
  chromium fonts-dejavu-core
  xmlsec1 openssl ca-certificates sqlite3
)
if [ "${1:-all}" = rust ]; then packages=(postgresql-15 xmlsec1); fi

if ! command -v dpkg-query >/dev/null; then
  echo "This suite installs its partners from Debian's packages; elsewhere run ./test quick" >&2
  exit 1
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "apt: all ${#packages[@]} packages are present"
  exit 0
fi

sudo=()
if [ "$(id -u)" -ne 0 ]; then sudo=(sudo); fi

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
