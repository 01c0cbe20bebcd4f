#!/usr/bin/env bash
# Tools that keep copies: restic and Borg for repositories that tests make themselves; pgBackRest
# and barman with a PostgreSQL of their own that archives to both, and of which both have copies
# from before and after somebody was erased. Tests work on copies of FOLDER/pgbackrest and
# FOLDER/barman, and read FOLDER/erased (seconds since 1970). QUIETUS_TEST_BACKUP_ACCOUNT names who
# owns these, where it is somebody else.
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

packages() {
  command -v restic >/dev/null || echo restic
  command -v borg >/dev/null || echo borgbackup
  command -v pgbackrest >/dev/null || echo pgbackrest
  command -v barman >/dev/null || echo barman
  command -v faketime >/dev/null || echo faketime
  command -v psql >/dev/null || echo postgresql-client
  binaries >/dev/null || echo postgresql-15
}

account() { if [ "$(id -u)" -eq 0 ]; then echo postgres; else id -un; fi; }

# configure FOLDER PORT BIN: settings of the three.
configure() {
  local folder=$1 port=$2 bin=$3
  mkdir -p "$folder/pgbackrest/repository" "$folder/pgbackrest/log" "$folder/pgbackrest/lock" \
    "$folder/pgbackrest/spool" "$folder/barman/home" "$folder/barman/servers" "$folder/socket"
  cat >>"$folder/data/postgresql.conf" <<CONF
port = $port
listen_addresses = ''
unix_socket_directories = '$folder/socket'
fsync = ${QUIETUS_TEST_FSYNC:-on}
max_connections = 20
wal_level = replica
archive_mode = on
archive_command = '$folder/archive-to-pgbackrest-and-barman %p %f'
lc_messages = 'C'
CONF
  cat >"$folder/archive-to-pgbackrest-and-barman" <<TEXT
#!/bin/sh
set -e
pgbackrest --config=$folder/pgbackrest/pgbackrest.conf --stanza=shop archive-push "\$1"
cp "\$1" "$folder/barman/home/shop/incoming/.\$2"
mv "$folder/barman/home/shop/incoming/.\$2" "$folder/barman/home/shop/incoming/\$2"
TEXT
  chmod 755 "$folder/archive-to-pgbackrest-and-barman"
  cat >"$folder/pgbackrest/pgbackrest.conf" <<CONF
[global]
repo1-path=$folder/pgbackrest/repository
repo1-retention-full=2
log-path=$folder/pgbackrest/log
log-level-console=warn
lock-path=$folder/pgbackrest/lock
spool-path=$folder/pgbackrest/spool
start-fast=y

[shop]
pg1-path=$folder/data
pg1-port=$port
pg1-socket-path=$folder/socket
CONF
  cat >"$folder/barman/barman.conf" <<CONF
[barman]
barman_user = $(account)
barman_home = $folder/barman/home
barman_lock_directory = $folder/barman/home
configuration_files_directory = $folder/barman/servers
log_file = $folder/barman/log
log_level = INFO
CONF
  cat >"$folder/barman/servers/shop.conf" <<CONF
[shop]
description = an invented shop
conninfo = host=$folder/socket port=$port user=postgres dbname=postgres
streaming_conninfo = host=$folder/socket port=$port user=postgres
backup_method = postgres
archiver = on
immediate_checkpoint = true
path_prefix = $bin
minimum_redundancy = 1
retention_policy = RECOVERY WINDOW OF 14 DAYS
CONF
  mkdir -p "$folder/barman/home/shop/incoming"
  # Two more servers, with other settings and without copies.
  sed 's/^\[shop\]/[count]/; s/^retention_policy.*/retention_policy = REDUNDANCY 3/' \
    "$folder/barman/servers/shop.conf" >"$folder/barman/servers/count.conf"
  sed 's/^\[shop\]/[ever]/; /^retention_policy/d' \
    "$folder/barman/servers/shop.conf" >"$folder/barman/servers/ever.conf"
}

# Copies from before and after somebody was erased.
take_copies() {
  local folder=$1 port=$2
  local -a sql=(psql --host="$folder/socket" --port="$port" --username=postgres --no-psqlrc
    --quiet --set=ON_ERROR_STOP=1)
  local -a pgbackrest=(pgbackrest --config="$folder/pgbackrest/pgbackrest.conf" --stanza=shop)
  local -a barman=(barman -c "$folder/barman/barman.conf")
  run_as "$(account)" "${pgbackrest[@]}" stanza-create
  run_as "$(account)" "${sql[@]}" --command='CREATE TABLE person (number int PRIMARY KEY)' \
    --command='INSERT INTO person SELECT generate_series(1, 1000)'
  run_as "$(account)" "${pgbackrest[@]}" --type=full backup
  run_as "$(account)" "${barman[@]}" switch-wal --archive --archive-timeout=30 shop
  run_as "$(account)" "${barman[@]}" backup shop
  run_as "$(account)" "${sql[@]}" --command='DELETE FROM person WHERE number = 7'
  # Moments of copies are told in whole seconds.
  sleep 1.1
  date +%s >"$folder/erased"
  sleep 1.1
  run_as "$(account)" "${pgbackrest[@]}" --type=full backup
  run_as "$(account)" "${pgbackrest[@]}" --type=incr backup
  run_as "$(account)" "${barman[@]}" backup shop
  run_as "$(account)" "${sql[@]}" --command='SELECT pg_switch_wal()' >/dev/null
  # The last backup is sound once the server has handed over the log that it ends in.
  local attempt
  for attempt in $(seq 1 120); do
    run_as "$(account)" "${barman[@]}" archive-wal shop
    run_as "$(account)" "${barman[@]}" list-backups shop >"$folder/listed"
    grep -q WAITING_FOR_WALS "$folder/listed" || return 0
    sleep 0.5
  done
  echo "barman still waits for logs of the server after attempt $attempt" >&2
  return 1
}

start() {
  local folder=$1 bin port as=''
  bin=$(binaries)
  give_folder_to "$(account)" "$folder"
  run_as "$(account)" "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1 ||
    { cat "$folder/initdb.log" >&2; return 1; }
  port=$(free_port)
  configure "$folder" "$port" "$bin"
  if [ "$(id -u)" -eq 0 ]; then
    chown -R postgres "$folder/pgbackrest" "$folder/barman" "$folder/socket"
    as=postgres
  fi
  run_as "$(account)" "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" \
    --timeout=60 --wait start >/dev/null 2>&1 || { log "$folder" >&2; return 1; }
  # By itself, because what stands before `||` goes on after failures.
  take_copies "$folder" "$port" >"$folder/copies.log" 2>&1 &
  wait "$!" || { log "$folder" >&2; return 1; }
  echo "QUIETUS_TEST_BACKUP=$folder"
  echo "QUIETUS_TEST_BACKUP_ACCOUNT=$as"
}

stop() {
  local folder=$1
  process_in "$folder/data/postmaster.pid" || return 0
  run_as "$(account)" "$(binaries)/pg_ctl" --pgdata="$folder/data" --mode=immediate --wait stop \
    >/dev/null 2>&1 || end_process_in "$folder/data/postmaster.pid"
}

log() {
  tail -n 30 "$1/server.log" 2>/dev/null || true
  tail -n 30 "$1/copies.log" 2>/dev/null || true
}

answer "$@"
