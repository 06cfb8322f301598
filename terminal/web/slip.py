"""The family's slip: what stands on 58 mm of paper, and the receipt as a QR code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from markupsafe import Markup

from card_codec.qr import picture
from ledger.folder import TerminalConfig
from ledger.policy import Policy
from terminal.complaint import Filed
from terminal.counter import Redeemed
from terminal.web.wording import given, in_language
from terminal.words import Words

_MODULE_PX = 2


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip in words.

    Attributes:
        head: its two lines of heading.
        title: what it is, where it is no receipt.
        label: what its number is called.
        number: receipt number, ``T001-0017``.
        rows: label and value of each line.
        code: the receipt text as SVG; its content is ours, so it is safe as it is.
        receipt: the receipt text, ``KHR1…``.
        notes: small print.
    """

    head: tuple[str, ...]
    number: str
    rows: tuple[tuple[str, str], ...]
    code: Markup
    receipt: str
    notes: tuple[str, ...]
    copy_word: str
    label: str
    title: str = ""


def make_slip(
    redeemed: Redeemed, config: TerminalConfig, words: Words, *, telephone: str | None
) -> Slip:
    """The slip of one redemption; the officer by initials, the holder by first name and initial."""
    approved = redeemed.approved
    programme = in_language(approved.programme.name, words)
    terminal = redeemed.number.rpartition("-")[0]
    member = words.say("v.member", n=approved.member) if approved.member else None
    left = approved.left_after
    unit = in_language(approved.programme.unit, words)
    rows = (
        ("r.dt", words.stamp(redeemed.at)),
        ("r.point", config.point),
        ("r.by", f"{config.officer} / {terminal}"),
        ("r.name", short_name(approved.name)),
        ("r.member", member),
        ("n.programme", programme),
        ("r.window", approved.window.name),
        ("r.item", given(approved, words)),
        ("r.pay", words.money(approved.pays) if approved.pays else words.say("r.free")),
        ("r.left", None if left is None else words.say("v.units", n=words.number(left), unit=unit)),
    )
    notes = (words.say("r.not_card"), words.known("r.foot", tel=telephone))
    return _slip(redeemed.number, rows, redeemed.receipt, notes, words=words)


def complaint_slip(
    filed: Filed, config: TerminalConfig, words: Words, *, policy: Policy | None
) -> Slip:
    """The slip of one complaint: no name stands on it, and it says that nothing was given."""
    complaint = filed.complaint
    programme = policy.programme_numbered(complaint.programme) if policy else None
    rows = (
        ("r.dt", words.stamp(filed.at)),
        ("r.point", config.point),
        ("r.by", f"{config.officer} / {filed.number.rpartition('-')[0]}"),
        ("n.programme", in_language(programme.name, words) if programme else None),
        ("r.why", words.say(f"why.{complaint.reason}")),
        ("r.about", filed.about),
    )
    telephone = policy.complaints if policy else None
    notes = (
        words.say("r.next"),
        words.known("r.foot", tel=telephone),
        words.say("r.complaint_only"),
    )
    slip = _slip(filed.number, rows, filed.slip, notes, words=words)
    return replace(slip, title=words.say("r.complaint"), label=words.say("r.complaint_no"))


def _slip(
    number: str,
    rows: Iterable[tuple[str, str | None]],
    text: str,
    notes: tuple[str, ...],
    *,
    words: Words,
) -> Slip:
    svg = picture.svg(text, module_px=_MODULE_PX).decode("ascii")
    return Slip(
        head=tuple(words.say("r.head").split(" / ")),
        number=number,
        rows=tuple((words.say(key), value) for key, value in rows if value),
        code=Markup(svg),  # noqa: S704 - made by our own writer of digits
        receipt=text,
        notes=notes,
        copy_word=words.say("r.copy"),
        label=words.say("r.no"),
    )


def short_name(name: str | None) -> str | None:
    """First name and initial: a slip is left on counters. ``Siti Aminah`` is ``Siti A.``."""
    if not name:
        return None
    first, *rest = name.split()
    return f"{first} {rest[0][0]}." if rest else first
