"""Signing keys. The algorithm belongs to the key and is never read from a message.

Both algorithms give raw signatures of 64 bytes. Ed25519 is the rule; ES256 (P-256 with SHA-256)
is allowed per key where a hardware module lacks it. Of an ES256 signature only the form with the
lower s verifies, since anyone can write the other one.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from card_codec.errors import CardCodecError, malformed

KID_BYTES = 4
SIGNATURE_BYTES = 64
SPKI_BYTES_MAX = 200
PEM_BYTES_MAX = 4096

# Order of the P-256 group (SEC 2, FIPS 186-4 D.1.2.3).
_P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA = ec.ECDSA(SHA256())


class Algorithm(StrEnum):
    """How a key signs; the names of RFC 9053."""

    EDDSA = "EdDSA"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures.

    Attributes:
        spki: SubjectPublicKeyInfo, DER.
        algorithm: what the key signs with.
        kid: the first 4 bytes of SHA-256 of `spki`.
    """

    spki: bytes
    algorithm: Algorithm = field(init=False, compare=False)
    kid: bytes = field(init=False, compare=False)
    _loaded: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey = field(
        init=False, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        loaded = _load_spki(self.spki)
        eddsa = isinstance(loaded, ed25519.Ed25519PublicKey)
        object.__setattr__(self, "algorithm", Algorithm.EDDSA if eddsa else Algorithm.ES256)
        object.__setattr__(self, "kid", hashlib.sha256(self.spki).digest()[:KID_BYTES])
        object.__setattr__(self, "_loaded", loaded)

    @classmethod
    def from_spki(cls, der: bytes) -> "PublicKey":
        """The key in a SubjectPublicKeyInfo.

        Raises:
            CardCodecError: `malformed`, if it is no Ed25519 or P-256 key in its only DER form.
        """
        return cls(der)

    @classmethod
    def from_pem(cls, text: str | bytes) -> "PublicKey":
        """The key in a PEM file (``BEGIN PUBLIC KEY``).

        Raises:
            CardCodecError: `malformed`.
        """
        data = _pem_bytes(text)
        try:
            loaded = load_pem_public_key(data)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise malformed("this is not a public key in PEM form (BEGIN PUBLIC KEY)") from exc
        return cls(loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def to_pem(self) -> str:
        """The key as PEM text."""
        pem = self._loaded.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode("ascii")

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if the signature of 64 bytes is this key's over the message.

        Raises:
            CardCodecError: `bad_signature`.
        """
        if len(signature) != SIGNATURE_BYTES:
            raise CardCodecError("bad_signature", f"a signature has {SIGNATURE_BYTES} bytes")
        try:
            if isinstance(self._loaded, ed25519.Ed25519PublicKey):
                self._loaded.verify(signature, message)
            else:
                self._loaded.verify(_der_of_low_s(signature), message, _ECDSA)
        except InvalidSignature as exc:
            raise CardCodecError("bad_signature", "the signature is not this key's") from exc


class Signer(Protocol):
    """Whatever can sign: a private key here, a hardware module elsewhere."""

    @property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""

    def sign(self, message: bytes) -> bytes:
        """A raw signature of 64 bytes; for ES256 r || s with the lower s."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A signing key in memory. Its repr never shows the secret."""

    _secret: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    public: PublicKey = field(init=False)

    def __post_init__(self) -> None:
        public = self._secret.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        object.__setattr__(self, "public", PublicKey(spki))

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.EDDSA) -> "PrivateKey":
        """A new key from the system's randomness."""
        if algorithm is Algorithm.EDDSA:
            return cls(ed25519.Ed25519PrivateKey.generate())
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, data: bytes) -> "PrivateKey":
        """The key in an unencrypted PKCS#8 PEM file.

        Raises:
            CardCodecError: `malformed`.
        """
        data = _pem_bytes(data)
        try:
            loaded = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise malformed(
                "this is not an unencrypted private key in PEM form (BEGIN PRIVATE KEY)"
            ) from exc
        if isinstance(loaded, ed25519.Ed25519PrivateKey) or (
            isinstance(loaded, ec.EllipticCurvePrivateKey)
            and isinstance(loaded.curve, ec.SECP256R1)
        ):
            return cls(loaded)
        raise malformed("the key is neither Ed25519 nor P-256")

    def to_pem(self) -> bytes:
        """The key as unencrypted PKCS#8 PEM; whoever writes it sets the file's mode."""
        return self._secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """A raw signature of 64 bytes; for ES256 r || s with the lower s."""
        if isinstance(self._secret, ed25519.Ed25519PrivateKey):
            return self._secret.sign(message)
        r, s = decode_dss_signature(self._secret.sign(message, _ECDSA))
        s = min(s, _P256_N - s)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _load_spki(der: bytes) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
    if len(der) > SPKI_BYTES_MAX:
        raise malformed("the public key is too long")
    try:
        loaded = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise malformed("this is not a public key in DER form") from exc
    if not (
        isinstance(loaded, ed25519.Ed25519PublicKey)
        or (
            isinstance(loaded, ec.EllipticCurvePublicKey) and isinstance(loaded.curve, ec.SECP256R1)
        )
    ):
        raise malformed("the key is neither Ed25519 nor P-256")
    # A second encoding of one key would have a second kid.
    if loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise malformed("the public key is not in its only DER form")
    return loaded


def _pem_bytes(text: str | bytes) -> bytes:
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if len(data) > PEM_BYTES_MAX:
        raise malformed("the key file is too long to be one PEM key")
    return data


def _der_of_low_s(signature: bytes) -> bytes:
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not 1 <= r < _P256_N or not 1 <= s <= _P256_N // 2:
        raise CardCodecError("bad_signature", "the ES256 signature is not in its only form")
    return encode_dss_signature(r, s)
