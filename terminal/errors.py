"""What can go wrong at the counter that is neither a refusal nor the ledger's fault.

- ``TerminalError``
    - ``WrongRequestError``  what was asked for makes no sense for this programme
    - ``DemoError``          the demo could not drive another program
"""

from __future__ import annotations


class TerminalError(Exception):
    """Base of every defect raised by this package; its text is one English sentence."""


class WrongRequestError(TerminalError):
    """The request cannot be judged: an unknown programme, or a person where none belongs."""


class DemoError(TerminalError):
    """Another program did not do what the demo asked of it."""
