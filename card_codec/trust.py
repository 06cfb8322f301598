"""The trust list: which keys count, for what, and whose they are.

One key has one use. Keys are found by their kid of 4 bytes, so a list in which two keys share a
kid cannot be built.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from card_codec import canonical
from card_codec.canonical import Value, take_bytes, take_int, take_list, take_text
from card_codec.errors import malformed
from card_codec.keys import SPKI_BYTES_MAX, PublicKey

SIZE_BYTES_MAX = 8_000_000
HOLDER_LENGTH_MAX = 60

_MAGIC = "khb-trust"
_FORMAT = 1


class KeyUse(StrEnum):
    """What a key may sign."""

    ISSUER = "issuer"
    TERMINAL = "terminal"
    LOG = "log"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key, what it may sign and when.

    Attributes:
        key: the key.
        use: what it may sign.
        holder: of an issuer its name; of a terminal ordinal and epoch, ``T001.1``.
        valid_from: unix seconds; what it signs is dated at or after this.
        valid_until: unix seconds; dated before this; None while open.
        revoked_at: unix seconds of the revocation, or None.
    """

    key: PublicKey
    use: KeyUse
    holder: str
    valid_from: int
    valid_until: int | None = None
    revoked_at: int | None = None


class TrustList:
    """The keys that count, at one version. Immutable; look-up by kid is one dict access."""

    __slots__ = ("_by_kid", "_keys", "_version")

    def __init__(self, version: int, keys: Iterable[TrustedKey]) -> None:
        """Build a list; the keys are kept in the order of their kids.

        Raises:
            CardCodecError: `malformed`, if two keys share a kid or a field is out of bounds.
        """
        take_int(version, "the version of the trust list")
        by_kid: dict[bytes, TrustedKey] = {}
        for trusted in keys:
            _check(trusted)
            if trusted.key.kid in by_kid:
                raise malformed(f"two keys of the trust list share the kid {trusted.key.kid.hex()}")
            by_kid[trusted.key.kid] = trusted
        self._version = version
        self._keys = tuple(by_kid[kid] for kid in sorted(by_kid))
        self._by_kid = by_kid

    @property
    def version(self) -> int:
        """Number of the list; a higher one replaces a lower one."""
        return self._version

    @property
    def keys(self) -> tuple[TrustedKey, ...]:
        """All keys, revoked ones too, in the order of their kids."""
        return self._keys

    def find(self, kid: bytes, use: KeyUse) -> TrustedKey | None:
        """The key with a kid, if it may be used so. It may be revoked: the caller looks."""
        trusted = self._by_kid.get(kid)
        return trusted if trusted is not None and trusted.use is use else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrustList):
            return NotImplemented
        return self._version == other._version and self._keys == other._keys

    def __hash__(self) -> int:
        return hash((self._version, self._keys))

    def __repr__(self) -> str:
        return f"TrustList(version={self._version}, {len(self._keys)} keys)"


def encode_trust_list(trust: TrustList) -> bytes:
    """The list as canonical CBOR; see docs/spec/trust-list.md."""
    return canonical.encode(
        [
            _MAGIC,
            _FORMAT,
            trust.version,
            [
                [k.key.spki, k.use, k.holder, k.valid_from, k.valid_until, k.revoked_at]
                for k in trust.keys
            ],
        ]
    )


def decode_trust_list(data: bytes) -> TrustList:
    """The list in canonical CBOR of at most 8 MB. Whether it is to be believed is not said here.

    Raises:
        CardCodecError: `malformed`.
    """
    parts = take_list(canonical.decode(data, size_max=SIZE_BYTES_MAX), "the trust list", 4)
    if parts[0] != _MAGIC or parts[1] != _FORMAT:
        raise malformed("this is not a trust list (khb-trust, format 1)")
    keys = [_read_key(item) for item in take_list(parts[3], "the keys")]
    trust = TrustList(take_int(parts[2], "the version of the trust list"), keys)
    if list(trust.keys) != keys:
        raise malformed("the keys of the trust list are not in the order of their kids")
    return trust


def _read_key(item: Value) -> TrustedKey:
    spki, use, holder, valid_from, valid_until, revoked_at = take_list(item, "a key", 6)
    try:
        key_use = KeyUse(take_text(use, "the use of a key", 20))
    except ValueError as exc:
        raise malformed("a key has an unknown use") from exc
    return TrustedKey(
        key=PublicKey.from_spki(take_bytes(spki, "a key", length_max=SPKI_BYTES_MAX)),
        use=key_use,
        holder=take_text(holder, "the holder of a key", HOLDER_LENGTH_MAX),
        valid_from=take_int(valid_from, "valid_from"),
        valid_until=None if valid_until is None else take_int(valid_until, "valid_until"),
        revoked_at=None if revoked_at is None else take_int(revoked_at, "revoked_at"),
    )


def _check(trusted: TrustedKey) -> None:
    holder = take_text(trusted.holder, "the holder of a key", HOLDER_LENGTH_MAX)
    if not holder or not holder.isprintable():
        raise malformed("the holder of a key is empty or not printable")
    take_int(trusted.valid_from, "valid_from")
    if trusted.valid_until is not None:
        take_int(trusted.valid_until, "valid_until", trusted.valid_from)
    if trusted.revoked_at is not None:
        take_int(trusted.revoked_at, "revoked_at")
