"""The one list of refusal codes of the whole project.

A code is stable, lower_snake and never shown; what is shown is found by the keys of its row in
`reasons.csv`: a status word, a sentence for the officer with its HB number, and a text to show to
the citizen. The enum and the table say the same; a test holds them together.
"""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType


class Reason(StrEnum):
    """Why nothing may be handed over. The words stand in `reasons.csv`."""

    # The code or the card itself
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    SCANNER_LAYOUT = "scanner_layout"
    NOT_OUR_CARD = "not_our_card"
    UNKNOWN_ISSUER = "unknown_issuer"
    BAD_SIGNATURE = "bad_signature"
    WRONG_AUDIENCE = "wrong_audience"
    SAMPLE_CARD = "sample_card"
    TRAINING_CARD = "training_card"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REPLACED = "replaced"
    # A number typed from a KTP or KK
    NUMBER_LENGTH = "number_length"
    NUMBER_DATE = "number_date"
    LOOK_UP_UNKNOWN = "look_up_unknown"
    LOOK_UP_AMBIGUOUS = "look_up_ambiguous"
    LOOK_UP_CLOSED = "look_up_closed"
    LOOK_UP_QUOTA_USED = "look_up_quota_used"
    # What is owed
    RIGHT_NOT_HERE = "right_not_here"
    NOT_ENTITLED = "not_entitled"
    HOUSEHOLD_MOVED = "household_moved"
    HOUSEHOLD_DECEASED = "household_deceased"
    WINDOW_NOT_OPEN = "window_not_open"
    WINDOW_CLOSED = "window_closed"
    ALREADY_REDEEMED = "already_redeemed"
    MORE_THAN_LEFT = "more_than_left"
    ONE_OF_TAKEN = "one_of_taken"
    TOO_SOON = "too_soon"
    # Where and how it may be given
    USE_CHIP = "use_chip"
    AWAY_QUOTA_USED = "away_quota_used"
    NOT_SERVED_AWAY = "not_served_away"
    AWAY_PROGRAMME_USED = "away_programme_used"
    AWAY_PART_USED = "away_part_used"
    WRONG_POINT = "wrong_point"
    LEDGER_STALE = "ledger_stale"
    LEDGER_TOO_OLD = "ledger_too_old"
    NO_LEDGER = "no_ledger"
    CARD_HISTORY_INCOMPLETE = "card_history_incomplete"
    CARD_PENDING_ELSEWHERE = "card_pending_elsewhere"
    CARD_UNFINISHED = "card_unfinished"
    CHIP_CLOSED = "chip_closed"
    EXCEPTION_NEEDED = "exception_needed"
    EXCEPTION_QUOTA_USED = "exception_quota_used"
    # A complaint
    NOTHING_REFUSED = "nothing_refused"
    # The terminal
    STOCK_EMPTY = "stock_empty"
    CLOCK_UNTRUSTED = "clock_untrusted"
    JOURNAL_DAMAGED = "journal_damaged"
    DISK_FULL = "disk_full"
    NOT_SAVED = "not_saved"


class Severity(StrEnum):
    """The colour family of a verdict; shape and sound go with it."""

    OK = "ok"
    AMBER = "amber"
    RED = "red"
    BLACK = "black"
    PURPLE = "purple"
    GREY = "grey"


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One line of `reasons.csv`.

    Attributes:
        code: the reason.
        hb: the number an officer reads over the telephone, ``HB-nn``.
        status_key: text key of the status word.
        sentence_key: text key of the officer's sentence.
        explain_key: text key of the text shown to the citizen.
        severity: the colour family.
    """

    code: Reason
    hb: str
    status_key: str
    sentence_key: str
    explain_key: str
    severity: Severity


def row(reason: Reason) -> ReasonRow:
    """The table's line for a reason."""
    return rows()[reason]


@cache
def rows() -> MappingProxyType[Reason, ReasonRow]:
    """The whole table, in the order of the file, read once from the package."""
    text = files("card_codec").joinpath("reasons.csv").read_text(encoding="utf-8")
    table = {}
    for line in csv.DictReader(text.splitlines()):
        code = Reason(line["code"])
        table[code] = ReasonRow(
            code=code,
            hb=line["hb"],
            status_key=line["status_key"],
            sentence_key=line["sentence_key"],
            explain_key=line["explain_key"],
            severity=Severity(line["severity"]),
        )
    return MappingProxyType(table)
