"""What can go wrong on the road and at its end.

- ``SyncError``
    - ``RoadError``             bytes did not get through; nothing is lost, try again
        - ``RoadClosedError``     nobody answers, or the province is busy
        - ``NotOursError``        somebody answers who is not the province (a log-in page)
        - ``RefusedThereError``   the province answered and said no
        - ``StickError``          a folder or stick cannot be used, or holds what may not be there
    - ``ForkError``             the province knows another history of this terminal
    - ``PrunedError``           the province asks for entries that the archive alone holds
    - ``BusyError``             another run of the agent is under way
    - ``MessageError``          bytes that are not the message they claim to be
    - ``ProvinceError``         the province cannot do its work (store, release, keys)
    - ``IntakeRefusedError``    a batch or request is not accepted; nothing of it is kept as true
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of every error of this package.

    Attributes:
        detail: one English sentence: what is wrong and what to do.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RoadError(SyncError):
    """Bytes did not get through. Everything stays where it was; try again later."""


class RoadClosedError(RoadError):
    """Nobody answers, the answer broke off, or the province asks to come back later."""


class NotOursError(RoadError):
    """An answer that the province did not write, such as the log-in page of a network."""


class RefusedThereError(RoadError):
    """The province refused, and says why.

    Attributes:
        code: the province's word for it.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class StickError(RoadError):
    """A folder that cannot be read or written, or that holds links, pipes or too much."""


class ForkError(SyncError):
    """The province holds another entry under a number this terminal has used."""


class PrunedError(SyncError):
    """The province asks for entries that this journal has let go of."""


class BusyError(SyncError):
    """Another run of the agent holds the road."""


class MessageError(SyncError):
    """Bytes that are not the strict message they claim to be."""


class ProvinceError(SyncError):
    """The province's own folder, store, keys or release are not in order."""


class IntakeRefusedError(SyncError):
    """Not accepted. Nothing was stored as true.

    Attributes:
        code: stable, lower_snake; stands in the answer.
        status: the HTTP status that goes with it.
        size: entries held, where the sender should go on from there.
    """

    def __init__(self, status: int, code: str, detail: str, *, size: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.size = size
