#!/usr/bin/env bash
# MariaDB for tests, with a row-based binary log. QUIETUS_TEST_FSYNC=off trades durability for
# speed. The time-zone tables stay empty, as they are on most servers.
. "$(dirname "$0")/ground.bash"

daemon() { first_program mariadbd /usr/sbin/mariadbd; }
client() { first_program mariadb /usr/bin/mariadb; }

packages() {
  daemon >/dev/null || echo mariadb-server
  client >/dev/null || echo mariadb-client
}

start() {
  local folder=$1 port password turn
  local -a account=() durability=()
  give_folder_to mysql "$folder"
  if [ "$(id -u)" -eq 0 ]; then account=(--user=mysql); fi
  if [ "${QUIETUS_TEST_FSYNC:-on}" = off ]; then
    durability=(--innodb-flush-log-at-trx-commit=0 --sync-binlog=0 --innodb-flush-method=nosync
      --innodb-doublewrite=0)
  fi
  mariadb-install-db --no-defaults "${account[@]}" --datadir="$folder/data" \
    --auth-root-authentication-method=normal --skip-test-db >"$folder/install.log" 2>&1 ||
    { cat "$folder/install.log" >&2; return 1; }
  for turn in 1 2 3; do
    port=$(free_port)
    # The server's zone is unusual on purpose: whoever reads it instead of the data map is caught.
    setsid nohup "$(daemon)" --no-defaults "${account[@]}" --datadir="$folder/data" \
      --socket="$folder/socket" --pid-file="$folder/pid" --port="$port" \
      --bind-address=127.0.0.1 --skip-name-resolve --server-id=1 --log-bin=binlog \
      --binlog-format=ROW --default-time-zone=+05:30 --character-set-server=utf8mb4 \
      --max-connections=200 --innodb-buffer-pool-size=256M --innodb-log-file-size=256M \
      "${durability[@]}" >"$folder/server.log" 2>&1 </dev/null &
    if await_socket "$folder" $!; then
      password=$(random_password)
      run_sql "$folder" "CREATE USER quietus@'127.0.0.1' IDENTIFIED BY '$password';
        GRANT ALL PRIVILEGES ON *.* TO quietus@'127.0.0.1' WITH GRANT OPTION;"
      echo "QUIETUS_TEST_MARIADB_URL=mysql://quietus:$password@127.0.0.1:$port/mysql"
      return 0
    fi
  done
  echo "mariadb did not start (tried $turn ports)" >&2
  log "$folder" >&2
  return 1
}

run_sql() { "$(client)" --no-defaults --user=root --socket="$1/socket" --execute="$2"; }

await_socket() {
  local folder=$1 pid=$2 turn
  for turn in $(seq 1 600); do
    if run_sql "$folder" 'SELECT 1' >/dev/null 2>&1; then return 0; fi
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  echo "mariadb gave no answer in $((turn / 10)) seconds" >&2
  kill "$pid" 2>/dev/null || true
  return 1
}

stop() { end_process_in "$1/pid"; }

log() { tail -n 40 "$1/server.log" 2>/dev/null || true; }

answer "$@"
