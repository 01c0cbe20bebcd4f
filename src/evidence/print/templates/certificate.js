// Checks the files inside this page: signature, log entry, inclusion, head of the log, subject.
// Nothing is fetched and nothing leaves the page. What it cannot check it says.
(() => {
  'use strict';
  const texts = JSON.parse(document.getElementById('texts').textContent);
  const steps = document.getElementById('check-steps');
  const overall = document.getElementById('check-overall');
  const subtle = window.crypto && window.crypto.subtle;
  const utf8 = new TextEncoder();
  const same = (one, other) =>
    one.length === other.length && one.every((byte, place) => byte === other[place]);
  const bytes = (base64) => {
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) throw new Error('no base64');
    return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  };
  const text = (binary) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(binary);
  const base64 = (binary) => btoa(Array.from(binary, (one) => String.fromCharCode(one)).join(''));
  const hex = (binary) => Array.from(binary, (one) => one.toString(16).padStart(2, '0')).join('');
  const join = (...parts) => {
    const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((place, part) => (joined.set(part, place), place + part.length), 0);
    return joined;
  };
  const sha256 = async (binary) => new Uint8Array(await subtle.digest('SHA-256', binary));

  const file = (name) => {
    const link = Array.from(document.querySelectorAll('a[download]')).find((one) => one.getAttribute('download') === name);
    return link ? bytes(link.getAttribute('href').split(',')[1]) : null;
  };

  const found = new Map();
  const show = (step, finding, values = {}, meaning = texts.meanings[step][finding]) => {
    found.set(step, finding);
    const row = document.getElementById('step-' + step) || steps.appendChild(document.createElement('tr'));
    row.id = 'step-' + step;
    row.className = finding === 'PASS' ? 'pass' : finding === 'FAIL' ? 'fail' : 'unchecked';
    row.replaceChildren();
    const head = row.appendChild(document.createElement('th'));
    head.scope = 'row';
    head.textContent = texts.steps[step];
    row.appendChild(document.createElement('td')).textContent = texts.findings[finding];
    row.appendChild(document.createElement('td')).textContent =
      (meaning || texts.unreadable).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
  };

  // ASN.1 SEQUENCE of two INTEGERs, as signatures are written, to two numbers of 32 bytes, as
  // WebCrypto reads them.
  const plain = (der) => {
    let place = 0;
    const take = (type) => {
      if (der[place] !== type || der[place + 1] > 127) throw new Error('no signature');
      const length = der[place + 1];
      place += 2;
      return length;
    };
    if (take(0x30) !== der.length - 2) throw new Error('no signature');
    const number = () => {
      const length = take(0x02);
      const one = der.subarray(place, place + length);
      place += length;
      if (one.length === 0 || one[0] > 127 || (one[0] === 0 && one.length > 1 && one[1] < 128)) throw new Error('no signature');
      const significant = one[0] === 0 ? one.subarray(1) : one;
      if (significant.length > 32) throw new Error('no signature');
      return join(new Uint8Array(32 - significant.length), significant);
    };
    const both = join(number(), number());
    if (place !== der.length) throw new Error('no signature');
    return both;
  };

  const encoding = (type, payload) =>
    join(utf8.encode(`DSSEv1 ${utf8.encode(type).length} ${type} ${payload.length} `), payload);

  const signature = async (envelope, spki) => {
    if (envelope.payloadType !== 'application/vnd.in-toto+json' || envelope.signatures.length !== 1) return false;
    const payload = bytes(envelope.payload);
    const key = await subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    const signed = await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, plain(bytes(envelope.signatures[0].sig)), encoding(envelope.payloadType, payload));
    // The words on this page must be those of this certificate.
    return signed && JSON.parse(text(payload)).predicate.certificateId === document.body.dataset.certificate;
  };

  const leaf = async (envelope, spki, entry) => {
    const digest = await sha256(encoding(envelope.payloadType, bytes(envelope.payload)));
    const rebuilt = '{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"' +
      base64(digest) + '"},"signature":{"content":"' + envelope.signatures[0].sig +
      '","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"' + base64(spki) + '"}}}}}}';
    return same(utf8.encode(rebuilt), bytes(entry.canonicalizedBody));
  };

  const counted = (written) => {
    if (!/^(0|[1-9][0-9]{0,17})$/.test(written)) throw new Error('no number');
    return BigInt(written);
  };

  // RFC 9162, section 2.1.3.2.
  const root = async (entry) => {
    const proof = entry.inclusionProof;
    let index = counted(proof.logIndex);
    let last = counted(proof.treeSize) - 1n;
    if (index > last) return null;
    let hash = await sha256(join([0], bytes(entry.canonicalizedBody)));
    for (const sibling of proof.hashes.map(bytes)) {
      if (last === 0n || sibling.length !== 32) return null;
      if (index % 2n === 1n || index === last) {
        hash = await sha256(join([1], sibling, hash));
        while (index % 2n === 0n && index !== 0n) {
          index /= 2n;
          last /= 2n;
        }
      } else {
        hash = await sha256(join([1], hash, sibling));
      }
      index /= 2n;
      last /= 2n;
    }
    return last === 0n ? hash : null;
  };

  const head = (proof) => {
    const note = proof.checkpoint.envelope;
    const end = note.lastIndexOf('\n\n');
    if (end < 0 || !note.endsWith('\n')) throw new Error('no checkpoint');
    const body = note.slice(0, end + 1);
    const [origin, size, rootHash] = body.split('\n');
    const lines = note.slice(end + 2, -1).split('\n').map((line) => {
      const parts = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!parts) throw new Error('no checkpoint');
      return { name: parts[1], bytes: bytes(parts[2]) };
    });
    return { body, origin, size, rootHash, lines };
  };

  // The log's own Ed25519 signature; `null` where the browser has no Ed25519.
  const checkpoint = async (signed, trusted, origin) => {
    if (signed.origin !== origin) return false;
    let good = false;
    for (const log of trusted.tlogs.filter((one) => one.publicKey.keyDetails === 'PKIX_ED25519')) {
      const spki = bytes(log.publicKey.rawBytes);
      const raw = spki.subarray(spki.length - 32);
      const id = (await sha256(join(utf8.encode(signed.origin + '\n'), [1], raw))).subarray(0, 4);
      let key;
      try {
        key = await subtle.importKey('raw', raw, { name: 'Ed25519' }, false, ['verify']);
      } catch {
        return null;
      }
      for (const line of signed.lines) {
        if (line.name !== signed.origin || !same(line.bytes.subarray(0, 4), id)) continue;
        if (!(await subtle.verify({ name: 'Ed25519' }, key, line.bytes.subarray(4), utf8.encode(signed.body)))) return false;
        good = true;
      }
    }
    return good;
  };

  const step = async (name, check, values) => {
    let finding = 'FAIL';
    try {
      const good = await check();
      finding = good === null ? 'NOT CHECKED' : good ? 'PASS' : 'FAIL';
    } catch {
      finding = 'FAIL';
    }
    show(name, finding, values ? values() : {});
  };

  const conclude = () => {
    const needed = ['signature', 'leaf', 'inclusion', 'root'];
    let finding = 'PASS';
    if (needed.some((name) => found.get(name) !== 'PASS')) finding = 'NOT CHECKED';
    if ([...found.values()].includes('FAIL')) finding = 'FAIL';
    overall.textContent = texts.overall[finding];
    overall.className = finding === 'PASS' ? 'pass' : finding === 'FAIL' ? 'fail' : 'unchecked';
    document.body.dataset.check = finding;
  };

  let statement = null;
  const subject = async (name, content) => {
    const wanted = statement && statement.subject.length === 1 ? statement.subject[0] : null;
    const good = wanted !== null && hex(await sha256(content)) === wanted.digest.sha256;
    show('subject', good ? 'PASS' : 'FAIL', { name });
    conclude();
  };

  const run = async () => {
    overall.textContent = texts.running;
    let bundle, trusted, spki;
    try {
      bundle = JSON.parse(text(file('certificate.sigstore.json')));
      trusted = JSON.parse(text(file('trusted_root.json')));
      spki = bytes(text(file('issuer.pub.pem')).replace(/-----[^-]+-----|\s/g, ''));
    } catch {
      show('signature', 'FAIL', {}, texts.unreadable);
      conclude();
      return;
    }
    const envelope = bundle.dsseEnvelope;
    const entries = bundle.verificationMaterial && bundle.verificationMaterial.tlogEntries;
    const entry = entries && entries.length === 1 ? entries[0] : {};
    await step('signature', () => signature(envelope, spki));
    if (found.get('signature') === 'PASS') statement = JSON.parse(text(bytes(envelope.payload)));
    await step('leaf', () => leaf(envelope, spki, entry));
    await step('inclusion', async () => {
      const reached = await root(entry);
      return reached !== null && same(reached, bytes(entry.inclusionProof.rootHash));
    }, () => ({ size: entry.inclusionProof ? entry.inclusionProof.treeSize : '?' }));
    await step('root', () => {
      const signed = head(entry.inclusionProof);
      return signed.size === entry.inclusionProof.treeSize && signed.rootHash === entry.inclusionProof.rootHash;
    });
    await step('checkpoint', () => checkpoint(head(entry.inclusionProof), trusted, statement.predicate.issuer.log));
    const name = document.body.dataset.subject;
    const content = file(name);
    if (content) await subject(name, content);
    else show('subject', 'NOT CHECKED');
    // A code on paper leads here with the digest of the statement that it is about.
    const led = window.location.hash.slice(1);
    if (led) await step('link', async () => base64(await sha256(bytes(envelope.payload))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '') === led);
    for (const open of ['keys', 'time', 'status', 'witnesses']) show(open, 'NOT CHECKED');
    conclude();
    offer();
  };

  const offer = () => {
    const place = document.getElementById('drop');
    const chosen = document.getElementById('chosen');
    const take = async (files) => {
      if (files && files.length > 0) await subject(files[0].name, new Uint8Array(await files[0].arrayBuffer()));
    };
    place.hidden = false;
    chosen.addEventListener('change', () => take(chosen.files));
    place.addEventListener('dragover', (event) => event.preventDefault());
    place.addEventListener('drop', (event) => {
      event.preventDefault();
      take(event.dataTransfer.files);
    });
  };

  if (subtle) {
    document.getElementById('check-table').hidden = false;
    run();
  } else {
    document.body.dataset.check = 'NOT CHECKED';
  }
})();
