#!/usr/bin/env bash
# PostgreSQL for tests. QUIETUS_TEST_FSYNC=off trades durability for speed.
. "$(dirname "$0")/ground.bash"

binaries() {
  local found
  found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  if [ -x "$found" ]; then
    dirname "$found"
  elif found=$(command -v postgres); then
    dirname "$(readlink -f "$found")"
  else
    return 1
  fi
}

packages() { binaries >/dev/null || echo postgresql-15; }

start() {
  local folder=$1 bin port password turn
  bin=$(binaries)
  give_folder_to postgres "$folder"
  password=$(random_password)
  (umask 077 && printf '%s\n' "$password" >"$folder/password")
  if [ "$(id -u)" -eq 0 ]; then chown postgres "$folder/password"; fi
  # Passwords are checked: a test proves that wrong ones are refused.
  run_as postgres "$bin/initdb" --pgdata="$folder/data" --username=postgres \
    --auth=scram-sha-256 --pwfile="$folder/password" --encoding=UTF8 --locale=C.UTF-8 \
    --no-sync >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; return 1; }
  # The server's zone is unusual on purpose: whoever reads it instead of the data map is caught.
  cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = ${QUIETUS_TEST_FSYNC:-on}
max_connections = 200
shared_buffers = 256MB
max_wal_size = 4GB
timezone = 'Asia/Kolkata'
lc_messages = 'C'
log_line_prefix = '%m [%p] %d '
CONF
  for turn in 1 2 3; do
    port=$(free_port)
    if run_as postgres "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" \
      --options="-p $port" --timeout=60 --wait start >/dev/null 2>&1; then
      echo "QUIETUS_TEST_POSTGRES_URL=postgres://postgres:$password@127.0.0.1:$port/postgres"
      return 0
    fi
  done
  echo "postgresql did not start (tried $turn ports)" >&2
  log "$folder" >&2
  return 1
}

stop() {
  local folder=$1
  process_in "$folder/data/postmaster.pid" || return 0
  run_as postgres "$(binaries)/pg_ctl" --pgdata="$folder/data" --mode=immediate --wait stop \
    >/dev/null 2>&1 || end_process_in "$folder/data/postmaster.pid"
}

log() { tail -n 40 "$1/server.log" 2>/dev/null || true; }

answer "$@"
