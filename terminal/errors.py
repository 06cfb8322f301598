"""What can go wrong at the counter that is neither a refusal nor the ledger's fault.

- ``TerminalError``
    - ``WrongRequestError``  what was asked for makes no sense for this programme
        - ``TooLateError``       the day of that redemption is closed
        - ``SecondPersonError``  nobody else agreed
    - ``DemoError``          the demo could not drive another program
"""

from __future__ import annotations


class TerminalError(Exception):
    """Base of every defect raised by this package; its text is one English sentence."""


class WrongRequestError(TerminalError):
    """The request cannot be judged: an unknown programme, or a person where none belongs."""


class TooLateError(WrongRequestError):
    """A redemption of a day that is closed; only the office can correct it."""


class SecondPersonError(WrongRequestError):
    """The initials of a second person are missing, or are the officer's own."""


class DemoError(TerminalError):
    """Another program did not do what the demo asked of it."""
