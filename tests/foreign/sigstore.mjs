// `@sigstore/verify` from npm over exported certificates and their status lists:
// statement, log entry, path, checkpoint, and the time stamp over a certificate's signature.
// usage: node sigstore.mjs PACKAGES CASE...     PACKAGES is the folder with `node_modules`
// Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createPublicKey } from "node:crypto";
import { resolve } from "node:path";

const [packages, ...cases] = process.argv.slice(2);
const require = createRequire(resolve(packages, "package.json"));
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");

function verify(folder) {
  const read = (name) => readFileSync(resolve(folder, name));
  const json = (name) => JSON.parse(read(name));
  const rawBytes = createPublicKey(read("issuer.pub.pem")).export({ type: "spki", format: "der" });
  // Only the issuer's own name of the key is known: a hint at another finds nothing.
  const name = json("key_name.json");
  const trust = toTrustMaterial(TrustedRoot.fromJSON(json("trusted_root.json")), {
    [name]: { rawBytes },
  });
  // Nobody stamps a status list: it is signed anew each day.
  for (const [name, timestampThreshold] of [
    ["certificate.sigstore.json", 1],
    ["status.sigstore.json", 0],
  ]) {
    // No certificate transparency: the key is the issuer's own.
    const options = { ctlogThreshold: 0, tlogThreshold: 1, timestampThreshold };
    new Verifier(trust, options).verify(toSignedEntity(bundleFromJSON(json(name))));
  }
}

for (const folder of cases) {
  let said = "accepted";
  try {
    verify(folder);
  } catch (error) {
    said = `refused: ${String(error.message ?? error).split("\n")[0]}`;
  }
  console.log(`${folder}\t${said}`);
}
