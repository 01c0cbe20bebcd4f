"""`rfc8785` from PyPI over exported certificates: statement and log entry are canonical JSON, the log
entry is the one that follows from the envelope, and the manifest the one that is signed for.

usage: python canonical.py CASE...
Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

import rfc8785


def same(found: bytes, expected: bytes, what: str) -> None:
    if found != expected:
        raise ValueError(what)


def verify(folder: Path) -> None:
    bundle = json.loads((folder / "certificate.sigstore.json").read_text())
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    same(payload, rfc8785.dumps(json.loads(payload)), "the statement is not canonical")
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    lines = (folder / "issuer.pub.pem").read_text().splitlines()
    entry = {
        "kind": "hashedrekord",
        "apiVersion": "0.0.2",
        "spec": {
            "hashedRekordV002": {
                "signature": {
                    "verifier": {
                        "publicKey": {"rawBytes": "".join(line for line in lines if "-" not in line)},
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    },
                    "content": envelope["signatures"][0]["sig"],
                },
                "data": {
                    "digest": base64.b64encode(hashlib.sha256(signed).digest()).decode(),
                    "algorithm": "SHA2_256",
                },
            }
        },
    }
    leaf = bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"]
    leaf = base64.b64decode(leaf, validate=True)
    same(leaf, rfc8785.dumps(entry), "the log entry does not follow from the envelope")
    subject = json.loads(payload)["subject"][0]
    counts = (folder / subject["name"]).read_bytes()
    same(counts, rfc8785.dumps(json.loads(counts)), "the manifest is not canonical")
    if hashlib.sha256(counts).hexdigest() != subject["digest"]["sha256"]:
        raise ValueError("the manifest is not the one signed for")


for case in sys.argv[1:]:
    said = "accepted"
    try:
        verify(Path(case))
    except Exception as error:  # whatever a verifier raises is a refusal
        said = f"refused: {type(error).__name__}: {error}".splitlines()[0]
    print(f"{case}\t{said}")
