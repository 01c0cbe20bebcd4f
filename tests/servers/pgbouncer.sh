#!/usr/bin/env bash
# Two PgBouncers in transaction mode before the PostgreSQL of the tests, which runs already: one as it
# comes, which refuses what it does not know at the start of a connection, and one that passes over it
# in silence. Few connections of the server are shared by many.
. "$(dirname "$0")/ground.bash"

daemon() { first_program pgbouncer /usr/sbin/pgbouncer; }

packages() { daemon >/dev/null || echo pgbouncer; }

start() {
  local folder=$1 server=${QUIETUS_TEST_POSTGRES_URL:?"start PostgreSQL first"} strict lenient
  local account=${server#*://}
  local password=${account#*:} address=${account#*@}
  account=${account%%:*} password=${password%%@*} address=${address%%/*}
  give_folder_to postgres "$folder"
  (umask 077 && printf '"%s" "%s"\n' "$account" "$password" >"$folder/accounts")
  if [ "$(id -u)" -eq 0 ]; then chown postgres "$folder/accounts"; fi
  strict=$(start_one "$folder" strict "$address") || return 1
  lenient=$(start_one "$folder" lenient "$address" \
    'ignore_startup_parameters = extra_float_digits, options') || return 1
  echo "QUIETUS_TEST_PGBOUNCER_URL=postgres://$account:$password@127.0.0.1:$strict/postgres"
  echo "QUIETUS_TEST_PGBOUNCER_LENIENT_URL=postgres://$account:$password@127.0.0.1:$lenient/postgres"
}

# Starts one, and prints its port.
start_one() {
  local folder=$1 name=$2 address=$3 more=${4:-} port turn
  for turn in 1 2 3; do
    port=$(free_port)
    # Connections that nobody needs go soon: every test has a database of its own.
    cat >"$folder/$name.ini" <<CONF
[databases]
* = host=${address%:*} port=${address##*:}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/accounts
pool_mode = transaction
default_pool_size = 4
max_client_conn = 1000
server_idle_timeout = 5
logfile = $folder/$name.log
pidfile = $folder/$name.pid
$more
CONF
    if run_as postgres "$(daemon)" --quiet --daemon "$folder/$name.ini" >&2 &&
      await_port "$port" "$folder/$name.pid"; then
      echo "$port"
      return 0
    fi
  done
  echo "pgbouncer did not start (tried $turn ports)" >&2
  log "$folder" >&2
  return 1
}

await_port() {
  local port=$1 pid_file=$2 turn
  for turn in $(seq 1 100); do
    if process_in "$pid_file" && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      return 0
    fi
    sleep 0.1
  done
  echo "pgbouncer gave no answer in $((turn / 10)) seconds" >&2
  end_process_in "$pid_file"
  return 1
}

stop() {
  end_process_in "$1/strict.pid"
  end_process_in "$1/lenient.pid"
}

log() { tail -n 40 "$1/strict.log" "$1/lenient.log" 2>/dev/null || true; }

answer "$@"
