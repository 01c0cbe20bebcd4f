# Ground that every server script stands on; sourced, never run.
#
# A server script answers four words:
#   packages      prints the Debian packages that are missing, one a line
#   start FOLDER  starts the server with its data in FOLDER; prints NAME=value lines to export
#   stop FOLDER   stops it; nothing happens where it does not run
#   log FOLDER    prints the end of its log
# It listens on a free port of the loopback interface only and keeps everything in FOLDER.
# shellcheck shell=bash

set -euo pipefail
export LC_ALL=C.UTF-8

# Servers run as an account of their own where we are root, because PostgreSQL refuses root.
run_as() {
  local account=$1
  shift
  if [ "$(id -u)" -eq 0 ]; then
    runuser -u "$account" -- "$@"
  else
    "$@"
  fi
}

# The account may not be able to write to our own TMPDIR, which servers use for their sorts.
give_folder_to() {
  local account=$1 folder=$2
  export TMPDIR=$folder/tmp
  mkdir -p "$TMPDIR"
  if [ "$(id -u)" -eq 0 ]; then chown "$account" "$folder" "$TMPDIR"; fi
}

# Below the range from which the kernel hands out ports of outgoing connections.
free_port() {
  local port
  for port in $(shuf -i 20000-31999 -n 50); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return 0
    fi
  done
  echo "no free port between 20000 and 31999" >&2
  return 1
}

random_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# First of the given paths or names that can be run.
first_program() {
  local candidate
  for candidate in "$@"; do
    if [ -x "$candidate" ] || command -v "$candidate" >/dev/null 2>&1; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

process_in() { [ -s "$1" ] && kill -0 "$(head -n 1 "$1")" 2>/dev/null; }

# Ends the process of a pid file: politely, and by force after 20 seconds.
end_process_in() {
  local pid_file=$1 pid turn
  process_in "$pid_file" || return 0
  pid=$(head -n 1 "$pid_file")
  kill "$pid" 2>/dev/null || return 0
  for turn in $(seq 1 200); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  echo "server $pid did not stop after $((turn / 10)) seconds: killed" >&2
  kill -9 "$pid" 2>/dev/null || true
}

answer() {
  case ${1:-} in
    packages) packages ;;
    start | stop | log) "$1" "${2:?"usage: $0 $1 FOLDER"}" ;;
    *)
      echo "usage: $0 packages | start FOLDER | stop FOLDER | log FOLDER" >&2
      return 2
      ;;
  esac
}
