"""EV2 secure messaging: mutual authentication, then every command and answer under a MAC.

Sources: AN12196 §5.3, §5.4, §6.6, §7.3 and AN12343, whose worked examples are the vectors of
docs/spec/vectors/chip; the rules in words are in docs/spec/chip-profile.md §6.

    ctx     = RndA[0:2] || (RndA[2:8] xor RndB[0:6]) || RndB[6:16] || RndA[8:16]
    SesENC  = CMAC(K, A55A 0001 0080 || ctx)          SesMAC = CMAC(K, 5AA5 0001 0080 || ctx)
    command = header || data || MACt(INS || ctr || TI || header || data)
    answer  = data || MACt(SW2 || ctr+1 || TI || data)

In FULL mode data is padded and enciphered before the MAC is made. The counter moves once for each
command, between command and answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from card_codec.chip import aes
from card_codec.chip.apdu import SW, Command, Mode, NativeChannel, status_error
from card_codec.chip.errors import ChipAuthenticationError, ChipError, ChipIntegrityError

TI_BYTES = 4
COUNTER_MAX = 0xFFFF

FIRST = 0x71
NON_FIRST = 0x77
_MORE = 0xAF
_NO_CAPABILITIES = 0x00
_FIRST_ANSWER_BYTES = 32

Draw = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The two keys of one session, 16 bytes each."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)


class SecureSession:
    """What both ends of a session know; seals commands and opens answers. No I/O."""

    def __init__(self, keys: SessionKeys, ti: bytes, counter: int = 0) -> None:
        self._keys = keys
        self.ti = ti
        self.counter = counter

    def seal(self, command: Command) -> bytes:
        """What follows the command's code on the wire. The counter stays where it is."""
        if command.mode is Mode.PLAIN:
            return command.header + command.data
        data = command.data
        if command.mode is Mode.FULL and data:
            data = aes.encrypt_cbc(self._keys.enc, aes.padded(data), self.iv(of_command=True))
        body = command.header + data
        return body + self._mac(command.ins, body)

    def open(self, mode: Mode, status: int, answer: bytes) -> bytes:
        """What a secured answer yields. Moves the counter on, whether the answer is good or not.

        Args:
            mode: of the command it answers.
            status: second byte of the status word.
            answer: the body as it came, with its MAC.

        Raises:
            ChipIntegrityError: its MAC, its padding or its length is wrong.
        """
        self.counter += 1
        if mode is Mode.PLAIN:
            return answer
        body, mac = answer[: -aes.MAC_BYTES], answer[-aes.MAC_BYTES :]
        if len(mac) != aes.MAC_BYTES or not aes.same(mac, self._mac(status, body)):
            raise ChipIntegrityError("the answer's MAC is not this session's")
        return self._deciphered(body) if mode is Mode.FULL and body else body

    def iv(self, *, of_command: bool) -> bytes:
        """The initial vector of FULL mode at this counter."""
        label = b"\xa5\x5a" if of_command else b"\x5a\xa5"
        return aes.encrypt_block(self._keys.enc, label + self.ti + self._counter_bytes() + bytes(8))

    def _deciphered(self, body: bytes) -> bytes:
        if len(body) % aes.BLOCK_BYTES:
            raise ChipIntegrityError("the answer is not of whole blocks")
        data = aes.decrypt_cbc(self._keys.enc, body, self.iv(of_command=False))
        content, mark, rest = data.rpartition(b"\x80")
        if not mark or rest.strip(b"\x00") or len(rest) >= aes.BLOCK_BYTES:
            raise ChipIntegrityError("the answer's padding is wrong")
        return content

    def _mac(self, code: int, body: bytes) -> bytes:
        message = bytes([code]) + self._counter_bytes() + self.ti + body
        return aes.short_mac(self._keys.mac, message)

    def _counter_bytes(self) -> bytes:
        return self.counter.to_bytes(2, "little")


class SecureChannel:
    """A native channel with a session on it. After any error the session is over."""

    def __init__(self, native: NativeChannel, session: SecureSession) -> None:
        self._native = native
        self._session = session
        self._is_open = True

    def exchange(self, command: Command) -> bytes:
        """Send a command in its mode; the content of the answer, checked.

        Raises:
            ChipError: the command may have been carried out; the session is over.
        """
        if not self._is_open or self._session.counter >= COUNTER_MAX:
            raise ChipError("the session with the chip is over; the card must be opened anew")
        self._is_open = False
        data, sw = self._native.whole(command.ins, self._session.seal(command))
        if sw != SW.OK:
            raise status_error(command.ins, sw)
        content = self._session.open(command.mode, sw & 0xFF, data)
        self._is_open = True
        return content

    def exchange_last(self, command: Command) -> None:
        """Send a command that ends the session, such as changing the session's own key.

        Raises:
            ChipError: the command may have been carried out.
        """
        self._is_open = False
        data, sw = self._native.whole(command.ins, self._session.seal(command))
        if sw != SW.OK:
            raise status_error(command.ins, sw)
        if data:
            raise ChipIntegrityError("the chip answered more than the end of the session")

    def authenticate_again(self, key: bytes, number: int, draw: Draw) -> None:
        """Change over to another key of the application; TI and counter go on.

        Raises:
            ChipAuthenticationError: the chip does not hold the key.
            ChipError: anything else that went wrong.
        """
        self._is_open = False
        rnd_a, rnd_b, answer = _challenge(self._native, NON_FIRST, key, number, draw)
        if not aes.same(aes.decrypt_cbc(key, answer), _turned(rnd_a)):
            raise _not_held(number)
        old = self._session
        self._session = SecureSession(session_keys(key, rnd_a, rnd_b), old.ti, old.counter)
        self._is_open = True


def authenticate(native: NativeChannel, key: bytes, number: int, draw: Draw) -> SecureChannel:
    """AuthenticateEV2First: both ends prove that they hold the key.

    Args:
        native: the chip, with its application selected.
        key: the chip's own key, 16 bytes, already diversified.
        number: which key of the application.
        draw: gives random bytes, 16 are asked for.

    Raises:
        ChipAuthenticationError: the chip does not hold the key.
        ChipError: anything else that went wrong.
    """
    rnd_a, rnd_b, answer = _challenge(native, FIRST, key, number, draw)
    return SecureChannel(native, finish_first(key, rnd_a=rnd_a, rnd_b=rnd_b, answer=answer))


def finish_first(key: bytes, *, rnd_a: bytes, rnd_b: bytes, answer: bytes) -> SecureSession:
    """The session that the chip's last answer of AuthenticateEV2First opens.

    Raises:
        ChipAuthenticationError: the answer does not hold our challenge.
    """
    if len(answer) != _FIRST_ANSWER_BYTES:
        raise ChipAuthenticationError("the chip's answer to the challenge has the wrong length")
    plain = aes.decrypt_cbc(key, answer)
    ti, turned = plain[:TI_BYTES], plain[TI_BYTES : TI_BYTES + 16]
    if not aes.same(turned, _turned(rnd_a)):
        raise ChipAuthenticationError("the chip does not hold its key: it answers wrongly")
    return SecureSession(session_keys(key, rnd_a, rnd_b), ti)


def host_answer(key: bytes, *, rnd_a: bytes, enc_rnd_b: bytes) -> tuple[bytes, bytes]:
    """Our answer to the chip's enciphered challenge (32 bytes), and that challenge (16 bytes)."""
    rnd_b = aes.decrypt_cbc(key, enc_rnd_b)
    return aes.encrypt_cbc(key, rnd_a + _turned(rnd_b)), rnd_b


def session_keys(key: bytes, rnd_a: bytes, rnd_b: bytes) -> SessionKeys:
    """The keys of the session that these two challenges open."""
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
    context = rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
    return SessionKeys(
        enc=aes.cmac(key, b"\xa5\x5a\x00\x01\x00\x80" + context),
        mac=aes.cmac(key, b"\x5a\xa5\x00\x01\x00\x80" + context),
    )


def _challenge(
    native: NativeChannel, ins: int, key: bytes, number: int, draw: Draw
) -> tuple[bytes, bytes, bytes]:
    """RndA, RndB and the chip's last answer, which is still to be checked."""
    begin = bytes([number, _NO_CAPABILITIES]) if ins == FIRST else bytes([number])
    enc_rnd_b, sw = native.frame(ins, begin)
    if sw != SW.ADDITIONAL_FRAME:
        raise status_error(ins, sw)
    if len(enc_rnd_b) != aes.BLOCK_BYTES:
        raise ChipAuthenticationError("the chip's challenge has the wrong length")
    rnd_a = draw(aes.BLOCK_BYTES)
    ours, rnd_b = host_answer(key, rnd_a=rnd_a, enc_rnd_b=enc_rnd_b)
    answer, sw = native.frame(_MORE, ours)
    if sw == SW.AUTHENTICATION_ERROR:
        raise _not_held(number)
    if sw != SW.OK:
        raise status_error(ins, sw)
    return rnd_a, rnd_b, answer


def _turned(block: bytes) -> bytes:
    return block[1:] + block[:1]


def _not_held(number: int) -> ChipAuthenticationError:
    return ChipAuthenticationError(f"the chip does not hold its key {number}")
