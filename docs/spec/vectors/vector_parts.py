"""What the vectors are made of: fixed test keys, a plain COSE writer, plain Base32.

The keys sign nothing outside of the vectors. Nothing here uses the codec.
"""

import base64
import hashlib
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Case = dict[str, Any]

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DAY = 86_400
ISSUED = 1_767_225_600  # 2026-01-01T00:00:00Z
EXPIRES = ISSUED + 3 * 365 * DAY
HOUSEHOLD = bytes.fromhex("6299000011223344")
CLAIMS = {1: "ID-KT", 3: "KHB26", 4: EXPIRES, 6: ISSUED, 7: HOUSEHOLD + b"\x01", -65537: 1}


# Keys


def seed(label: str) -> bytes:
    """32 fixed bytes for a label."""
    return hashlib.sha256(b"huma-betang test key: " + label.encode()).digest()


ISSUER = ed25519.Ed25519PrivateKey.from_private_bytes(seed("issuer"))
STRANGER = ed25519.Ed25519PrivateKey.from_private_bytes(seed("stranger"))
REVOKED = ed25519.Ed25519PrivateKey.from_private_bytes(seed("revoked issuer"))
TERMINAL = ed25519.Ed25519PrivateKey.from_private_bytes(seed("terminal"))
HSM = ec.derive_private_key(int.from_bytes(seed("issuer in a module")) % P256_N, ec.SECP256R1())
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def spki(key: Key) -> bytes:
    """SubjectPublicKeyInfo in DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def kid(key: Key) -> bytes:
    """The first 4 bytes of SHA-256 of it."""
    return hashlib.sha256(spki(key)).digest()[:4]


def sign(key: Key, message: bytes, *, high_s: bool = False) -> bytes:
    """A raw signature of 64 bytes; for P-256 in the lower or the higher form of s."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))
    low, high = min(s, P256_N - s), max(s, P256_N - s)
    return r.to_bytes(32) + (high if high_s else low).to_bytes(32)


# Building blocks


def pack(value: object) -> bytes:
    """Canonical CBOR of what needs no ordering beyond length first."""
    return cbor2.dumps(value, canonical=True)


def cose(payload: bytes, key: Key = ISSUER, **change: Any) -> bytes:
    """A COSE_Sign1; `change` spoils one part of it."""
    algorithm = -8 if isinstance(key, ed25519.Ed25519PrivateKey) else -7
    header = {1: change.get("algorithm", algorithm), 4: change.get("kid", kid(key))}
    protected = change.get("protected", pack(header))
    message = pack(["Signature1", protected, b"", payload])
    signature = sign(key, message, high_s=change.get("high_s", False))
    parts = [protected, change.get("unprotected", {}), payload, signature]
    return pack(cbor2.CBORTag(18, parts))


def text(data: bytes, prefix: str = "KHB1") -> str:
    """Prefix and unpadded Base32."""
    return prefix + base64.b32encode(data).decode().rstrip("=")


def trust_row(key: Key, use: str, holder: str, **dates: int) -> list[Any]:
    """A key as it stands in a trust list."""
    since = dates.get("since", ISSUED - 30 * DAY)
    return [spki(key), use, holder, since, dates.get("until"), dates.get("revoked")]


def trust_list(*rows: list[Any], version: int = 7) -> bytes:
    """A trust list in the order of kids."""
    ordered = sorted(rows, key=lambda row: hashlib.sha256(row[0]).digest()[:4])
    return pack(["khb-trust", 1, version, ordered])


TRUST_ROWS = (
    trust_row(ISSUER, "issuer", "Kalteng"),
    trust_row(HSM, "issuer", "Kalteng (module)", until=ISSUED + 400 * DAY),
    trust_row(REVOKED, "issuer", "Kalteng 2025", revoked=ISSUED),
    trust_row(TERMINAL, "terminal", "T001.1"),
)
TRUST = trust_list(*TRUST_ROWS)
