"""`rfc3161-client` from PyPI over exported certificates: the time stamps over the signature and those
over heads of the log, under the authority's own certificates.

usage: python tokens.py CASE...
Prints for each case its folder, a tab, and `accepted` or `refused: WHY`.
"""

import base64
import json
import sys
from pathlib import Path

from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response


def check(answer: bytes, message: bytes, certificates: list[x509.Certificate]) -> None:
    verifier = VerifierBuilder(
        roots=[one for one in certificates if one.issuer == one.subject],
        intermediates=[one for one in certificates if one.issuer != one.subject],
    ).build()
    if not verifier.verify_message(decode_timestamp_response(answer), message):
        raise ValueError("the time stamp does not hold")


def verify(folder: Path) -> None:
    certificates = []
    for file in folder.glob("anchor-authority.*.pem"):
        certificates += x509.load_pem_x509_certificates(file.read_bytes())
    certificates = list(dict.fromkeys(certificates))
    bundle = json.loads((folder / "certificate.sigstore.json").read_text())
    signature = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"], validate=True)
    stamps = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    over_heads = sorted(folder.glob("anchor-*.tsr"))
    if not stamps or not over_heads:
        raise ValueError("there are no time stamps over the signature and over a head")
    for stamp in stamps:
        check(base64.b64decode(stamp["signedTimestamp"], validate=True), signature, certificates)
    for file in over_heads:
        head = file.name.split(".")[0]
        check(file.read_bytes(), (folder / f"{head}.text").read_bytes(), certificates)


for case in sys.argv[1:]:
    said = "accepted"
    try:
        verify(Path(case))
    except Exception as error:  # whatever a verifier raises is a refusal
        said = f"refused: {type(error).__name__}: {error}".splitlines()[0]
    print(f"{case}\t{said}")
