#!/usr/bin/env bash
# A Ceph RADOS gateway: S3-compatible buckets with versions, object lock, legal holds and life
# cycles, all of them for real. A monitor, one store in memory and the gateway; no authentication
# between them. A day of a life cycle lasts ten seconds. Two people have keys; buckets belong to who
# makes them, so that the second one may do nothing with those of the first. QUIETUS_TEST_S3_FOLDER
# has the settings by which a test starts a gateway of its own, at another moment.
. "$(dirname "$0")/ground.bash"

packages() {
  command -v ceph-mon >/dev/null || echo ceph-mon
  command -v ceph-osd >/dev/null || echo ceph-osd
  command -v radosgw >/dev/null || echo radosgw
  command -v ceph >/dev/null || echo ceph-common
  command -v openssl >/dev/null || echo openssl
  command -v faketime >/dev/null || echo faketime
}

configure() {
  local folder=$1 port=$2 number=$3
  mkdir -p "$folder/mon" "$folder/osd" "$folder/gateway" "$folder/run"
  cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $number
mon host = v1:127.0.0.1:$port
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
osd class update on start = false
osd crush update on start = false
memstore device bytes = 2147483648
mon allow pool size one = true
mon max pg per osd = 2000
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 0
ms bind ipv6 = false
ms bind msgr2 = false
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind port min = 16800
ms bind port max = 17400
run dir = $folder/run
admin socket = $folder/run/\$name.asok
log file = $folder/\$name.log
mon cluster log file = $folder/cluster.log
mon data = $folder/mon
osd data = $folder/osd
rgw data = $folder/gateway
rgw lc debug interval = 10
rgw thread pool size = 32
CONF
}

# A client may give an order before the monitor has told it which cluster this is; the order is then
# refused (`wrong fsid`), and nothing was done.
again_if_refused() {
  local turn
  for turn in 1 2 3 4; do
    if "$@"; then return 0; fi
    echo "tried $turn times: $*" >&2
    sleep "0.$turn"
  done
  "$@"
}

in_cluster() {
  local folder=$1
  shift
  timeout 60 ceph -c "$folder/ceph.conf" "$@"
}

# launch FOLDER NAME PROGRAM...: in the background, with its number in NAME.pid.
launch() {
  local folder=$1 name=$2
  shift 2
  setsid "$@" </dev/null >>"$folder/$name.out" 2>&1 &
  echo "$!" >"$folder/$name.pid"
}

# answers FOLDER NAME PORT: until the process listens, for two minutes.
answers() {
  local folder=$1 name=$2 port=$3 turn
  for turn in $(seq 1 1200); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    process_in "$folder/$name.pid" || break
    sleep 0.1
  done
  echo "$name does not answer after $((turn / 10)) seconds" >&2
  return 1
}

# Starts the store; the monitor knows in the end that it is up.
start_store() {
  local folder=$1 turn
  launch "$folder" osd ceph-osd -c "$folder/ceph.conf" -f -i 0
  for turn in $(seq 1 300); do
    if in_cluster "$folder" osd stat 2>/dev/null | grep -q '1 up'; then return 0; fi
    process_in "$folder/osd.pid" || break
    sleep 0.2
  done
  echo "the store is not up after $((turn / 5)) seconds" >&2
  return 1
}

cluster() {
  local folder=$1 port=$2 number=$3 store
  monmaptool --create --addv a "[v1:127.0.0.1:$port]" --fsid "$number" "$folder/monmap"
  ceph-mon -c "$folder/ceph.conf" --mkfs -i a --monmap "$folder/monmap"
  launch "$folder" mon ceph-mon -c "$folder/ceph.conf" -f -i a
  answers "$folder" mon "$port"
  store=$(cat /proc/sys/kernel/random/uuid)
  again_if_refused in_cluster "$folder" osd new "$store" 0
  ceph-osd -c "$folder/ceph.conf" -i 0 --mkfs --osd-uuid "$store"
  again_if_refused in_cluster "$folder" osd crush add osd.0 1.0 root=default host=here
  again_if_refused start_store "$folder"
}

# person FOLDER NAME ACCESS SECRET: somebody with keys.
person() {
  local folder=$1 name=$2 access=$3 secret=$4
  again_if_refused timeout 120 radosgw-admin -c "$folder/ceph.conf" -n client.rgw.a user create --uid "$name" \
    --display-name "$name" --access-key "$access" --secret-key "$secret"
}

# make_bucket PORT SECRET NAME: a bucket that tests share (Signature Version 2).
make_bucket() {
  local port=$1 secret=$2 name=$3 moment signature answer
  moment=$(date --utc '+%a, %d %b %Y %H:%M:%S GMT')
  signature=$(printf 'PUT\n\n\n%s\n/%s' "$moment" "$name" |
    openssl dgst -sha1 -hmac "$secret" -binary | base64)
  exec 4<>"/dev/tcp/127.0.0.1/$port"
  printf '%s\r\n' "PUT /$name HTTP/1.1" "Host: 127.0.0.1:$port" "Date: $moment" \
    "Authorization: AWS QUIETUSKEEPER:$signature" 'Content-Length: 0' 'Connection: close' '' >&4
  read -r answer <&4
  exec 4>&-
  echo "$answer"
  [[ $answer == *' 200 '* ]]
}

bring_up() {
  local folder=$1 port=$2 number=$3 gateway=$4 secret=$5 other=$6
  cluster "$folder" "$port" "$number"
  launch "$folder" rgw radosgw -c "$folder/ceph.conf" -f -n client.rgw.a \
    --rgw-frontends "beast endpoint=127.0.0.1:$gateway"
  answers "$folder" rgw "$gateway"
  person "$folder" keeper QUIETUSKEEPER "$secret"
  person "$folder" stranger QUIETUSSTRANGER "$other"
  make_bucket "$gateway" "$secret" "$bucket"
}

bucket=quietus-tests

start() {
  local folder=$1 port gateway number secret other
  mkdir -p "$folder"
  port=$(free_port) gateway=$(free_port)
  number=$(cat /proc/sys/kernel/random/uuid) secret=$(random_password) other=$(random_password)
  configure "$folder" "$port" "$number"
  # By itself, because what stands before `||` goes on after failures.
  bring_up "$folder" "$port" "$number" "$gateway" "$secret" "$other" >"$folder/start.log" 2>&1 &
  wait "$!" || { log "$folder" >&2; return 1; }
  echo "QUIETUS_TEST_S3=http://127.0.0.1:$gateway"
  echo "QUIETUS_TEST_S3_ACCESS_KEY=QUIETUSKEEPER"
  echo "QUIETUS_TEST_S3_SECRET_KEY=$secret"
  echo "QUIETUS_TEST_S3_BUCKET=$bucket"
  echo "QUIETUS_TEST_S3_FOLDER=$folder"
  echo "QUIETUS_TEST_S3_STRANGER_ACCESS_KEY=QUIETUSSTRANGER"
  echo "QUIETUS_TEST_S3_STRANGER_SECRET_KEY=$other"
}

# Nothing of it is to be kept, and a store in memory takes its time to end politely.
stop() {
  local folder=$1 name
  for name in rgw osd mon; do
    if process_in "$folder/$name.pid"; then kill -9 "$(head -n 1 "$folder/$name.pid")"; fi
    rm -f "$folder/$name.pid"
  done
}

log() {
  local name
  for name in start.log rgw.out client.rgw.a.log osd.out osd.0.log mon.out mon.a.log; do
    tail -n 20 "$1/$name" 2>/dev/null || true
  done
}

answer "$@"
