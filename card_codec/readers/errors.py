"""The one error of the readers.

- ReaderError: no card can be opened now, and the named state that says why
"""

from card_codec.errors import CardCodecError
from card_codec.readers.status import SENTENCES, ReaderState


class ReaderError(CardCodecError):
    """No card can be opened now.

    Attributes:
        state: why, as a screen names it.
    """

    def __init__(self, state: ReaderState, reader: str = "") -> None:
        super().__init__("unreadable", SENTENCES[state].format(reader=reader or "the reader"))
        self.state = state
