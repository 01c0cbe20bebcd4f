#!/usr/bin/env bash
# A mail server for tests: aiosmtpd, which accepts everything and keeps it in a Maildir. It runs
# three times over one Maildir: in the open, with STARTTLS, and with TLS from the first byte.
. "$(dirname "$0")/ground.bash"

# The one that Debian's package is for; another Python may come first in PATH.
python() {
  local candidate
  for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import aiosmtpd' 2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

packages() {
  python >/dev/null || echo python3-aiosmtpd
  command -v openssl >/dev/null || echo openssl
}

# An authority of the tests' own, and the certificate of `localhost` that it has signed.
certificates() {
  local folder=$1
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=Example Authority" -keyout "$folder/authority.key" -out "$folder/authority.pem" \
    -addext "basicConstraints=critical,CA:TRUE" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
    -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
  printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >"$folder/extensions"
  openssl x509 -req -in "$folder/server.csr" -days 2 -CA "$folder/authority.pem" \
    -CAkey "$folder/authority.key" -CAcreateserial -extfile "$folder/extensions" \
    -out "$folder/server.pem" 2>/dev/null
}

listens() { (exec 4<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_one FOLDER NAME OPTIONS...: prints the port.
start_one() {
  local folder=$1 name=$2 port turn
  shift 2
  for turn in 1 2 3; do
    port=$(free_port)
    setsid "$(python)" -m aiosmtpd --nosetuid --smtputf8 --listen "127.0.0.1:$port" "$@" \
      --class aiosmtpd.handlers.Mailbox "$folder/maildir" \
      >>"$folder/server.log" 2>&1 </dev/null &
    echo "$!" >"$folder/$name.pid"
    for _ in $(seq 1 100); do
      if listens "$port"; then
        echo "$port"
        return 0
      fi
      process_in "$folder/$name.pid" || break
      sleep 0.1
    done
    end_process_in "$folder/$name.pid"
  done
  echo "the mail server \`$name\` did not start (tried $turn ports)" >&2
  log "$folder" >&2
  return 1
}

start() {
  local folder=$1 plain starttls implicit
  mkdir -p "$folder"
  certificates "$folder"
  plain=$(start_one "$folder" plain)
  starttls=$(start_one "$folder" starttls --tlscert "$folder/server.pem" --tlskey "$folder/server.key")
  implicit=$(start_one "$folder" implicit --smtpscert "$folder/server.pem" --smtpskey "$folder/server.key")
  echo "QUIETUS_TEST_SMTP=127.0.0.1:$plain"
  echo "QUIETUS_TEST_SMTP_STARTTLS=localhost:$starttls"
  echo "QUIETUS_TEST_SMTP_IMPLICIT=localhost:$implicit"
  echo "QUIETUS_TEST_SMTP_AUTHORITY=$folder/authority.pem"
  echo "QUIETUS_TEST_MAILDIR=$folder/maildir"
}

stop() {
  local name
  for name in plain starttls implicit; do end_process_in "$1/$name.pid"; done
}

log() { tail -n 40 "$1/server.log" 2>/dev/null || true; }

answer "$@"
