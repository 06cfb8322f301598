"""The chip's side of the cryptography, written apart from card_codec's."""

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC, 16 bytes."""
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def mac8(key: bytes, message: bytes) -> bytes:
    """The eight bytes of a CMAC at the odd places."""
    whole = cmac(key, message)
    return bytes(whole[place] for place in range(1, 16, 2))


def encrypt(key: bytes, data: bytes, iv: bytes = bytes(16)) -> bytes:
    """AES-CBC, no padding added."""
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()


def decrypt(key: bytes, data: bytes, iv: bytes = bytes(16)) -> bytes:
    """AES-CBC, no padding removed."""
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return cipher.update(data) + cipher.finalize()


def equal(left: bytes, right: bytes) -> bool:
    """Compared as a chip does."""
    return hmac.compare_digest(left, right)


def pad(data: bytes) -> bytes:
    """80 and zeros, always at least one byte."""
    filled = bytearray(data)
    filled.append(0x80)
    while len(filled) % 16:
        filled.append(0)
    return bytes(filled)


def unpad(data: bytes) -> bytes | None:
    """Without 80 and zeros; None where they are not."""
    stripped = data.rstrip(b"\x00")
    if not stripped or stripped[-1] != 0x80 or len(data) - len(stripped) > 15:
        return None
    return stripped[:-1]


def zero_pad(data: bytes) -> bytes:
    """Zeros to a whole block."""
    return data + bytes((16 - len(data) % 16) % 16)
