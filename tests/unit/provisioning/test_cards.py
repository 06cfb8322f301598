import io
import secrets
import sqlite3
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from card_codec.credential import CardKind, Credential, VerifiedCredential, hear_text
from card_codec.readers.scan import scan_picture
from card_codec.refusal import Refused
from card_codec.trust import TrustList
from ledger.errors import FolderError
from ledger.rights_file import read_base
from provisioning.card_picture import Label, png_card, svg_card
from provisioning.cards import YEAR, IssuedCard, Order, issue_card
from provisioning.decree import full_trust
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.office import open_office
from tests.unit.provisioning.played import (
    KEC_1,
    KEC_2,
    NOW,
    Province,
    make_office,
    publish_office,
    read_ledger,
)

STRANGER = bytes.fromhex("00112233445566ff")


def rows(office: Path, statement: str) -> list[Any]:
    db = sqlite3.connect(office / "office.db")
    found = db.execute(statement).fetchall()
    db.close()
    return found


@pytest.fixture
def household(office: Path) -> bytes:
    ((id,),) = rows(office, "SELECT id FROM household ORDER BY id LIMIT 1")
    return bytes(id)


def issue(office: Path, order: Order, out: Path | None = None) -> IssuedCard:
    with open_office(office) as opened:
        return issue_card(
            opened, order, out or office / "cards", now=NOW, randomness=secrets.token_bytes
        )


def trust(office: Path) -> TrustList:
    with open_office(office) as opened:
        return full_trust(opened.roster)


def words_of(drawing: bytes) -> list[str | None]:
    """The texts of a drawing, as a reader of SVG shows them."""
    root = ET.fromstring(drawing)  # noqa: S314 - our own drawing, not something brought
    return [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


def heard(office: Path, text: str) -> Credential:
    verified = hear_text(text, trust(office))
    assert isinstance(verified, VerifiedCredential)
    return verified.credential


def test_card_verifies_and_says_who(office: Path, household: bytes) -> None:
    card = issue(office, Order(household=household))
    ((name,),) = rows(
        office,
        f"SELECT name FROM member WHERE household = x'{household.hex()}' AND role = 'head'",
    )
    assert heard(office, card.text) == Credential(
        household=household,
        issue=1,
        kind=CardKind.CARD,
        issuer="ID-KT",
        audience="KHB26",
        issued_at=NOW,
        expires_at=NOW + 5 * YEAR,
        name=name,
    )


def test_card_of_another_office_does_not_verify(
    office: Path, household: bytes, tmp_path: Path
) -> None:
    card = issue(make_office(tmp_path / "other"), Order(household=household))
    assert isinstance(hear_text(card.text, trust(office)), Refused)


def test_picture_drawing_and_text_carry_the_same_code(office: Path, household: bytes) -> None:
    card = issue(office, Order(household=household))
    assert scan_picture(card.image.read_bytes()) == (card.text,)
    assert card.image.with_suffix(".txt").read_text(encoding="ascii") == card.text + "\n"
    assert words_of(card.drawing.read_bytes())[:2] == ["KARTU HUMA BETANG", card.name]


def test_sample_says_so_and_needs_no_household(office: Path) -> None:
    card = issue(office, Order(household=None, kind=CardKind.SAMPLE))
    credential = heard(office, card.text)
    assert credential.kind is CardKind.SAMPLE
    assert rows(office, f"SELECT 1 FROM household WHERE id = x'{card.household.hex()}'") == []
    assert b"KARTU CONTOH" in card.drawing.read_bytes()


def test_training_card_says_so(office: Path, household: bytes) -> None:
    card = issue(office, Order(household=household, kind=CardKind.TRAINING))
    assert heard(office, card.text).kind is CardKind.TRAINING


def test_unlisted_card_is_genuine_and_its_household_stands_in_no_rights_file(
    office: Path, province: Province, tmp_path: Path
) -> None:
    card = issue(office, Order(household=None, unlisted=True))
    assert heard(office, card.text).kind is CardKind.CARD
    publish_office(office, province)
    province.take(office / "release")
    files = read_ledger(province.repository, tmp_path / "reader")
    for kecamatan in (KEC_1, KEC_2):
        base = read_base(files[f"rights/{kecamatan}/base.cbor.zst"])
        assert card.household not in {row.household for row in base.rows()}


def test_replacement_raises_the_issue_number_in_the_next_publication(
    office: Path, household: bytes, province: Province, tmp_path: Path
) -> None:
    old = issue(office, Order(household=household))
    new = issue(office, Order(household=household, replace=True))
    assert (heard(office, old.text).issue, heard(office, new.text).issue) == (1, 2)
    assert old.image.exists()
    assert new.image.exists()
    publish_office(office, province)
    province.take(office / "release")
    files = read_ledger(province.repository, tmp_path / "reader")
    bases = [read_base(files[f"rights/{k}/base.cbor.zst"]) for k in (KEC_1, KEC_2)]
    issues = {row.household: row.issue for base in bases for row in base.rows()}
    assert issues.pop(household) == 2
    assert set(issues.values()) == {1}


def test_every_card_stands_in_the_log(office: Path, household: bytes) -> None:
    issue(office, Order(household=household))
    issue(office, Order(household=household, replace=True))
    issue(office, Order(household=STRANGER, unlisted=True))
    issue(office, Order(household=STRANGER, kind=CardKind.SAMPLE))
    assert rows(office, "SELECT household, issue, kind, listed, at FROM card ORDER BY number") == [
        (household, 1, "card", 1, NOW),
        (household, 2, "card", 1, NOW),
        (STRANGER, 1, "card", 0, NOW),
        (STRANGER, 1, "sample", 0, NOW),
    ]


def test_lower_number_can_be_printed_again_but_not_a_higher_one(
    office: Path, household: bytes
) -> None:
    issue(office, Order(household=household, replace=True))
    assert issue(office, Order(household=household, issue=1)).issue == 1
    with pytest.raises(ProvisioningError, match=r"current card of household .* is number 2"):
        issue(office, Order(household=household, issue=3))


def test_last_issue_number_is_not_passed(office: Path, household: bytes) -> None:
    db = sqlite3.connect(office / "office.db")
    with db:
        db.execute("UPDATE household SET issue = 255")
    db.close()
    with pytest.raises(ProvisioningError, match="has had all 255 cards"):
        issue(office, Order(household=household, replace=True))


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (Order(household=None), "no household is named"),
        (Order(household=b"short"), "16 hexadecimal digits"),
        (Order(household=STRANGER, issue=0, unlisted=True), "--issue is not from 1 to 255"),
        (Order(household=STRANGER, issue=256, unlisted=True), "--issue is not from 1 to 255"),
        (Order(household=STRANGER, issue=1, replace=True), "--replace goes neither"),
        (Order(household=STRANGER, unlisted=True, replace=True), "--replace goes neither"),
        (Order(household=STRANGER, kind=CardKind.SAMPLE, replace=True), "only a card of a family"),
    ],
)
def test_order_that_contradicts_itself_is_wrong_use(office: Path, order: Order, words: str) -> None:
    with pytest.raises(WrongUseError, match=words):
        issue(office, order)
    assert rows(office, "SELECT * FROM card") == []


def test_household_of_nobody_is_refused(office: Path) -> None:
    with pytest.raises(ProvisioningError, match="is not in the roster") as refused:
        issue(office, Order(household=STRANGER))
    assert not isinstance(refused.value, WrongUseError)


def test_listed_household_is_not_unlisted(office: Path, household: bytes) -> None:
    with pytest.raises(ProvisioningError, match="stands in the roster"):
        issue(office, Order(household=household, unlisted=True))


def test_card_that_cannot_be_written_leaves_the_roster_as_it_was(
    office: Path, household: bytes, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderError):
        issue(office, Order(household=household, replace=True), tmp_path / "file" / "cards")
    assert rows(office, "SELECT * FROM card") == []
    assert rows(office, "SELECT DISTINCT issue FROM household") == [(1,)]


def test_longest_label_fits_its_card() -> None:
    label = Label(CardKind.CARD, "W" * 60, "M" * 40, bytes(8), 255)
    text = "KHB1" + "A" * 260
    with Image.open(io.BytesIO(png_card(text, label))) as opened:
        card = opened.convert("L")
    right = card.crop((card.width - 12, 0, card.width, card.height))
    assert right.getextrema() == (255, 255)
    assert "W" * 60 in words_of(svg_card(text, label))


def test_name_that_looks_like_markup_stays_a_name() -> None:
    label = Label(CardKind.CARD, "<script>&", "Desa", bytes(8), 1)
    assert "<script>&" in words_of(svg_card("KHB1" + "A" * 260, label))
