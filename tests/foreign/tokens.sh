#!/bin/sh
# `openssl ts` over exported certificates: the time stamps over the signature and those over heads of
# the log, under the authority's own certificates, each as of the moment that it names.
#
# usage: sh tokens.sh CASE...
# Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# stamped FILE MESSAGE: whether the time stamp in the file is over the message.
stamped() {
  moment=$(openssl ts -reply -in "$1" -text 2>/dev/null | sed -n 's/^Time stamp: //p')
  [ -n "$moment" ] && at=$(date -u -d "$moment" +%s) || return 1
  openssl ts -verify -data "$2" -in "$1" -partial_chain -CAfile "$work/authority.pem" \
    -attime "$at" >"$work/said" 2>&1
}

verify() {
  cat "$1"/anchor-authority.*.pem >"$work/authority.pem" || return 1
  bundle=$1/certificate.sigstore.json
  jq -r '.dsseEnvelope.signatures[0].sig' "$bundle" | base64 -d >"$work/signature" || return 1
  stamps=.verificationMaterial.timestampVerificationData.rfc3161Timestamps
  number=$(jq "$stamps | length" "$bundle") && [ "$number" -gt 0 ] || return 1
  while [ "$number" -gt 0 ]; do
    number=$((number - 1))
    jq -r "$stamps[$number].signedTimestamp" "$bundle" | base64 -d >"$work/token" || return 1
    stamped "$work/token" "$work/signature" || return 1
  done
  found=no
  for token in "$1"/anchor-*.tsr; do
    head=${token##*/}
    stamped "$token" "$1/${head%%.*}.text" || return 1
    found=yes
  done
  [ "$found" = yes ]
}

for folder in "$@"; do
  if verify "$folder"; then
    printf '%s\taccepted\n' "$folder"
  else
    printf '%s\trefused: a time stamp does not hold\n' "$folder"
  fi
done
