"""What can go wrong at the office. Each is one sentence: what is wrong and what to do.

- ``ProvisioningError``      refused, or a check failed (exit 1)
    - ``WrongUseError``      the command was given something it cannot work with (exit 2)
"""

from __future__ import annotations


class ProvisioningError(Exception):
    """The office refused an act; nothing was half-written.

    Attributes:
        detail: one English sentence: what is wrong and what to do.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class WrongUseError(ProvisioningError):
    """A file or value given to a command is missing or is not what it should be."""
