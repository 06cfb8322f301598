"""COSE_Sign1 in its strictest form (RFC 9052 §4.2): one signed payload, one encoding.

Tag 18; a protected header of exactly algorithm and kid; an empty unprotected header; canonical
bytes. The signature is checked before anyone looks at the payload.
"""

from collections.abc import Callable

from card_codec import canonical
from card_codec.errors import CardCodecError, malformed
from card_codec.keys import KID_BYTES, SIGNATURE_BYTES, Algorithm, PublicKey, Signer

SIZE_BYTES_MAX = 1000

_TAG_18 = b"\xd2"
_HEADER_ALG = 1
_HEADER_KID = 4
_ALG_WRITTEN = {Algorithm.EDDSA: -8, Algorithm.ES256: -7}
# RFC 9864 gives the same algorithms fully specified numbers: -19 Ed25519, -9 ESP256.
_ALG_READ = {Algorithm.EDDSA: frozenset((-8, -19)), Algorithm.ES256: frozenset((-7, -9))}


def sign1(payload: bytes, signer: Signer) -> bytes:
    """The payload signed, as a tagged COSE_Sign1."""
    key = signer.public
    protected = canonical.encode({_HEADER_ALG: _ALG_WRITTEN[key.algorithm], _HEADER_KID: key.kid})
    signature = signer.sign(_signed_bytes(protected, payload))
    return _TAG_18 + canonical.encode([protected, {}, payload, signature])


def open_sign1(
    data: bytes,
    find_key: Callable[[bytes], PublicKey | None],
    *,
    size_max: int = SIZE_BYTES_MAX,
) -> tuple[bytes, PublicKey]:
    """The payload, and the key that signed it.

    Args:
        data: a tagged COSE_Sign1, all of it.
        find_key: the trusted key with a kid of 4 bytes, or None.
        size_max: limit in bytes.

    Raises:
        CardCodecError: `malformed` (not in the one strict form), `unknown_issuer` (no such
            key) or `bad_signature`.
    """
    if data[:1] != _TAG_18:
        raise malformed("this is not a COSE_Sign1 (tag 18)")
    parts = canonical.take_list(canonical.decode(data[1:], size_max=size_max), "COSE_Sign1", 4)
    protected = canonical.take_bytes(parts[0], "the protected header", length_max=32)
    if parts[1] != {}:
        raise malformed("the unprotected header is not an empty map")
    payload = canonical.take_bytes(parts[2], "the payload")
    signature = canonical.take_bytes(parts[3], "the signature", SIGNATURE_BYTES)
    algorithm, kid = _read_protected(protected)
    key = find_key(kid)
    if key is None:
        raise CardCodecError("unknown_issuer", f"no trusted key has the kid {kid.hex()}")
    if algorithm not in _ALG_READ[key.algorithm]:
        raise CardCodecError("bad_signature", "the algorithm named is not the key's")
    key.verify(signature, _signed_bytes(protected, payload))
    return payload, key


def _read_protected(protected: bytes) -> tuple[int, bytes]:
    header = canonical.take_map(canonical.decode(protected, size_max=32), "the protected header")
    if header.keys() != {_HEADER_ALG, _HEADER_KID}:
        raise malformed("the protected header is not exactly algorithm and kid")
    algorithm = canonical.take_int(header[_HEADER_ALG], "the algorithm", -(2**16), 2**16)
    return algorithm, canonical.take_bytes(header[_HEADER_KID], "the kid", KID_BYTES)


def _signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 §4.4, without external data."""
    return canonical.encode(["Signature1", protected, b"", payload])
