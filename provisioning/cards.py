"""Issuing paper cards: a signed credential as a picture to print and a text to type.

A card names a household and the number of its issue; what is owed stands in the ledger. A
replacement raises the issue number in the roster: the card before it is ``replaced`` at every
counter that has the kecamatan's next changes or the next decree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from card_codec.credential import (
    HOUSEHOLD_BYTES,
    ISSUE_MAX,
    CardKind,
    Credential,
    issue_credential,
)
from card_codec.qr.text import write_text
from ledger.folder import write_whole
from provisioning.card_picture import Label, png_card, svg_card
from provisioning.changes import Change, ChangeKind, enter_changes
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import ISSUER
from provisioning.office import Office
from provisioning.policy_table import read_policy_table

YEAR = 365 * 86_400
UNLISTED_NAME = "Keluarga Tidak Terdaftar"
SAMPLE_NAME = "Contoh Kartu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which card is wanted.

    Attributes:
        household: 8 bytes; None draws a random id for a sample or an unlisted card.
        kind: card, sample or training card.
        issue: its number; None is the household's current one.
        replace: whether it takes the place of the card the family holds.
        unlisted: whether the household is to stand in no roster (a genuine card of elsewhere).
    """

    household: bytes | None
    kind: CardKind = CardKind.CARD
    issue: int | None = None
    replace: bool = False
    unlisted: bool = False


@dataclass(frozen=True, slots=True)
class IssuedCard:
    """A card and where its files lie."""

    household: bytes
    issue: int
    kind: CardKind
    name: str
    text: str
    image: Path
    drawing: Path


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whose card it will be."""

    household: bytes
    issue: int
    name: str
    desa_name: str
    kecamatan: str
    listed: bool


def issue_card(
    office: Office,
    order: Order,
    out: Path,
    *,
    now: int,
    randomness: Callable[[int], bytes],
) -> IssuedCard:
    """Issue a card and write PNG, SVG and text into a folder.

    Args:
        office: the open office.
        order: which card.
        out: folder for the files; made when missing.
        now: Unix seconds; the card is good from then on.
        randomness: gives that many random bytes (``secrets.token_bytes``).

    Raises:
        ProvisioningError: no such household, or its issue numbers are used up.
        WrongUseError: options that contradict each other.
    """
    _check_order(order)
    holder = _holder(office, order, randomness)
    (signer,) = office.keys.signers(ISSUER)
    credential = Credential(
        household=holder.household,
        issue=holder.issue,
        kind=order.kind,
        issuer=office.config.issuer,
        audience=read_policy_table(office.policy_table).audience,
        issued_at=now,
        expires_at=now + office.config.card_years * YEAR,
        name=holder.name,
    )
    text = write_text(issue_credential(credential, signer))
    label = Label(order.kind, holder.name, holder.desa_name, holder.household, holder.issue)
    stem = out / f"{order.kind.name.lower()}-{holder.household.hex()}-{holder.issue}"
    image, drawing = stem.with_suffix(".png"), stem.with_suffix(".svg")
    with office.roster.db.atomic():
        _log(office, order, holder, now)
        write_whole(image, png_card(text, label))
        write_whole(drawing, svg_card(text, label))
        write_whole(stem.with_suffix(".txt"), f"{text}\n".encode())
    return IssuedCard(holder.household, holder.issue, order.kind, holder.name, text, image, drawing)


def _check_order(order: Order) -> None:
    if order.household is None and not order.unlisted and order.kind is not CardKind.SAMPLE:
        raise WrongUseError("no household is named; give its id with --household")
    if order.household is not None and len(order.household) != HOUSEHOLD_BYTES:
        raise WrongUseError(f"a household's id has {HOUSEHOLD_BYTES * 2} hexadecimal digits")
    if order.issue is not None and not 1 <= order.issue <= ISSUE_MAX:
        raise WrongUseError(f"--issue is not from 1 to {ISSUE_MAX}")
    if order.replace and (order.issue is not None or order.unlisted):
        raise WrongUseError(
            "--replace goes neither with --issue nor with --unlisted; leave one out"
        )
    if order.replace and order.kind is not CardKind.CARD:
        raise WrongUseError("only a card of a family is replaced; leave --kind or --replace out")


def _holder(office: Office, order: Order, randomness: Callable[[int], bytes]) -> _Holder:
    id = order.household or randomness(HOUSEHOLD_BYTES)
    listed = office.roster.household(id)
    if order.unlisted and listed is not None:
        raise ProvisioningError(
            f"household {id.hex()} stands in the roster; leave --unlisted out or name another id"
        )
    if listed is None:
        if not order.unlisted and order.kind is not CardKind.SAMPLE:
            raise ProvisioningError(
                f"household {id.hex()} is not in the roster; `betang-provision households` lists "
                "those that are"
            )
        name = SAMPLE_NAME if order.kind is CardKind.SAMPLE else UNLISTED_NAME
        return _Holder(id, order.issue or 1, name, "", "", listed=False)
    if order.issue is not None and order.issue > listed.issue:
        raise ProvisioningError(
            f"the current card of household {id.hex()} is number {listed.issue}; "
            "issue the next one with --replace"
        )
    if order.replace and listed.issue == ISSUE_MAX:
        raise ProvisioningError(
            f"household {id.hex()} has had all {ISSUE_MAX} cards; list it anew under another id"
        )
    issue = order.issue or listed.issue + order.replace
    return _Holder(id, issue, listed.name, listed.desa_name, listed.kecamatan, listed=True)


def _log(office: Office, order: Order, holder: _Holder, now: int) -> None:
    """The card goes into the log; a replacement raises the household's issue number."""
    db = office.roster.db
    if order.replace:
        replaced = Change(holder.household, ChangeKind.REPLACE)
        enter_changes(office.roster, holder.kecamatan, [replaced], now=now)
    row = {
        "household": holder.household,
        "issue": holder.issue,
        "kind": order.kind.name.lower(),
        "listed": int(holder.listed),
        "at": now,
    }
    db.table("card").insert(row)
