// Loads the verifier and verifies certificates with it, in a page or in Node. Nothing is fetched.
//
//   const verifier = await load(bytesOfTheModule);
//   const verdict = verifier.verify({ bundle, trustedRoot, issuerKey, subject, given: true });
//
// Each file is a Uint8Array; all but `bundle` may be left out. `given` says that the trusted root and
// the issuer's key came from the issuer on another way than the certificate; otherwise the verdict
// says that they vouch for nothing. `statusList` is the newest `status.sigstore.json`, `successor` the
// certificate that follows, where there is one. The verdict is what `quietus-verify --json` prints.

const FILES = ["bundle", "trustedRoot", "issuerKey", "subject", "statusList", "successor"];

export async function load(module) {
  const { instance } = await WebAssembly.instantiate(module, {});
  const { memory, quietus_input, quietus_verify, quietus_verdict } = instance.exports;

  function verify(files) {
    let present = 0;
    FILES.forEach((name, number) => {
      const bytes = files[name];
      if (!bytes) return;
      const place = quietus_input(number, bytes.length);
      if (place === 0) throw new RangeError(`\`${name}\` is larger than any file that is read`);
      new Uint8Array(memory.buffer, place, bytes.length).set(bytes);
      present |= 1 << number;
    });
    const length = quietus_verify(present, files.given ? 0b110 : 0, Math.floor(Date.now() / 1000));
    const text = new Uint8Array(memory.buffer, quietus_verdict(), length);
    return JSON.parse(new TextDecoder().decode(text));
  }

  return { verify };
}
