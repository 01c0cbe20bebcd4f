#!/bin/sh
# Checks that a record was deleted in a run, with sh, jq, openssl and the core utilities only.
# Usage: sh verify.sh [FOLDER [TRUSTED_ROOT]]
# Take TRUSTED_ROOT from the issuer on another way; without it the file in the folder is used, which
# proves only that the folder agrees with itself.
set -eu
folder=${1:-$(dirname "$0")}
root=${2:-$folder/trusted_root.json}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAIL  $1"; exit 1; }
pass() { echo "PASS  $1"; }
sha256() { openssl dgst -sha256 -binary; }
same() { cmp -s "$1" "$2"; }
number() { case $1 in '' | *[!0-9]* | 0?*) fail "\`$1\` is no number" ;; esac; }
bytes() { openssl base64 -d -A; }
of_hex() { jq -nr --arg digits "$1" '$digits | ascii_downcase | explode
  | map(if . > 96 then . - 87 else . - 48 end) as $d
  | [range(0; length; 2) | $d[.] * 16 + $d[. + 1]] | .[]' |
  while read -r byte; do printf "\\$(printf '%03o' "$byte")"; done; }
proof() { jq -er "$1" "$folder/record-proof.json" || fail "the proof lacks $1"; }

# Walks from the hash in $work/hash up a tree (RFC 9162, section 2.1.3.2).
walk() {
  index=$(proof ".$1.index"); size=$(proof ".$1.size")
  number "$index"; number "$size"
  [ "$index" -lt "$size" ] || fail "the index lies outside of the tree"
  node=$index
  last=$((size - 1))
  proof ".$1.path | join(\"\n\")" > "$work/path" || true
  while read -r sibling; do
    [ -n "$sibling" ] || continue
    [ "$last" -gt 0 ] || fail "the path is too long"
    of_hex "$sibling" > "$work/sibling"
    if [ $((node % 2)) -eq 1 ] || [ "$node" -eq "$last" ]; then
      { printf '\001'; cat "$work/sibling" "$work/hash"; } | sha256 > "$work/next"
      while [ $((node % 2)) -eq 0 ] && [ "$node" -ne 0 ]; do node=$((node / 2)); last=$((last / 2)); done
    else
      { printf '\001'; cat "$work/hash" "$work/sibling"; } | sha256 > "$work/next"
    fi
    mv "$work/next" "$work/hash"
    node=$((node / 2))
    last=$((last / 2))
  done < "$work/path"
  [ "$last" -eq 0 ] || fail "the path is too short"
}

# 1. The record is in the manifest.
jq -e '.kind == "record" and (.key | length) > 0' "$folder/record.json" > /dev/null ||
  fail "record.json names no record"
[ "$(wc -c < "$folder/record.salt")" -eq 32 ] || fail "the salt does not have 32 bytes"
says() { jq -er "$1" "$folder/detail.json" || fail "the detail lacks $1"; }
[ "$(says .kind)" = erasure.manifest ] || fail "the detail is not that of a manifest"
[ "$(says .detail.system)" = "$(jq -r .system "$folder/record.json")" ] || fail "the manifest is that of another system"
[ "$(says .detail.entries)" = "$(proof .manifest.size)" ] || fail "the manifest has another number of records"
cat "$folder/record.salt" "$folder/record.json" | sha256 > "$work/entry"
{ printf '\000'; cat "$work/entry"; } | sha256 > "$work/hash"
walk manifest
of_hex "$(says .detail.manifestRoot)" > "$work/root"
same "$work/hash" "$work/root" || fail "the record is not in the manifest"
pass "the record is entry $index of $size in the manifest of the run"

# 2. The entry of the log commits to the detail.
[ "$(jq -er .kind "$folder/leaf.json")" = erasure.manifest ] || fail "the entry is of another kind"
digest=$(sha256sum < "$folder/detail.json" | cut -d ' ' -f 1)
[ "$(jq -er .spec.detailSha256 "$folder/leaf.json")" = "$digest" ] || fail "the entry commits to another detail"
pass "the entry of the log commits to the detail"

# 3. The entry is in the tree of the head.
sed '/^$/,$d' "$folder/checkpoint" > "$work/head"
origin=$(sed -n 1p "$work/head")
[ "$(sed -n 2p "$work/head")" = "$(proof .log.size)" ] || fail "the proof has another size than the head"
{ printf '\000'; cat "$folder/leaf.json"; } | sha256 > "$work/hash"
walk log
sed -n 3p "$work/head" | bytes > "$work/root"
same "$work/hash" "$work/root" || fail "the entry is not in the log"
pass "the entry is number $index of $size in the log"

# 4. The log signed the head.
log=$(jq -ec --arg origin "$origin" '[.tlogs[] | select((.baseUrl | sub("^[a-z]+://"; "")) == $origin)] | first // empty' "$root") ||
  fail "the trusted root does not know the log"
printf '%s' "$log" | jq -er '.publicKey.rawBytes' | bytes > "$work/log.der"
openssl pkey -pubin -inform DER -in "$work/log.der" -out "$work/log.pem" 2> /dev/null || fail "the log's key cannot be read"
{ printf '%s\n\001' "$origin"; tail -c 32 "$work/log.der"; } | sha256 | head -c 4 > "$work/id"
sed '1,/^$/d' "$folder/checkpoint" | grep -F -- "— $origin " > "$work/lines" || fail "the log did not sign the head"
signed=no
while read -r line; do
  printf '%s' "${line##* }" | bytes > "$work/line"
  head -c 4 "$work/line" > "$work/line.id"
  same "$work/line.id" "$work/id" || continue
  tail -c +5 "$work/line" > "$work/signature"
  openssl pkeyutl -verify -pubin -inkey "$work/log.pem" -rawin -in "$work/head" -sigfile "$work/signature" > /dev/null 2>&1 && signed=yes
done < "$work/lines"
[ "$signed" = yes ] || fail "the signature of the log is wrong"
pass "the log $origin signed that head"

echo "NOT CHECKED  when it was: that is the word of whoever wrote the entry"
[ $# -ge 2 ] ||
  echo "the log was not compared with what you have from the issuer unless you named TRUSTED_ROOT: a forged folder looks the same"
