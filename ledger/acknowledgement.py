"""Acknowledgements: the province's signed word that it holds a terminal's entries up to a head."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from card_codec.cose import open_sign1, sign1
from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from card_codec.trust import KeyUse, TrustList
from ledger.errors import RecordError
from ledger.record import U8, U16, U32, Hash, Record, Seconds, pack, unpack

ACKNOWLEDGEMENT_SIZE_MAX = 2048
Software = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{1,4}(\.[0-9]{1,4}){0,3})?\Z")]


class Acknowledgement(Record, frozen=True):
    """The province holds every entry of that epoch up to ``seq``, whose leaf is ``head``.

    Attributes:
        at: when the batch that ended there was received.
        ledger: version of the ledger that was published there with the newest release.
        software: version of the software there, ``0.1.0``; empty where it was not said.
    """

    form: Literal["khb-ack-2"]
    terminal: U16
    epoch: U8
    seq: U32
    head: Hash
    at: Seconds
    ledger: U32 = 0
    software: Software = ""


def write_acknowledgement(acknowledgement: Acknowledgement, signer: Signer) -> bytes:
    """Signed by the province log key (COSE_Sign1)."""
    return sign1(pack(acknowledgement), signer)


def read_acknowledgement(data: bytes, trust: TrustList) -> Acknowledgement:
    """Read and check an acknowledgement.

    Raises:
        RecordError: not signed by a log key of the trust list, or not an acknowledgement.
    """

    def find_log_key(kid: bytes) -> PublicKey | None:
        found = trust.find(kid, KeyUse.LOG)
        return found.key if found and found.revoked_at is None else None

    try:
        payload, _ = open_sign1(data, find_log_key, size_max=ACKNOWLEDGEMENT_SIZE_MAX)
    except CardCodecError as error:
        raise RecordError(f"not an acknowledgement of the province: {error.detail}") from error
    return unpack(payload, Acknowledgement, size_max=ACKNOWLEDGEMENT_SIZE_MAX)
