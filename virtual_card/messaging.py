"""EV2 secure messaging at the chip's end."""

from __future__ import annotations

from dataclasses import dataclass

from virtual_card import crypto
from virtual_card.memory import FULL, PLAIN
from virtual_card.status import AUTHENTICATION, INTEGRITY, LENGTH, OK, StatusRefusal


@dataclass
class Session:
    """An authentication that stands, until the next error."""

    number: int
    enc: bytes
    mac: bytes
    ti: bytes
    counter: int = 0

    def opened(self, ins: int, payload: bytes, header: int, mode: int) -> tuple[bytes, bytes]:
        """Header and data of a command, checked and deciphered."""
        if mode == PLAIN:
            return payload[:header], payload[header:]
        body, given = payload[:-8], payload[-8:]
        if len(payload) < header + 8:
            raise StatusRefusal(LENGTH)
        if not crypto.equal(given, self._mac(ins, body)):
            raise StatusRefusal(INTEGRITY)
        data = body[header:]
        if mode == FULL and data:
            if len(data) % 16:
                raise StatusRefusal(LENGTH)
            plain = crypto.unpad(crypto.decrypt(self.enc, data, self._iv(b"\xa5\x5a")))
            if plain is None:
                raise StatusRefusal(INTEGRITY)
            data = plain
        return body[:header], data

    def sealed(self, answer: bytes, mode: int) -> bytes:
        """The answer as it goes out; moves the counter on."""
        self.counter += 1
        if mode == PLAIN:
            return answer
        if mode == FULL and answer:
            answer = crypto.encrypt(self.enc, crypto.pad(answer), self._iv(b"\x5a\xa5"))
        return answer + self._mac(OK, answer)

    def _mac(self, code: int, body: bytes) -> bytes:
        counter = self.counter.to_bytes(2, "little")
        return crypto.mac8(self.mac, bytes([code]) + counter + self.ti + body)

    def _iv(self, label: bytes) -> bytes:
        seed = label + self.ti + self.counter.to_bytes(2, "little")
        return crypto.encrypt(self.enc, seed + bytes(8))


@dataclass
class Challenge:
    """Between the two frames of an authentication."""

    number: int
    key: bytes
    rnd_b: bytes
    carried: Session | None  # the session that a non-first authentication goes on from

    def answered(self, payload: bytes, ti: bytes) -> tuple[Session, bytes]:
        """The session, and what the chip answers."""
        if len(payload) != 32:
            raise StatusRefusal(LENGTH)
        plain = crypto.decrypt(self.key, payload)
        rnd_a, turned = plain[:16], plain[16:]
        if not crypto.equal(turned, _rotate(self.rnd_b)):
            raise StatusRefusal(AUTHENTICATION)
        enc, mac = _session_keys(self.key, rnd_a, self.rnd_b)
        if self.carried is None:
            session = Session(self.number, enc, mac, ti)
            return session, crypto.encrypt(self.key, ti + _rotate(rnd_a) + bytes(12))
        session = Session(self.number, enc, mac, self.carried.ti, self.carried.counter)
        return session, crypto.encrypt(self.key, _rotate(rnd_a))


def _session_keys(key: bytes, a: bytes, b: bytes) -> tuple[bytes, bytes]:
    mixed = (int.from_bytes(a[2:8], "big") ^ int.from_bytes(b[:6], "big")).to_bytes(6, "big")
    tail = b"\x00\x01\x00\x80" + a[:2] + mixed + b[6:16] + a[8:16]
    return crypto.cmac(key, b"\xa5\x5a" + tail), crypto.cmac(key, b"\x5a\xa5" + tail)


def _rotate(block: bytes) -> bytes:
    return block[1:] + block[:1]
