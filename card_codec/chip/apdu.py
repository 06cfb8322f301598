"""Commands and answers of a DESFire chip, native commands wrapped in ISO/IEC 7816-4 APDUs.

Everything that speaks to a chip stands on one method, `CardLink.transmit`: PC/SC, nfcpy and the
virtual card each give one. Above it two processors are stacked, both of the form `Channel`: this
file's `NativeChannel` wraps a command and collects an answer of several frames; `SecureChannel` of
card_codec.chip.secure seals and opens what passes through it.

    90 INS 00 00 [Lc header data] 00   ->   data 91 xx       (91AF: ask for more with 90 AF)
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from card_codec.chip.errors import ChipIntegrityError, ChipStatusError

DATA_BYTES_MAX = 255
ANSWER_BYTES_MAX = 4096
_MORE = 0xAF


class SW(IntEnum):
    """Status words of two bytes; 91xx are the chip's native ones."""

    ISO_OK = 0x9000
    ISO_NOT_FOUND = 0x6A82
    OK = 0x9100
    NO_CHANGES = 0x910C
    OUT_OF_EEPROM = 0x910E
    ILLEGAL_COMMAND = 0x911C
    INTEGRITY_ERROR = 0x911E
    NO_SUCH_KEY = 0x9140
    LENGTH_ERROR = 0x917E
    PERMISSION_DENIED = 0x919D
    PARAMETER_ERROR = 0x919E
    APPLICATION_NOT_FOUND = 0x91A0
    AUTHENTICATION_ERROR = 0x91AE
    ADDITIONAL_FRAME = 0x91AF
    BOUNDARY_ERROR = 0x91BE
    COMMAND_ABORTED = 0x91CA
    DUPLICATE_ERROR = 0x91DE
    MEMORY_ERROR = 0x91EE
    FILE_NOT_FOUND = 0x91F0


class Mode(StrEnum):
    """How a command and its answer are secured, as the file it touches says."""

    PLAIN = "plain"
    MAC = "mac"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Command:
    """A native command.

    Attributes:
        ins: its code, 1 byte.
        header: parameters, never enciphered.
        data: what is enciphered in FULL mode.
        mode: how command and answer are secured inside a session.
    """

    ins: int
    header: bytes = b""
    data: bytes = b""
    mode: Mode = Mode.PLAIN


class CardLink(Protocol):
    """A card in a field: the one thing a reader must offer."""

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one APDU; the answer's data and its status word.

        Raises:
            ChipLinkError: no answer came. The command may have been carried out.
        """


class Channel(Protocol):
    """What a command is given to, whatever lies between here and the chip."""

    def exchange(self, command: Command) -> bytes:
        """Send a command; the whole answer, without its status.

        Raises:
            ChipError: whatever went wrong; the command may have been carried out.
        """


class NativeChannel:
    """Wraps native commands, and joins the frames of a long answer."""

    def __init__(self, link: CardLink) -> None:
        self._link = link

    def exchange(self, command: Command) -> bytes:
        """See `Channel`; nothing is secured here, whatever the command's mode."""
        data, sw = self.whole(command.ins, command.header + command.data)
        if sw != SW.OK:
            raise status_error(command.ins, sw)
        return data

    def whole(self, ins: int, payload: bytes) -> tuple[bytes, int]:
        """The answer of all frames, and the last status.

        Raises:
            ChipLinkError: no answer came.
            ChipIntegrityError: the answer does not end.
        """
        data, sw = self.frame(ins, payload)
        while sw == SW.ADDITIONAL_FRAME:
            more, sw = self.frame(_MORE, b"")
            data += more
            if len(data) > ANSWER_BYTES_MAX or not more:
                raise ChipIntegrityError(f"the answer to command {ins:02X} does not end")
        return data, sw

    def frame(self, ins: int, payload: bytes) -> tuple[bytes, int]:
        """One frame there and one back."""
        return self._link.transmit(wrap(ins, payload))


def wrap(ins: int, payload: bytes) -> bytes:
    """A native command as an APDU: ``90 INS 00 00 [Lc payload] 00``.

    Args:
        ins: command code.
        payload: what follows it, at most 255 bytes.
    """
    if len(payload) > DATA_BYTES_MAX:
        raise ValueError(f"{len(payload)} bytes do not fit one command; write in pieces")
    lc = bytes([len(payload)]) if payload else b""
    return bytes([0x90, ins, 0x00, 0x00]) + lc + payload + b"\x00"


def iso_select(name: bytes) -> bytes:
    """The APDU that selects an application by its ISO name, answering no more than a status."""
    return bytes([0x00, 0xA4, 0x04, 0x0C, len(name)]) + name


def status_name(sw: int) -> str:
    """The name of a status word, for people."""
    try:
        return SW(sw).name.lower()
    except ValueError:
        return "a status this program does not know"


def status_error(ins: int, sw: int) -> ChipStatusError:
    """The error for a status that is not success."""
    return ChipStatusError(ins, sw, status_name(sw))
