#!/bin/sh
# Checks a certificate with sh, jq, openssl and the core utilities only.
# Usage: sh verify.sh [FOLDER [TRUSTED_ROOT [ISSUER_KEY]]]
# Take TRUSTED_ROOT and ISSUER_KEY from the issuer on another way; without them the files in the
# folder are used, which proves only that the folder agrees with itself.
set -eu
folder=${1:-$(dirname "$0")}
root=${2:-$folder/trusted_root.json}
issuer=${3:-$folder/issuer.pub.pem}
bundle=$folder/certificate.sigstore.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAIL  $1"; exit 1; }
pass() { echo "PASS  $1"; }
field() { jq -er "$1" "$bundle" || fail "the bundle lacks $1"; }
sha256() { openssl dgst -sha256 -binary; }
same() { cmp -s "$1" "$2"; }
number() { case $1 in '' | *[!0-9]* | 0?*) fail "\`$1\` is no number" ;; esac; }

entry='.verificationMaterial.tlogEntries[0]'
[ "$(field '.verificationMaterial.tlogEntries | length')" = 1 ] || fail "not exactly one log entry"
[ "$(field '.dsseEnvelope.signatures | length')" = 1 ] || fail "not exactly one signature"

# 1. The issuer signed the statement.
type=$(field '.dsseEnvelope.payloadType')
[ "$type" = application/vnd.in-toto+json ] || fail "the payload is no in-toto statement"
field '.dsseEnvelope.payload' | base64 -d > "$work/payload"
field '.dsseEnvelope.signatures[0].sig' | base64 -d > "$work/signature"
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c < "$work/payload")"; cat "$work/payload"; } > "$work/pae"
openssl dgst -sha256 -verify "$issuer" -signature "$work/signature" "$work/pae" > /dev/null 2>&1 ||
  fail "the signature is not the issuer's"
openssl pkey -pubin -in "$issuer" -outform DER > "$work/issuer.der" 2> /dev/null
name=$(sha256 < "$work/issuer.der" | base64 -w 0)
[ "$(field '.dsseEnvelope.signatures[0].keyid')" = "$name" ] || fail "the envelope names another key"
[ "$(field '.verificationMaterial.publicKey.hint')" = "$name" ] || fail "the bundle names another key"
says() { jq -er "$1" "$work/payload" || fail "the statement lacks $1"; }
[ "$(says ._type)" = https://in-toto.io/Statement/v1 ] || fail "what was signed is no in-toto statement"
[ "$(says .predicateType)" = https://quietus.dev/erasure-certificate/v1 ] || fail "what was signed is no erasure certificate"
[ "$(says '.subject | length')" = 1 ] || fail "the certificate does not name exactly one subject"
pass "the issuer signed the statement"

# 2. The log entry is the one for this signature.
field "$entry.canonicalizedBody" | base64 -d > "$work/leaf"
printf '{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"%s"},"signature":{"content":"%s","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"%s"}}}}}}' \
  "$(sha256 < "$work/pae" | base64 -w 0)" "$(base64 -w 0 < "$work/signature")" "$(base64 -w 0 < "$work/issuer.der")" > "$work/expected"
same "$work/leaf" "$work/expected" || fail "the log entry does not belong to this certificate"
pass "the log entry holds this digest, signature and key"

# 3. The log signed its head.
id=$(field "$entry.logId.keyId")
log=$(jq -ec --arg id "$id" '[.tlogs[] | select(.logId.keyId == $id)] | first' "$root") ||
  fail "the trusted root does not know the log"
origin=$(printf '%s' "$log" | jq -er '.baseUrl | sub("^[a-z]+://"; "")')
printf '%s' "$log" | jq -er '.publicKey.rawBytes' | base64 -d > "$work/log.der"
openssl pkey -pubin -inform DER -in "$work/log.der" -out "$work/log.pem" 2> /dev/null || fail "the log's key cannot be read"
{ printf '%s\n\001' "$origin"; tail -c 32 "$work/log.der"; } | sha256 > "$work/id"
[ "$(base64 -w 0 < "$work/id")" = "$id" ] || fail "the log's identifier does not belong to its key"
field "$entry.inclusionProof.checkpoint.envelope" > "$work/note"
sed '/^$/,$d' "$work/note" > "$work/head"
line=$(sed '1,/^$/d' "$work/note" | grep -F -- "— $origin " | head -n 1) || fail "the log did not sign the checkpoint"
printf '%s' "${line##* }" | base64 -d > "$work/line"
head -c 4 "$work/line" > "$work/line.id"
head -c 4 "$work/id" > "$work/log.id"
same "$work/line.id" "$work/log.id" || fail "another key signed the checkpoint"
tail -c +5 "$work/line" > "$work/line.signature"
openssl pkeyutl -verify -pubin -inkey "$work/log.pem" -rawin -in "$work/head" -sigfile "$work/line.signature" > /dev/null 2>&1 ||
  fail "the signature of the log is wrong"
[ "$(sed -n 1p "$work/head")" = "$origin" ] || fail "the checkpoint is that of another log"
# What is signed at the turn of a year may come into the log that follows: same name, later year.
printf '%s\n%s' "$(says .predicate.issuer.log)" "$origin" | jq -eRs '
  def name: (capture("^(?<base>.+)/(?<year>[0-9]{4})(-(?<part>[2-9]|[1-9][0-9]+))?$")
      | {base, at: [(.year | tonumber), (.part // "1" | tonumber)]}) // {base: ., at: [0, 0]};
  split("\n") | (.[0] | name) as $named | (.[1] | name) as $here
  | length == 2 and $named.base == $here.base and $named.at <= $here.at' > /dev/null ||
  fail "the certificate names another log"
printf '%s' "$log" | jq -e --arg at "$(says .predicate.issuedAt)" \
  'def s: sub("[.][0-9]+Z$"; "Z") | fromdateiso8601; (.publicKey.validFor // {}) as $use
   | (($use.start // $at | s) <= ($at | s)) and (($at | s) <= ($use.end // $at | s))' > /dev/null ||
  fail "the certificate was issued when the log's key was not in use"
size=$(sed -n 2p "$work/head")
number "$size"
[ "$size" = "$(field "$entry.inclusionProof.treeSize")" ] || fail "the proof has another size"
[ "$(sed -n 3p "$work/head")" = "$(field "$entry.inclusionProof.rootHash")" ] || fail "the proof has another root"
pass "the log $origin signed its head of $size entries"

# 4. The entry is in that log (RFC 9162, section 2.1.3.2).
index=$(field "$entry.logIndex")
[ "$index" = "$(field "$entry.inclusionProof.logIndex")" ] || fail "two different log indexes"
number "$index"
[ "$index" -lt "$size" ] || fail "the log index lies outside the log"
{ printf '\000'; cat "$work/leaf"; } | sha256 > "$work/hash"
node=$index
last=$((size - 1))
jq -r "$entry.inclusionProof.hashes[]" "$bundle" > "$work/path"
while read -r sibling; do
  [ "$last" -gt 0 ] || fail "the proof is too long"
  printf '%s' "$sibling" | base64 -d > "$work/sibling"
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
[ "$last" -eq 0 ] || fail "the proof is too short"
[ "$(base64 -w 0 < "$work/hash")" = "$(sed -n 3p "$work/head")" ] || fail "the entry is not in the log"
pass "the entry is number $index in that log"

# 5. The file that it is about is the one that was signed for: the counts, or a person's opening.
digest=$(jq -er '.subject[0].digest.sha256' "$work/payload")
about=$(says '.subject[0].name')
case $about in manifest.json | subject-opening.json) ;; *) fail "the certificate is about another file" ;; esac
if [ -e "$folder/$about" ] || [ "$about" = manifest.json ]; then
  [ "$(sha256sum < "$folder/$about" | cut -d ' ' -f 1)" = "$digest" ] || fail "$about is not the file signed for"
  pass "$about is the file signed for"
else
  echo "NOT CHECKED  whom it is about: only the person has $about"
fi

echo "NOT CHECKED  time stamps, witnesses, present status, and whether the summary follows from the statements"
jq -r '.predicate | "The certificate \(.certificateId) claims: \(.summary.overall)"' "$work/payload"
[ $# -ge 3 ] ||
  echo "nothing here was compared with what you have from the issuer unless you named TRUSTED_ROOT and ISSUER_KEY: a forged folder looks the same"
