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
exec "$(dirname "$0")/packages.sh" "${packages[@]}"
