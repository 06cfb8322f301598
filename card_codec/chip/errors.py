"""What can go wrong between a reader and a chip.

- ChipError: all of them; each is a CardCodecError
- ChipLinkError: no answer came; whether the chip carried the command out is UNKNOWN
- ChipStatusError: the chip answered with a status that is not success
- ChipIntegrityError: an answer that is not the chip's own, or not the one asked for
- ChipAuthenticationError: the chip does not hold the key that this card's chip must hold
- ChipFormatError: what lies on the chip is not laid out as its profile says

A command that ends in any of these may have been carried out. Nothing here is ever sent again: the
chip is asked what it did, at the next tap.
"""

from typing import ClassVar

from card_codec.errors import CardCodecError


class ChipError(CardCodecError):
    """An exchange with a chip that did not end as it should."""

    reason: ClassVar[str] = "unreadable"

    def __init__(self, detail: str) -> None:
        super().__init__(self.reason, detail)


class ChipLinkError(ChipError):
    """No answer: card pulled, reader lost, field gone. The outcome of the command is unknown."""


class ChipStatusError(ChipError):
    """The chip answered with an error status.

    Outside of secure messaging nobody vouches for a status; it is believed only where believing it
    gives nothing away.

    Attributes:
        sw: the status word, 2 bytes, such as 0x91AE.
    """

    def __init__(self, ins: int, sw: int, name: str) -> None:
        super().__init__(f"the chip answered command {ins:02X} with {sw:04X} ({name})")
        self.sw = sw


class ChipIntegrityError(ChipError):
    """A secured answer with a wrong MAC, wrong padding or of the wrong length."""


class ChipAuthenticationError(ChipError):
    """The chip could not show that it holds its key, or is not the chip its credential names."""

    reason = "bad_signature"


class ChipFormatError(ChipError):
    """The content of the chip is not what its profile says."""

    reason = "malformed"
