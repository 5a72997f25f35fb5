#!/usr/bin/env bash
# A throw-away PostgreSQL cluster for tests and measurements.
#   postgres.sh start DIR           creates it if needed, starts it on a random loopback port and prints its URL
#   postgres.sh start DIR durable   the same with the settings of production: what is committed is on the disk
#   postgres.sh stop DIR            stops it and removes DIR
# Not for anything that matters: it trusts every local connection and, unless durable, does not sync to disk.
set -euo pipefail

action=${1:?start or stop}
directory=$(realpath -m "${2:?directory}")
settings=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB)
if [ "${3:-}" = durable ]; then settings=(); fi
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb)")

# The server refuses to run as root, so root lends it the account that Debian's package made.
as=()
if [ "$(id -u)" -eq 0 ]; then as=(runuser -u postgres --); fi

case "$action" in
start)
  mkdir -p "$directory"
  if [ "$(id -u)" -eq 0 ]; then chown postgres "$directory"; fi
  cd "$directory"
  if [ ! -d data ]; then
    "${as[@]}" "$bin/initdb" -D "$directory/data" -U provost -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
      >"$directory/initdb.log" 2>&1 || { cat "$directory/initdb.log" >&2; exit 1; }
  fi
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
    node -e 'const s = require("net").createServer(); s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
  "${as[@]}" "$bin/pg_ctl" -D "$directory/data" -w -t 60 -l "$directory/data/server.log" -o "-c port=$port \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300 ${settings[*]}" start >/dev/null 2>&1 \
    || { tail -n 20 "$directory/data/server.log" >&2; exit 1; }
  echo "postgres://provost@127.0.0.1:$port/postgres"
  ;;
stop)
  [ -d "$directory" ] || exit 0
  cd /
  if [ -f "$directory/data/postmaster.pid" ]; then
    "${as[@]}" "$bin/pg_ctl" -D "$directory/data" -w -t 30 -m immediate stop >/dev/null 2>&1 || true
  fi
  rm -rf "$directory"
  ;;
*)
  echo "usage: $0 start|stop DIR" >&2
  exit 2
  ;;
esac
