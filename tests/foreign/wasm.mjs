// Our own verifier as WebAssembly over exported certificates, as a page would call it.
// usage: node wasm.mjs MODULE CASE...
// Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { load } from "../../verify/wasm/quietus-verify.mjs";

const [module, ...cases] = process.argv.slice(2);
const verifier = await load(readFileSync(module));

for (const folder of cases) {
  const read = (name) => new Uint8Array(readFileSync(resolve(folder, name)));
  const anchors = readdirSync(folder).filter(
    (name) => name.startsWith("anchor-") || name === "certificate.tlog-proof",
  );
  const verdict = verifier.verify({
    bundle: read("certificate.sigstore.json"),
    trustedRoot: read("trusted_root.json"),
    issuerKey: read("issuer.pub.pem"),
    subject: read("manifest.json"),
    statusList: read("status.sigstore.json"),
    policy: read("policy.tlog"),
    anchors: Object.fromEntries(anchors.map((name) => [name, read(name)])),
    given: true,
  });
  const failed = verdict.steps.filter((step) => step.finding === "FAIL");
  const good = verdict.passed && verdict.anchored && failed.length === 0;
  console.log(`${folder}\t${good ? "accepted" : `refused: ${failed[0]?.sentence}`}`);
}
