"""The messages between a terminal's road and the province: all that the two ends share.

A batch has a module of its own; the answer to it is a record. The head and the offer are JSON,
because a person may want to read them on a stick. Formats: docs/spec/batch.md.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from ledger.acknowledgement import ACKNOWLEDGEMENT_SIZE_MAX
from ledger.errors import RecordError
from ledger.record import U8, U16, U32, Record, pack, unpack
from sync_agent.errors import MessageError

ANSWER_SIZE_MAX = 8 * 1024
OFFER_SIZE_MAX = 8 * 1024 * 1024
OFFER_FILES_MAX = 20_000
FILE_SIZE_MAX = 64 * 1024 * 1024
OFFER_BYTES_MAX = 512 * 1024 * 1024

BATCH_TYPE = "application/vnd.khb.batch"
TAKEN_TYPE = "application/vnd.khb.taken"
FILE_TYPE = "application/vnd.khb.file"
JSON_TYPE = "application/json"
MARK = "khb-road"
"""Every answer of the province carries this header with the value ``1``."""

TIMESTAMP_PATH = "metadata/timestamp.json"
_NAME = r"[a-z0-9][a-z0-9.-]{0,99}"
METADATA_PATH = re.compile(rf"metadata/(?:timestamp\.json|[1-9][0-9]{{0,8}}\.{_NAME}\.json)\Z")
TARGET_PATH = re.compile(rf"targets/(?:{_NAME}/){{0,4}}[0-9a-f]{{64}}\.{_NAME}\Z")
ACKNOWLEDGEMENT_PATH = re.compile(
    r"acknowledgements/([1-9][0-9]{0,4})-([1-9][0-9]{0,2})-([1-9][0-9]{0,9})\.cose\Z"
)


class Taken(Record, frozen=True):
    """The province's answer to a batch.

    Attributes:
        accepted: entries of it that are new there; 0 for a repetition.
        seq: entry up to which the acknowledgement speaks; at least the batch's last.
        acknowledgement: signed by the province log key.
    """

    form: Literal["khb-taken-1"]
    accepted: U32
    terminal: U16
    epoch: U8
    seq: U32
    acknowledgement: Annotated[bytes, msgspec.Meta(max_length=ACKNOWLEDGEMENT_SIZE_MAX)]


class HeadAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the province holds a terminal's chain: entries, and the newest leaf in hex."""

    seq: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    head: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class OfferItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file a terminal needs: where in its in-box it belongs, its bytes, its SHA-256 in hex."""

    path: Annotated[str, msgspec.Meta(max_length=300)]
    size: Annotated[int, msgspec.Meta(ge=0, le=FILE_SIZE_MAX)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Problem(msgspec.Struct, frozen=True):
    """The one shape of every refusal: a stable code and a sentence."""

    error: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z_]{1,39}\Z")]
    detail: Annotated[str, msgspec.Meta(max_length=600)]


def write_taken(taken: Taken) -> bytes:
    """The answer as it travels."""
    return pack(taken)


def read_taken(data: bytes) -> Taken:
    """Read the answer to a batch strictly. Its acknowledgement is checked by the terminal.

    Raises:
        MessageError: not such an answer.
    """
    try:
        return unpack(data, Taken, size_max=ANSWER_SIZE_MAX)
    except RecordError as error:
        raise MessageError(f"this is not the answer to a batch: {error.detail}") from error


def read_offer(data: bytes) -> list[OfferItem]:
    """Read the list of files a terminal needs; every path is one an in-box may hold.

    Raises:
        MessageError: not an offer, too much, or a path that leads elsewhere.
    """
    items = read_json(data, list[OfferItem])
    if len(items) > OFFER_FILES_MAX or sum(item.size for item in items) > OFFER_BYTES_MAX:
        raise MessageError("the offer names too many files or too many bytes")
    for item in items:
        if not is_in_box_path(item.path):
            raise MessageError(f"the offer names a path of no in-box: {item.path[:80]!r}")
    if len({item.path for item in items}) != len(items):
        raise MessageError("the offer names a file twice")
    return items


def is_in_box_path(path: str) -> bool:
    """Whether a file of this path may lie in an in-box."""
    kinds = (METADATA_PATH, TARGET_PATH, ACKNOWLEDGEMENT_PATH)
    return any(kind.match(path) for kind in kinds)


def acknowledgement_path(terminal: int, epoch: int, seq: int) -> str:
    """Where an acknowledgement lies in the in-box."""
    return f"acknowledgements/{terminal}-{epoch}-{seq}.cose"


J = TypeVar("J")


def read_json(data: bytes, kind: type[J]) -> J:
    """Read JSON of one shape.

    Raises:
        MessageError: not JSON, or of another shape.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not the JSON that was expected: {error}") from error
