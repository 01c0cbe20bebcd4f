// Loads the verifier and verifies certificates with it, in a page or in Node. Nothing is fetched.
//
//   const verifier = await load(bytesOfTheModule);
//   const verdict = verifier.verify({ bundle, trustedRoot, issuerKey, subject, given: true });
//
// Each file is a Uint8Array; all but `bundle` may be left out. `given` says that the trusted root,
// the issuer's key and the policy came from the issuer on another way than the certificate; otherwise the
// verdict says that they vouch for nothing. `statusList` is the newest `status.sigstore.json`, `successor` the
// certificate that follows, where there is one. `policy` says which witnesses have to have signed, and
// `anchors` holds what others vouch for: `certificate.tlog-proof` and the files `anchor-...`, by name.
// The verdict is what `quietus-verify --json` prints.

const FILES = [
  "bundle",
  "trustedRoot",
  "issuerKey",
  "subject",
  "statusList",
  "successor",
  "policy",
  "anchors",
];

// Trusted root, issuer's key and policy: what the issuer gives on another way.
const GIVEN = 0b1000110;

// Files by name as one run of bytes: length of the name, name, length, bytes.
function framed(files) {
  const parts = Object.entries(files).flatMap(([name, bytes]) => {
    const text = new TextEncoder().encode(name);
    return [number(text.length), text, number(bytes.length), bytes];
  });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all;
}

// Four bytes, the least one first.
function number(value) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export async function load(module) {
  const { instance } = await WebAssembly.instantiate(module, {});
  const { memory, quietus_input, quietus_verify, quietus_verdict } = instance.exports;

  function verify(files) {
    let present = 0;
    FILES.forEach((name, number) => {
      const bytes = name === "anchors" && files.anchors ? framed(files.anchors) : files[name];
      if (!bytes) return;
      const place = quietus_input(number, bytes.length);
      if (place === 0) throw new RangeError(`\`${name}\` is larger than any file that is read`);
      new Uint8Array(memory.buffer, place, bytes.length).set(bytes);
      present |= 1 << number;
    });
    const length = quietus_verify(present, files.given ? GIVEN : 0, Math.floor(Date.now() / 1000));
    const text = new Uint8Array(memory.buffer, quietus_verdict(), length);
    return JSON.parse(new TextDecoder().decode(text));
  }

  return { verify };
}
