#!/bin/sh
# openssl alone: reads our private and public keys, and checks our checkpoint.
# Usage: checkpoint.sh FOLDER with note, log.pem, log.pub.pem, issuer.pem, issuer.pub.pem.
set -eu
cd "$1"
for name in log issuer; do
  openssl pkey -in $name.pem -pubout -out $name.derived.pem
  cmp $name.derived.pem $name.pub.pem
done
sed '/^$/,$d' note > head
line=$(sed '1,/^$/d' note)
printf '%s' "${line##* }" | base64 -d | tail -c +5 > signature
openssl pkeyutl -verify -pubin -inkey log.pub.pem -rawin -in head -sigfile signature > /dev/null
echo "keys and checkpoint hold"
