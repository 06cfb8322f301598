"""The issuer's check against what a chip in software signs, and its command."""

from pathlib import Path

import pytest

from card_codec.chip.khb1 import Khb1, Khb1Open
from card_codec.chip.profile import PresentCard, identify
from card_codec.chip.record import CardRecord, RecordKind, encode_record
from card_codec.chip.tmac import reader_id
from card_codec.credential import read_unverified
from card_codec.trust import TrustList
from ledger.mac_verdict import AskedCommit, Finding, MacVerdict, read_verdicts, write_asked
from provisioning.chip_masters import FileMasters, Purpose, write_masters
from provisioning.cli import main
from provisioning.decree import full_trust
from provisioning.errors import ProvisioningError
from provisioning.mac_check import check_commits
from provisioning.office import open_office
from tests.card_station import COUNTERS, MASTERS, StationLink, station_of
from tests.commands import Command
from tests.unit.provisioning.played import make_office
from virtual_card.desfire import DesfireCard
from virtual_card.factory import blank

UID = b"\x04\xaa\x00\x00\x00\x00\x01"
STRANGER = UID[:6] + b"\x02"
"""A chip that this office never made."""
PASSPHRASE = "sampit katingan barito"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_office(tmp_path_factory.mktemp("made") / "office")


@pytest.fixture(scope="module")
def card(office: Path) -> DesfireCard:
    """A card of the office's own station."""
    made = blank(UID)
    with open_office(office) as opened, StationLink(made) as link:
        family = next(iter(opened.roster.households())).id
        assert station_of(opened).tap(link, [family]).is_done
        trust = full_trust(opened.roster)
    assert isinstance(trust, TrustList)
    return made


def committed(card: DesfireCard, *, terminal: int, seq: int) -> AskedCommit:
    """A redemption at a terminal, as its journal will tell it."""
    profile = Khb1()
    with StationLink(card) as link:
        found = identify(link, [profile])
        assert isinstance(found, PresentCard)
        content = profile.read_credential(link)
        claims, _ = read_unverified(content.credential)
        opened = profile.open_for_redemption(
            found, link, content, credential=claims, keys=COUNTERS[0], draw=bytes
        )
        assert isinstance(opened, Khb1Open)
        newest = opened.state.records[-1]
        record = CardRecord(RecordKind.REDEMPTION, terminal, 1, seq, 1, 1, 0, 1, 20_600)
        commit = opened.commit_record(record, reader_id(terminal, 1))
    before = newest.terminal << 8 | newest.epoch
    return AskedCommit(card.uid, commit.counter, encode_record(record), commit.value, before)


def found(commits: list[AskedCommit], masters: FileMasters = MASTERS) -> list[Finding]:
    terminals = [(1, 1), (2, 1)]
    done = check_commits(commits, masters, terminals, made_nowhere, lambda _: None)
    return [one.verdict.finding for one in done]


def made_nowhere(_uid: bytes) -> None:
    """No chip is known."""


def changed(commit: AskedCommit, **fields: object) -> AskedCommit:
    parts = {name: getattr(commit, name) for name in AskedCommit.__struct_fields__}
    return AskedCommit(**(parts | fields))


@pytest.fixture(scope="module")
def commits(card: DesfireCard) -> list[AskedCommit]:
    turns = [(1, 5), (2, 9), (2, 10), (1, 6)]
    return [committed(card, terminal=terminal, seq=seq) for terminal, seq in turns]


def test_every_commit_of_a_card_is_valid_in_any_order(commits: list[AskedCommit]) -> None:
    assert [commit.before for commit in commits] == [0, 257, 513, 513]
    assert found(commits) == [Finding.VALID] * 4
    assert found(commits[::-1]) == [Finding.VALID] * 4


def test_anything_else_than_what_the_chip_signed_is_invalid(commits: list[AskedCommit]) -> None:
    first, second = commits[:2]
    value = bytearray(first.value)
    value[7] ^= 0x80
    record = bytearray(first.record)
    record[12] += 1  # quantity
    for wrong in (
        changed(first, value=bytes(value)),
        changed(first, record=bytes(record)),
        changed(first, counter=first.counter + 1),
        changed(first, uid=UID[:6] + b"\x02"),
        changed(first, value=second.value),
        changed(first, record=second.record),
    ):
        assert found([wrong]) == [Finding.INVALID], wrong


def test_lost_value_is_not_an_invalid_one(commits: list[AskedCommit]) -> None:
    assert found([changed(commits[0], value=b"")]) == [Finding.LOST]


def test_terminal_that_says_nobody_or_another_was_before_is_not_punished(
    commits: list[AskedCommit],
) -> None:
    for before in (None, 0, 4711):
        (one,) = check_commits(
            [changed(commits[1], before=before)], MASTERS, [(1, 1)], made_nowhere, lambda _: None
        )
        assert one.verdict.finding is Finding.VALID
        assert one.before_differs is (before is not None)


def test_without_the_master_nothing_is_found(commits: list[AskedCommit]) -> None:
    without = FileMasters(m for m in MASTERS.masters if m.purpose is not Purpose.TMAC)
    with pytest.raises(ProvisioningError, match="khb-tmac-1 is not held"):
        found(commits, without)


@pytest.fixture
def run(
    office: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(main, monkeypatch, capsys)


@pytest.mark.slow
def test_command_signs_what_it_found(
    run: Command, office: Path, commits: list[AskedCommit], tmp_path: Path
) -> None:
    with open_office(office) as opened:
        write_masters(opened.chip_masters, MASTERS, PASSPHRASE)
        trust = full_trust(opened.roster)
    (tmp_path / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
    asked, out = tmp_path / "asked.zst", tmp_path / "verdicts.zst"
    lost, bad = changed(commits[2], value=b""), changed(commits[3], value=bytes(8))
    stranger = changed(commits[3], uid=STRANGER, value=bytes(8))
    asked.write_bytes(write_asked([*commits[:2], lost, bad, stranger]))
    words = ("check-tmac", asked, "--office", office, "--out", out, "--json")
    told = run(*words, "--passphrase-file", tmp_path / "passphrase")
    assert told.code == 1
    assert told.report == {
        "checked": 5,
        "valid": 2,
        "invalid": [
            {"uid": uid.hex(), "counter": bad.counter, "record": bad.record.hex()}
            for uid in (UID, STRANGER)
        ],
        "tmv_lost": 1,
        "before_differs": 0,
        "unknown_chip": 1,
        "verdicts": str(out),
    }
    file = read_verdicts(out.read_bytes(), trust)
    assert [one.finding for one in file.verdicts] == [
        *(Finding.VALID, Finding.VALID, Finding.LOST, Finding.INVALID, Finding.INVALID)
    ]
    with open_office(office) as opened:
        family = next(iter(opened.roster.households())).id
    invalid = (bad.counter, bad.record, bytes(8), Finding.INVALID)
    assert file.verdicts[3] == MacVerdict(UID, *invalid, family)
    assert [one.household for one in file.verdicts] == [*[family] * 4, None]


def test_command_says_what_it_cannot_work_with(run: Command, office: Path, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.zst"
    (tmp_path / "nothing").write_bytes(b"no file of commits")
    rest = ("--office", office, "--out", out, "--passphrase-file", tmp_path / "none")
    for asked, words in (("none", "cannot be read"), ("nothing", "ask-macs")):
        told = run("check-tmac", tmp_path / asked, *rest)
        assert told.code == 2
        assert words in told.sentence
    asked_file = tmp_path / "asked"
    asked_file.write_bytes(write_asked([]))
    assert "passphrase" in run("check-tmac", asked_file, *rest).sentence
    assert "say where the masters are" in run("check-tmac", asked_file, *rest[:4]).sentence
    assert not out.exists()
