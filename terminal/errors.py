"""What can go wrong at the counter that is neither a refusal nor the ledger's fault.

- ``TerminalError``
    - ``WrongRequestError``  what was asked for makes no sense for this programme
        - ``TooLateError``       the day of that redemption is closed
        - ``SecondPersonError``  nobody else agreed
        - ``UnfinishedError``    its card has not yet told what became of it
        - ``OtherCardError``     another chip lies on the reader than the one that took it
    - ``CardFaultError``     no chip could be asked: no reader, no card, two of them, pulled early
    - ``DemoError``          the demo could not drive another program
"""

from __future__ import annotations

from card_codec.readers.status import SENTENCES, ReaderState


class TerminalError(Exception):
    """Base of every defect raised by this package; its text is one English sentence."""


class WrongRequestError(TerminalError):
    """The request cannot be judged: an unknown programme, or a person where none belongs."""


class TooLateError(WrongRequestError):
    """A redemption of a day that is closed; only the office can correct it."""


class SecondPersonError(WrongRequestError):
    """The initials of a second person are missing, or are the officer's own."""


class UnfinishedError(WrongRequestError):
    """A redemption by chip that was cut off: its card must tell first whether it committed."""


class OtherCardError(WrongRequestError):
    """Another chip lies on the reader than the one that took what is to be taken back."""


class CardFaultError(TerminalError):
    """No chip could be asked. Nothing was written to a card, given or recorded.

    Attributes:
        state: what the reader is in, as a screen names it.
        reader: its name.
    """

    def __init__(self, state: ReaderState, reader: str) -> None:
        super().__init__(SENTENCES[state].format(reader=reader or "the reader"))
        self.state = state
        self.reader = reader


class DemoError(TerminalError):
    """Another program did not do what the demo asked of it."""
