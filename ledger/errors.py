"""What can go wrong in the ledger that is a defect, not a refusal.

- ``LedgerError``
    - ``RecordError``            bytes that are not the record they claim to be
    - ``FolderError``            a terminal's folder or configuration is wrong
    - ``RightsError``            what came from the office cannot be installed
    - ``CustodyError``           a terminal's sealing key cannot be used
        - ``WrongPinError``      the PIN does not open it
        - ``ClosedError``        the day is not open
    - ``JournalError``
        - ``JournalDamagedError``  the journal does not hold together
            - ``RolledBackError``      it is an older copy: what was acknowledged is not in it
        - ``NotSavedError``        the act could not be made durable: nothing was given
            - ``DiskFullError``        there was no room for it
"""

from __future__ import annotations


class LedgerError(Exception):
    """Base of every defect raised by this package.

    Attributes:
        detail: one English sentence: what is wrong and what to do.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RecordError(LedgerError):
    """Bytes that are not the strict, canonical record they claim to be."""


class FolderError(LedgerError):
    """A terminal's folder, key or configuration file is missing or wrong."""


class RightsError(LedgerError):
    """A file from the in-box was not accepted; what was installed before stays."""


class CustodyError(LedgerError):
    """The key that opens people files cannot be used."""


class WrongPinError(CustodyError):
    """The PIN does not open the key, or too many were tried."""


class ClosedError(CustodyError):
    """The day is not open, so that people files stay sealed."""


class JournalError(LedgerError):
    """The journal cannot be used."""


class JournalDamagedError(JournalError):
    """The chain, a signature or a projection does not hold."""


class RolledBackError(JournalDamagedError):
    """The province vouches for entries that this journal does not hold."""


class NotSavedError(JournalError):
    """The disk refused the commit. The act did not happen; do not hand over."""


class DiskFullError(NotSavedError):
    """There was no room for the act. It did not happen; do not hand over."""
