"""A key of its own for every chip, from one master (NXP AN10922, AES-128).

    D   = 01 || M, padded with 80 00… to TWO blocks always; the last block xor K2
          (xor K1 where D is two blocks without padding)
    key = the last block of AES-CBC(master, IV 0, D)

Two blocks always: for M below 16 bytes this is NOT the CMAC of ``01 || M``, a mistake that known
libraries made. Our own M has 19 bytes, where the two agree, so that a hardware module that only
offers AES-CMAC derives the same keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from card_codec.chip import aes

UID_BYTES = 7
AID = bytes.fromhex("484bf0")  # application 0xF04B48, least significant byte first as it is sent
SYSTEM = b"KHB1"
KECAMATAN_DIGITS = 6
NO_KECAMATAN = "000000"

_MESSAGE_BYTES_MAX = 31
_D_BYTES = 32
_R128 = 0x87  # RFC 4493 §2.3


@dataclass(frozen=True, slots=True)
class KeyName:
    """Which key of which chip.

    Attributes:
        uid: of the chip, 7 bytes.
        number: of the key in the application, or 15 for the key of the Transaction MAC.
        kecamatan: six digits; ``000000`` for keys of the whole province.
        generation: of the master, 1 to 255.
    """

    uid: bytes
    number: int
    kecamatan: str
    generation: int


class KeySource(Protocol):
    """Who derives chip keys: a file of masters here, a hardware module elsewhere."""

    def card_key(self, name: KeyName) -> bytes | None:
        """The chip's key of 16 bytes, or None if its master is not held here, or is retired."""


class MasterKeys:
    """Masters in memory, by kecamatan and generation. Their repr shows none of them."""

    def __init__(self, masters: Mapping[tuple[str, int], bytes]) -> None:
        self._masters = dict(masters)

    def card_key(self, name: KeyName) -> bytes | None:
        """See `KeySource`."""
        master = self._masters.get((name.kecamatan, name.generation))
        return None if master is None else card_key(master, name)


def card_key(master: bytes, name: KeyName) -> bytes:
    """The key of 16 bytes that a chip holds under this name."""
    return diversified(master, diversification_input(name))


def diversification_input(name: KeyName) -> bytes:
    """UID ‖ AID ‖ key number ‖ kecamatan ‖ generation ‖ ``KHB1``: 19 bytes (AN10922's M)."""
    if len(name.uid) != UID_BYTES:
        raise ValueError("keys are made for chips with a UID of 7 bytes")
    return (
        name.uid
        + AID
        + bytes([name.number])
        + kecamatan_bytes(name.kecamatan)
        + bytes([name.generation])
        + SYSTEM
    )


def kecamatan_bytes(kecamatan: str) -> bytes:
    """Six digits as three bytes, two digits in each."""
    if len(kecamatan) != KECAMATAN_DIGITS or not (kecamatan.isascii() and kecamatan.isdigit()):
        raise ValueError("the code of a kecamatan has six digits")
    return bytes.fromhex(kecamatan)


def diversified(master: bytes, message: bytes) -> bytes:
    """AN10922 for AES-128.

    Args:
        master: 16 bytes.
        message: M, 1 to 31 bytes.
    """
    if not 1 <= len(message) <= _MESSAGE_BYTES_MAX:
        raise ValueError("the diversification input has 1 to 31 bytes")
    k1, k2 = subkeys(master)
    data = b"\x01" + message
    last = k1 if len(data) == _D_BYTES else k2
    if len(data) < _D_BYTES:
        data += b"\x80" + bytes(_D_BYTES - len(data) - 1)
    mixed = bytes(a ^ b for a, b in zip(data[16:], last, strict=True))
    return aes.encrypt_cbc(master, data[:16] + mixed)[16:]


def subkeys(key: bytes) -> tuple[bytes, bytes]:
    """K1 and K2 of RFC 4493 §2.3."""
    k1 = _doubled(aes.encrypt_block(key, aes.ZERO_BLOCK))
    return k1, _doubled(k1)


def _doubled(block: bytes) -> bytes:
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = (number & ((1 << 128) - 1)) ^ _R128
    return number.to_bytes(16, "big")
