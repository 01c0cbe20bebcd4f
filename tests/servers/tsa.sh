#!/usr/bin/env bash
# Time-stamp authorities for tests: `openssl ts -reply` behind HTTP, one a path. `/rsa` and `/ecdsa`
# have a root of their own each; the certificate of `/aging` ends in thirty days.
. "$(dirname "$0")/ground.bash"

packages() {
  command -v openssl >/dev/null || echo openssl
  command -v python3 >/dev/null || echo python3
}

# authority FOLDER NAME KEY DAYS: keys, certificates and settings of one authority.
authority() {
  local folder=$1/$2 days=$4
  local -a key
  mkdir -p "$folder"
  case $3 in
    rsa) key=(-newkey rsa:3072) ;;
    *) key=(-newkey ec -pkeyopt "ec_paramgen_curve:$3") ;;
  esac
  openssl req -x509 "${key[@]}" -nodes -days 3650 -subj "/O=Example Notary/CN=Example Root $2" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$folder/root.key" -out "$folder/root.pem" 2>/dev/null
  openssl req "${key[@]}" -nodes -subj "/O=Example Notary/CN=Example Time Stamps $2" \
    -keyout "$folder/signer.key" -out "$folder/signer.csr" 2>/dev/null
  printf 'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n' \
    >"$folder/extensions"
  openssl x509 -req -in "$folder/signer.csr" -days "$days" -CA "$folder/root.pem" \
    -CAkey "$folder/root.key" -CAcreateserial -extfile "$folder/extensions" \
    -out "$folder/signer.pem" 2>/dev/null
  echo 01 >"$folder/serial"
  cat >"$folder/settings" <<TEXT
[tsa]
default_tsa = one
[one]
serial = $folder/serial
signer_cert = $folder/signer.pem
certs = $folder/root.pem
signer_key = $folder/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
TEXT
}

server() {
  cat <<'PYTHON'
import subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder, port = sys.argv[1], int(sys.argv[2])
turn = threading.Lock()

class Authority(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        question = self.rfile.read(int(self.headers["content-length"]))
        name = self.path.strip("/")
        answer = b""
        if name in ("rsa", "ecdsa", "aging"):
            with turn:
                path = f"{folder}/{name}/question"
                with open(path, "wb") as file:
                    file.write(question)
                ended = subprocess.run(
                    ["openssl", "ts", "-reply", "-config", f"{folder}/{name}/settings",
                     "-queryfile", path], capture_output=True)
                answer = ended.stdout
        self.send_response(200 if answer else 404)
        self.send_header("content-type", "application/timestamp-reply")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

ThreadingHTTPServer(("127.0.0.1", port), Authority).serve_forever()
PYTHON
}

listens() { (exec 4<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
  local folder=$1 port turn
  mkdir -p "$folder"
  authority "$folder" rsa rsa 3600
  authority "$folder" ecdsa P-384 3600
  authority "$folder" aging P-256 30
  server >"$folder/server.py"
  for turn in 1 2 3; do
    port=$(free_port)
    setsid python3 "$folder/server.py" "$folder" "$port" >>"$folder/server.log" 2>&1 </dev/null &
    echo "$!" >"$folder/server.pid"
    for _ in $(seq 1 100); do
      if listens "$port"; then
        echo "QUIETUS_TEST_TSA=http://127.0.0.1:$port"
        echo "QUIETUS_TEST_TSA_FOLDER=$folder"
        return 0
      fi
      process_in "$folder/server.pid" || break
      sleep 0.1
    done
    end_process_in "$folder/server.pid"
  done
  echo "the time-stamp authorities did not start (tried $turn ports)" >&2
  log "$folder" >&2
  return 1
}

stop() { end_process_in "$1/server.pid"; }

log() { tail -n 40 "$1/server.log" 2>/dev/null || true; }

answer "$@"
