"""Issues a certificate without a line of ours, after the published formats alone: RFC 6962 and 8785,
C2SP checkpoints and tiles, in-toto, DSSE, Rekor v2 and Sigstore's bundle. What it wrote once is kept
in `verify/tests/issued`, so that the verifier is held to the formats and not to our own writer.

usage: python issue.py FOLDER      with `rfc8785` and `cryptography` of requirements.txt
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORIGIN = "erasure.example.com/evidence/2026"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
SIZE, INDEX = 638, 300


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:middle]) + root(leaves[middle:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return [*path(index, leaves[:middle]), root(leaves[middle:])]
    return [*path(index - middle, leaves[middle:]), root(leaves[:middle])]


def statement(name: str, system: str, collection: str, category: str) -> dict:
    rule = {"id": "contact-90-days", "version": "7", "sha256": sha256(b"rule").hex()}
    entry = {"leafHash": sha256(b"leaf").hex(), "detailSha256": sha256(b"detail").hex()}
    counts = ("matched", "deleted", "cleared", "anonymised", "restricted", "left")
    return {
        "id": name,
        "jobId": "00000000-0000-0000-0000-000000000010",
        "system": {"id": system, "kind": "database", "operator": "self", "region": "EU"},
        "collection": collection,
        "category": category,
        "rules": [{**rule, "basis": "GDPR article 5(1)(e)"}],
        "cutOffs": [
            {
                "rule": "contact-90-days",
                "startingPoint": "relationship.ended",
                "period": "P90D",
                "atOrBefore": "2026-08-25T00:00:00Z",
            }
        ],
        "action": "erase",
        "outcome": "not-found",
        "method": {"nist80088": "clear", "technique": "delete", "tool": "example 1.0"},
        "records": dict.fromkeys(counts, "0"),
        "kept": [],
        "verification": {
            "type": "post-query",
            "at": "2026-11-23T03:07:00Z",
            "result": "absent",
            "method": "second query over another connection",
        },
        "startedAt": "2026-11-23T03:00:00Z",
        "completedAt": "2026-11-23T03:07:30Z",
        "failure": None,
        "exception": None,
        "backup": None,
        "recipient": None,
        "evidence": [{"log": ORIGIN, "index": "3", **entry}],
    }


def predicate() -> dict:
    first = statement("s1", "shop", "customers", "account.contact")
    first["outcome"] = "completed"
    first["records"] |= {"matched": "5231", "deleted": "4997", "cleared": "231"}
    hold = {"reason": "legal-hold", "records": "3", "because": "matter 2026-014", "until": None}
    first["kept"] = [{**hold, "reviewOn": "2027-01-15", "restricted": True}]
    second = statement("s2", "billing", "invoices", "order.delivery")
    numbers = {"completed": 1, "retained": 1, "pending": 0, "unverified": 0, "failed": 0}
    return {
        "certificateId": "00000000-0000-0000-0000-000000007e57",
        "nonce": text(bytes(range(32))),
        "class": "scheduled-disposal",
        "issuer": {"name": "Example Shop <GmbH> & Co.", "role": "controller", "log": ORIGIN},
        "tool": {"name": "issue.py", "version": "1"},
        "issuedAt": "2026-11-23T03:10:00Z",
        "asOf": "2026-11-23T03:07:00Z",
        "trigger": {
            "caseId": "00000000-0000-0000-0000-00000000ca5e",
            "schedule": "nightly",
            "occurrence": "2026-11-23T03:00:00Z",
            "plannedAt": "2026-11-23T03:00:00Z",
            "approvedBy": None,
        },
        "request": None,
        "scope": {
            "planSha256": sha256(b"plan").hex(),
            "dataMapSha256": sha256(b"map").hex(),
            "dataMapLogIndex": "1",
            "ruleSetSha256": sha256(b"rules").hex(),
            "systemsInScope": 2,
            "systemsStated": 2,
            "notCovered": [],
        },
        "statements": [first, second],
        "summary": {"overall": "complete-with-exceptions", **numbers},
        "pending": None,
        "supersedes": None,
        "status": None,
        "limits": ["Counts are those that the named systems reported."],
    }


def manifest(certified: dict) -> bytes:
    same = ("id", "collection", "category", "cutOffs", "outcome", "records", "kept")
    lines = [
        {
            **{field: one[field] for field in same},
            "system": one["system"]["id"],
            "rules": [{"id": rule["id"], "sha256": rule["sha256"]} for rule in one["rules"]],
            "verification": one["verification"]["result"],
        }
        for one in certified["statements"]
    ]
    head = {"apiVersion": "1", "certificateId": certified["certificateId"]}
    return rfc8785.dumps({**head, "statements": lines})


def issue(folder: Path) -> None:
    issuer, log = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    public = issuer.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    certified = predicate()
    counts = manifest(certified)
    subject = {"name": "manifest.json", "digest": {"sha256": sha256(counts).hex()}}
    payload = rfc8785.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [subject],
            "predicateType": "https://quietus.dev/erasure-certificate/v1",
            "predicate": certified,
        }
    )
    kind = PAYLOAD_TYPE.encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signature = text(issuer.sign(signed, ec.ECDSA(hashes.SHA256())))
    verifier = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "publicKey": {"rawBytes": text(spki)},
    }
    record = {
        "data": {"algorithm": "SHA2_256", "digest": text(sha256(signed))},
        "signature": {"content": signature, "verifier": verifier},
    }
    version = {"apiVersion": "0.0.2", "kind": "hashedrekord"}
    leaf = rfc8785.dumps({**version, "spec": {"hashedRekordV002": record}})
    leaves = [sha256(b"\x00entry %d" % number) for number in range(SIZE)]
    leaves[INDEX] = sha256(b"\x00" + leaf)
    raw = log.public_key().public_bytes_raw()
    log_id = sha256(ORIGIN.encode() + b"\n\x01" + raw)
    head = f"{ORIGIN}\n{SIZE}\n{text(root(leaves))}\n"
    line = f"\u2014 {ORIGIN} {text(log_id[:4] + log.sign(head.encode()))}\n"
    key_name = text(sha256(spki))
    entry = {
        "logIndex": str(INDEX),
        "logId": {"keyId": text(log_id)},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
        "inclusionProof": {
            "logIndex": str(INDEX),
            "rootHash": text(root(leaves)),
            "treeSize": str(SIZE),
            "hashes": [text(one) for one in path(INDEX, leaves)],
            "checkpoint": {"envelope": f"{head}\n{line}"},
        },
        "canonicalizedBody": text(leaf),
    }
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {"hint": key_name},
            "tlogEntries": [entry],
            "timestampVerificationData": {"rfc3161Timestamps": []},
        },
        "dsseEnvelope": {
            "payload": text(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": signature, "keyid": key_name}],
        },
    }
    log_spki = log.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = {
        "baseUrl": f"https://{ORIGIN}",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": text(log_spki), "keyDetails": "PKIX_ED25519"},
        "logId": {"keyId": text(log_id)},
    }
    media_type = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
    files = {
        "certificate.sigstore.json": json.dumps(bundle, indent=1).encode() + b"\n",
        "trusted_root.json": json.dumps(
            {"mediaType": media_type, "tlogs": [trusted]}, indent=1
        ).encode()
        + b"\n",
        "issuer.pub.pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "manifest.json": counts,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


issue(Path(sys.argv[1]))
