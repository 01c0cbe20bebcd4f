#!/usr/bin/env bash
# No server, but fetched like one: verifiers that nobody here wrote, for the tests that show them a
# certificate whole and changed (tests/certificate/matrix.rs). They come from npm, PyPI and Debian
# whenever the tests are run; nothing of them is kept in the repository. Only where
# QUIETUS_TEST_LONG is set.
#
# Those that cannot be had are not run: FOLDER/not-run names them, and on a build server (CI) that
# is a failure.
. "$(dirname "$0")/ground.bash"

sources=$(cd "$(dirname "$0")/../foreign" && pwd)

wanted() { [ -n "${QUIETUS_TEST_LONG:-}" ]; }

# Where Debian puts Go packages; nothing is fetched from elsewhere.
go_packages=/usr/share/gocode

packages() {
  wanted || return 0
  first_program node /usr/bin/node >/dev/null || echo nodejs
  first_program npm /usr/bin/npm >/dev/null || echo npm
  first_program go /usr/bin/go >/dev/null || echo golang-go
  [ -d "$go_packages/src/golang.org/x/mod/sumdb/tlog" ] || echo golang-golang-x-mod-dev
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# Exactly the packages of package-lock.json; no scripts of packages are run.
fetch_sigstore() {
  local folder=$1
  mkdir -p "$folder/npm"
  cp "$sources/npm/package.json" "$sources/npm/package-lock.json" "$folder/npm/"
  (cd "$folder/npm" && env HOME="$folder" npm_config_cache="$folder/cache" \
    npm_config_ignore_scripts=true npm_config_audit=false npm_config_fund=false \
    npm_config_update_notifier=false npm_config_fetch_retries=1 npm_config_fetch_timeout=20000 \
    timeout 60 npm ci)
}

fetch_python() {
  local folder=$1
  python3 -m venv "$folder/venv" &&
    timeout 120 "$folder/venv/bin/python" -m pip install --quiet --no-input --no-cache-dir \
      --disable-pip-version-check --only-binary :all: -r "$sources/requirements.txt"
}

build_tlog() {
  local folder=$1
  GO111MODULE=off GOPATH=$go_packages GOCACHE=$folder/gocache GOFLAGS='' \
    go build -o "$folder/tlog" "$sources/tlog.go" &&
    GO111MODULE=off GOPATH=$go_packages GOCACHE=$folder/gocache GOFLAGS='' \
      go build -o "$folder/continues" "$sources/continues.go"
}

start() {
  local folder=$1
  local -a missing=()
  wanted || return 0
  mkdir -p "$folder"
  fetch_sigstore "$folder" >>"$folder/log" 2>&1 || missing+=("@sigstore/verify from npm")
  fetch_python "$folder" >>"$folder/log" 2>&1 || missing+=("securesystemslib, rfc8785, rfc3161-client, cryptography and dilithium-py from PyPI")
  build_tlog "$folder" >>"$folder/log" 2>&1 || missing+=("Go's sumdb/note and tlog from Debian")
  echo "QUIETUS_TEST_FOREIGN=$folder"
  if [ ${#missing[@]} -eq 0 ]; then return 0; fi
  local names
  names=$(printf '%s; ' "${missing[@]}")
  log "$folder" >&2
  if [ -n "${CI:-}" ]; then
    echo "certificates cannot be shown to ${names%; }" >&2
    return 1
  fi
  echo "certificates before verifiers of others: could not be had: ${names%; }" >"$folder/not-run"
}

stop() { :; }

log() { tail -n 20 "$1/log" 2>/dev/null || true; }

answer "$@"
