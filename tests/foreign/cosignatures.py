"""Cosignatures under an exported proof (C2SP tlog-cosignature), by keys of the exported policy, with
`cryptography` or `dilithium-py` from PyPI: witnesses in Ed25519 and ML-DSA-44, and the log's own second
signature in ML-DSA-44. `dilithium-py` knows ML-DSA-44 alone.

usage: python cosignatures.py cryptography|dilithium-py CASE...
Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
"""

import base64
import hashlib
import sys
from pathlib import Path

ED25519, ML_DSA_44 = 0x04, 0x06


def by_cryptography(kind: int, key: bytes, message: bytes, signature: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

    known = {
        ED25519: ed25519.Ed25519PublicKey.from_public_bytes,
        ML_DSA_44: mldsa.MLDSA44PublicKey.from_public_bytes,
    }
    known[kind](key).verify(signature, message)


def by_dilithium(_kind: int, key: bytes, message: bytes, signature: bytes) -> None:
    from dilithium_py.ml_dsa import ML_DSA_44 as scheme

    if not scheme.verify(key, message, signature):
        raise ValueError("a cosignature in ML-DSA-44 does not hold")


LIBRARIES = {
    "cryptography": (by_cryptography, {ED25519, ML_DSA_44}),
    "dilithium-py": (by_dilithium, {ML_DSA_44}),
}


def keys(policy: str) -> list[tuple[str, int, bytes, bytes]]:
    """Name, kind, key and identifier of each cosigner of the policy."""
    found = []
    for line in policy.splitlines():
        words = line.split()
        if not words or words[0] not in ("log", "witness"):
            continue
        name, identifier, text = words[1 if words[0] == "log" else 2].split("+", 2)
        data = base64.b64decode(text, validate=True)
        if hashlib.sha256(name.encode() + b"\n" + data).digest()[:4].hex() != identifier:
            raise ValueError(f"the key of {name} has another identifier")
        found.append((name, data[0], data[1:], bytes.fromhex(identifier)))
    return found


def message(kind: int, name: str, seconds: bytes, text: str) -> bytes:
    if kind == ED25519:
        moment = int.from_bytes(seconds, "big")
        return f"cosignature/v1\ntime {moment}\n{text}".encode()
    origin, size, root = text.splitlines()[:3]
    return b"".join(
        [
            b"subtree/v1\n\0",
            bytes([len(name.encode())]) + name.encode(),
            seconds,
            bytes([len(origin.encode())]) + origin.encode(),
            (0).to_bytes(8, "big"),
            int(size).to_bytes(8, "big"),
            base64.b64decode(root, validate=True),
        ]
    )


def verify(folder: Path, library: str) -> None:
    check, kinds = LIBRARIES[library]
    _, note = (folder / "certificate.tlog-proof").read_text().split("\n\n", 1)
    text, lines = note.split("\n\n", 1)
    text += "\n"
    signed = {}
    for line in lines.splitlines():
        dash, name, encoded = line.split(" ")
        if dash != "\u2014":
            raise ValueError("a line is no signature")
        data = base64.b64decode(encoded, validate=True)
        signed[(name, data[:4])] = data[4:]
    wanted = [one for one in keys((folder / "policy.tlog").read_text()) if one[1] in kinds]
    if {kind for _, kind, _, _ in wanted} != kinds:
        raise ValueError("the policy names no cosigners of each kind")
    for name, kind, key, identifier in wanted:
        data = signed.get((name, identifier))
        if data is None:
            raise ValueError(f"{name} did not sign")
        check(kind, key, message(kind, name, data[:8], text), data[8:])


for case in sys.argv[2:]:
    said = "accepted"
    try:
        verify(Path(case), sys.argv[1])
    except Exception as error:  # whatever a verifier raises is a refusal
        said = f"refused: {type(error).__name__}: {error}".splitlines()[0]
    print(f"{case}\t{said}")
