"""The bundle: a batch sealed to the province, for a road that anyone may look into.

Whose word it is, is told by the terminal's signature inside; the seal only keeps those who carry it
from reading it. It may be made, carried and taken any number of times. Format: docs/spec/bundle.md.
"""

from __future__ import annotations

import re

from card_codec.keys import PrivateKey, PublicKey
from ledger.element import RedemptionId
from ledger.errors import RecordError
from ledger.head_code import head_code
from ledger.sealing import seal_to_province, unseal_at_province
from sync_agent.batch import BATCH_SIZE_MAX, Batch, write_batch
from sync_agent.errors import MessageError

BUNDLE_SIZE_MAX = BATCH_SIZE_MAX + 16 * 1024
"""A seal adds some 300 bytes, and 16 for each 64 KiB."""
BUNDLE_NAME = re.compile(r"([1-9][0-9]{0,9})-([1-9][0-9]{0,9})\.bundle\Z")


def bundle_name(batch: Batch) -> str:
    """What its file is called beside others of its terminal."""
    return f"{batch.start}-{batch.end}.bundle"


def write_bundle(batch: Batch, key: PublicKey) -> bytes:
    """Seal a batch to the province's log key; each time other bytes."""
    return seal_to_province(write_batch(batch), key)


def open_bundle(data: bytes, key: PrivateKey) -> bytes:
    """The batch inside, as it travels; it is not read here.

    Raises:
        MessageError: not sealed to this key, damaged, or too large.
    """
    try:
        return unseal_at_province(data, key, size_max=BUNDLE_SIZE_MAX)
    except RecordError as error:
        raise MessageError(f"this is no bundle for this province: {error.detail}") from error


def code_of(batch: Batch) -> tuple[str, str]:
    """Number and code of a batch's head, to compare over the telephone."""
    id = RedemptionId(batch.terminal, batch.epoch, batch.end)
    return id.number(), head_code(id, batch.entries[-1].leaf)
