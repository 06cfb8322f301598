"""Transaction MACs on their way to the issuer, and the issuer's signed verdicts on them.

The issuer alone holds the keys that make a Transaction MAC. What it is asked and what it answers
both name the commit by what the chip signed (chip, counter, record) and by the value that was
shown, and by nothing else: whoever carries the files can leave verdicts out, and not bend one onto
another redemption. The answer also says whose card the chip is: what a chip signs names no family,
so a terminal could pass one family's chip off as another's. Format: docs/spec/mac-verdict.md. This
module knows no database.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Annotated, Literal

import msgspec

from card_codec.chip.record import RECORD_BYTES, decode_record
from card_codec.cose import open_sign1, sign1
from card_codec.errors import CardCodecError
from card_codec.keys import PublicKey, Signer
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.errors import RecordError
from ledger.record import U24, HouseholdId, Record, Seconds, compress, inflate, pack, unpack

COMMITS_MAX = 250_000
"""In one file; the province asks for the rest in the next."""
FILE_SIZE_MAX = 32 * 1024 * 1024

Uid = Annotated[bytes, msgspec.Meta(min_length=7, max_length=7)]
Counter = Annotated[int, msgspec.Meta(ge=1, le=0xFFFFFFFF)]
CardRecordBytes = Annotated[bytes, msgspec.Meta(min_length=RECORD_BYTES, max_length=RECORD_BYTES)]
Value = Annotated[bytes, msgspec.Meta(max_length=8)]


class Finding(IntEnum):
    """What the issuer says of a Transaction MAC. Numbers are never used again."""

    VALID = 1
    """The chip signed this commit."""
    INVALID = 2
    """The value shown is not that of this commit: the chip never signed it."""
    LOST = 3
    """No value was shown (`tmv_lost`): a later commit had overwritten it. It says nothing."""


class AskedCommit(Record, frozen=True):
    """A commit of a chip, as its terminal reported it.

    Attributes:
        uid: of the chip, 7 bytes.
        counter: its counter with that commit (TMC).
        record: what was written, 16 bytes.
        value: Transaction MAC (TMV), 8 bytes; empty where it was lost.
        before: who had the commit before, ordinal of the terminal times 256 and its epoch, 0 for
            the card station; None where the terminal did not say.
    """

    uid: Uid
    counter: Counter
    record: CardRecordBytes
    value: Value
    before: U24 | None

    def __post_init__(self) -> None:
        """Refuse a part of a value, and what is no record of a card."""
        _check(self.record, self.value)


class MacVerdict(Record, frozen=True):
    """What the issuer found of one commit; see `AskedCommit`.

    Attributes:
        household: whose card the chip is by the office's own log of chips, 8 bytes; None where it
            never made that chip.
    """

    uid: Uid
    counter: Counter
    record: CardRecordBytes
    value: Value
    finding: Finding
    household: HouseholdId | None

    def __post_init__(self) -> None:
        """Refuse a part of a value, and a finding that does not fit it."""
        _check(self.record, self.value)
        if (self.finding is Finding.LOST) != (not self.value):
            raise ValueError("a Transaction MAC is lost exactly where none was shown")


class AskedFile(Record, frozen=True):
    """What goes to the issuer; in order, each commit once. Nobody signs it."""

    form: Literal["khb-mac-asked-1"]
    commits: Annotated[tuple[AskedCommit, ...], msgspec.Meta(max_length=COMMITS_MAX)]


class VerdictFile(Record, frozen=True):
    """What comes back; in order, each commit once. Signed by the verdict key.

    Attributes:
        at: when it was signed, Unix seconds.
    """

    form: Literal["khb-mac-verdicts-2"]
    at: Seconds
    verdicts: Annotated[tuple[MacVerdict, ...], msgspec.Meta(max_length=COMMITS_MAX)]


def write_asked(commits: Iterable[AskedCommit]) -> bytes:
    """The file that goes to the issuer (compressed).

    Raises:
        RecordError: more than one file holds.
    """
    ordered = tuple(sorted(set(commits), key=_asked_order))
    return _checked(pack(AskedFile("khb-mac-asked-1", ordered)), len(ordered))


def read_asked(data: bytes) -> tuple[AskedCommit, ...]:
    """Read such a file strictly.

    Raises:
        RecordError: not a file of commits.
    """
    plain = inflate(data, size_max=FILE_SIZE_MAX)
    commits = unpack(plain, AskedFile, size_max=FILE_SIZE_MAX, name="file of commits").commits
    if list(commits) != sorted(set(commits), key=_asked_order):
        raise RecordError("not a file of commits: they are not in order, or one stands twice")
    return commits


def write_verdicts(verdicts: Iterable[MacVerdict], signer: Signer, *, at: int) -> bytes:
    """The file that comes back: COSE_Sign1, compressed.

    Raises:
        RecordError: more than one file holds.
    """
    ordered = tuple(sorted(set(verdicts), key=_verdict_order))
    signed = sign1(pack(VerdictFile("khb-mac-verdicts-2", at, ordered)), signer)
    return _checked(signed, len(ordered))


def read_verdicts(data: bytes, trust: TrustList) -> VerdictFile:
    """Read and check verdicts; see `read_signed_verdicts`."""
    return read_signed_verdicts(data, trust)[0]


def read_signed_verdicts(data: bytes, trust: TrustList) -> tuple[VerdictFile, PublicKey]:
    """Read and check verdicts; with them the key that signed.

    Raises:
        RecordError: not signed by a verdict key of the trust list within its life, or not verdicts.
    """

    def find_verdict_key(kid: bytes) -> PublicKey | None:
        found = trust.find(kid, KeyUse.VERDICT)
        return found.key if found and found.revoked_at is None else None

    signed = inflate(data, size_max=FILE_SIZE_MAX)
    try:
        payload, key = open_sign1(signed, find_verdict_key, size_max=FILE_SIZE_MAX)
    except CardCodecError as error:
        raise RecordError(f"not verdicts of the issuer: {error.detail}") from error
    file = unpack(payload, VerdictFile, size_max=FILE_SIZE_MAX, name="file of verdicts")
    commits = [(v.uid, v.counter, v.record, v.value) for v in file.verdicts]
    if commits != sorted(set(commits)):
        raise RecordError("not verdicts: they are not in order, or one commit has two")
    named = trust.find(key.kid, KeyUse.VERDICT)
    if named is None or not _within_life(named, file.at):
        raise RecordError("not verdicts of the issuer: dated outside the life of their key")
    return file, key


def verdict_kids(trust: TrustList) -> frozenset[bytes]:
    """Kids of the keys whose verdicts count: what a stolen key said is found anew by another."""
    keys = (k for k in trust.keys if k.use is KeyUse.VERDICT and k.revoked_at is None)
    return frozenset(k.key.kid for k in keys)


def _within_life(key: TrustedKey, at: int) -> bool:
    return key.valid_from <= at and (key.valid_until is None or at < key.valid_until)


def _check(record: bytes, value: bytes) -> None:
    if len(value) not in {0, 8}:
        raise ValueError("a Transaction MAC has 8 bytes, or was lost")
    try:
        decode_record(record)
    except CardCodecError as error:
        raise ValueError(error.detail) from error


def _checked(plain: bytes, count: int) -> bytes:
    if count > COMMITS_MAX or len(plain) > FILE_SIZE_MAX:
        raise RecordError(f"{count} commits are too many for one file; write several")
    return compress(plain)


def _asked_order(commit: AskedCommit) -> tuple[bytes, int, bytes, bytes, int]:
    before = -1 if commit.before is None else commit.before
    return commit.uid, commit.counter, commit.record, commit.value, before


def _verdict_order(verdict: MacVerdict) -> tuple[bytes, int, bytes, bytes]:
    return verdict.uid, verdict.counter, verdict.record, verdict.value
