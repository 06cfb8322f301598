"""AES-128 as chips use it: one block, CBC without padding, CMAC (RFC 4493), and half a CMAC.

Everything is by the `cryptography` library; nothing here is an algorithm of our own.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.constant_time import bytes_eq

KEY_BYTES = 16
BLOCK_BYTES = 16
MAC_BYTES = 8
ZERO_BLOCK = bytes(BLOCK_BYTES)


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """One block of 16 bytes, enciphered."""
    return Cipher(algorithms.AES128(key), modes.ECB()).encryptor().update(block)  # noqa: S305


def encrypt_cbc(key: bytes, data: bytes, iv: bytes = ZERO_BLOCK) -> bytes:
    """Whole blocks, enciphered in CBC; no padding is added."""
    return Cipher(algorithms.AES128(key), modes.CBC(iv)).encryptor().update(data)


def decrypt_cbc(key: bytes, data: bytes, iv: bytes = ZERO_BLOCK) -> bytes:
    """Whole blocks, deciphered in CBC; no padding is taken away."""
    return Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor().update(data)


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC of 16 bytes (RFC 4493)."""
    mac = CMAC(algorithms.AES128(key))
    mac.update(message)
    return mac.finalize()


def short_mac(key: bytes, message: bytes) -> bytes:
    """MACt, 8 bytes: every second byte of the CMAC, beginning with the second (AN12196 §5.3)."""
    return cmac(key, message)[1::2]


def same(left: bytes, right: bytes) -> bool:
    """Whether two secrets or MACs are equal, in a time that does not tell where they differ."""
    return bytes_eq(left, right)


def padded(data: bytes) -> bytes:
    """The data, a byte 80 and zeros up to a whole block (ISO/IEC 9797-1 method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK_BYTES)
