"""`securesystemslib` from PyPI over exported certificates and their status lists: the signature
over the envelope.

usage: python dsse.py CASE...
Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
"""

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey


def verify(folder: Path) -> None:
    public = load_pem_public_key((folder / "issuer.pub.pem").read_bytes())
    name = json.loads((folder / "key_name.json").read_text())
    key = SSlibKey.from_crypto(public, keyid=name, scheme="ecdsa-sha2-nistp256")
    for file in ("certificate.sigstore.json", "status.sigstore.json"):
        bundle = json.loads((folder / file).read_text())
        Envelope.from_dict(bundle["dsseEnvelope"]).verify([key], 1)


for case in sys.argv[1:]:
    said = "accepted"
    try:
        verify(Path(case))
    except Exception as error:  # whatever a verifier raises is a refusal
        said = f"refused: {type(error).__name__}: {error}".splitlines()[0]
    print(f"{case}\t{said}")
