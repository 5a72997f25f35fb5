#!/usr/bin/env bash
# A throw-away PostgreSQL cluster for measurements: durable, as in production (fsync and synchronous_commit are on).
#   postgres.sh start DIR   makes it, starts it on a free loopback port, and prints its URL and process id
#   postgres.sh stop DIR    stops it and removes DIR
# It trusts every local connection: not for anything that matters.
set -euo pipefail

action=${1:?start or stop}
directory=$(realpath -m "${2:?directory}")
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

# The server refuses to run as root, so root lends it the account that Debian's package made.
as=()
if [ "$(id -u)" -eq 0 ]; then as=(runuser -u postgres --); fi

case "$action" in
start)
  mkdir -p "$directory"
  if [ "$(id -u)" -eq 0 ]; then chown postgres "$directory"; fi
  cd "$directory"
  "${as[@]}" "$bin/initdb" -D "$directory/data" -U provost -A trust -E UTF8 --locale=C.UTF-8 >"$directory/initdb.log"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "${as[@]}" "$bin/pg_ctl" -D "$directory/data" -w -t 60 -l "$directory/data/server.log" -o "-c port=$port \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100" start >/dev/null
  for database in signin startup scim jackson django; do
    "$bin/createdb" -h 127.0.0.1 -p "$port" -U provost "$database"
  done
  echo "postgres://provost@127.0.0.1:$port $(head -n 1 "$directory/data/postmaster.pid")"
  ;;
stop)
  [ -d "$directory" ] || exit 0
  cd /
  if [ -f "$directory/data/postmaster.pid" ]; then
    "${as[@]}" "$bin/pg_ctl" -D "$directory/data" -w -t 30 -m fast stop >/dev/null 2>&1 || true
  fi
  rm -rf "$directory"
  ;;
*)
  echo "usage: $0 start|stop DIR" >&2
  exit 2
  ;;
esac
