"""Every role of the office gets new keys, and a terminal goes with them; drills of thefts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import PrivateKey
from card_codec.qr.text import write_text
from card_codec.reason import Reason
from card_codec.status import StatusList
from card_codec.trust import KeyUse
from ledger.changes_file import Wanted, make_changes, write_changes
from ledger.policy import DAY
from ledger.repository import Repository, tuf_key, tuf_signer
from ledger.rights_file import FLAG_REMOVED, StatusFile, read_base, state_root, write_status
from provisioning.changes import ChangeKind
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import DECREE, ISSUER, ROOT, KeyRing, OfficeRole, kecamatan_role
from provisioning.office import open_office
from provisioning.publish import publish
from provisioning.rotate import cards_of_stolen_keys, rotate
from terminal.init import make_keys
from tests.unit.provisioning.played import KEC_1, KEC_2, Province, enrol_terminal
from tests.unit.provisioning.served import Served, make_served
from tests.unit.provisioning.test_publish import files_of

CAMAT = kecamatan_role(KEC_1)


@pytest.fixture
def served(office: Path, province: Province) -> Iterator[Served]:
    made = make_served(office, province)
    yield made
    made.counter.close()


def rotated(served: Served, role: OfficeRole, *holders: str, stolen: bool = False) -> None:
    with open_office(served.office) as opened:
        rotate(opened, role, holders, now=served.now, stolen=stolen)


def private_keys(served: Served, role: OfficeRole) -> list[PrivateKey]:
    ring = KeyRing(served.office / "keys")
    return [ring.private(role, holder) for holder in role.holders]


def refused(served: Served, words: str) -> None:
    """What was brought is refused, and what was installed stands."""
    before = served.folder.rights.read_bytes()
    problem = served.bring().problem
    assert problem is not None
    assert words in problem
    assert served.folder.rights.read_bytes() == before


def forged(served: Served, role: str, content: Root | Targets, *keys: PrivateKey) -> None:
    """Somebody with these keys signs a role; a province that was fooled makes it public."""
    repository = served.province.repository
    signers = [tuf_signer(key) for key in keys]
    repository.sign(content, role, signers=signers, now=served.now)
    repository.publish(tuf_signer(served.province.online), now=served.now)


# --- every role ---


@pytest.mark.parametrize("role", [ROOT, DECREE, CAMAT], ids=lambda role: role.name)
def test_terminal_goes_on_when_all_keys_of_a_role_are_new(served: Served, role: OfficeRole) -> None:
    old = private_keys(served, role)
    rotated(served, role)
    served.publish()
    assert served.bring().problem is None
    assert {k.public for k in private_keys(served, role)}.isdisjoint(k.public for k in old)


@pytest.mark.parametrize("holder", ROOT.holders)
def test_one_root_key_is_replaced_by_the_others(served: Served, holder: str) -> None:
    """Lost with its holder: the two that are left sign for the new one."""
    (served.office / "keys" / "root" / f"{holder}.pem").unlink()
    rotated(served, ROOT, holder)
    served.publish()
    assert served.bring().problem is None


def test_replaced_root_keys_are_kept_until_they_have_signed_and_no_longer(served: Served) -> None:
    old = {key.to_pem() for key in private_keys(served, ROOT)}
    rotated(served, ROOT)
    kept = [path.read_bytes() for path in (served.office / "keys").rglob("retired/*.pem")]
    assert set(kept) == old
    served.publish()
    assert list((served.office / "keys").rglob("retired/*.pem")) == []
    assert len(list((served.office / "keys").rglob("retired/*.pub"))) == 3


@pytest.mark.parametrize("role", [DECREE, CAMAT, ISSUER], ids=lambda role: role.name)
def test_other_replaced_keys_are_gone_at_once(served: Served, role: OfficeRole) -> None:
    old = {key.to_pem() for key in private_keys(served, role)}
    rotated(served, role)
    assert old.isdisjoint(files_of(served.office / "keys").values())


def test_root_without_enough_of_the_keys_before_is_not_published(served: Served) -> None:
    rotated(served, ROOT)
    for path in sorted((served.office / "keys" / "root" / "retired").glob("*.pem"))[:2]:
        path.unlink()
    before = files_of(served.office / "release")
    with (
        open_office(served.office) as opened,
        pytest.raises(
            ProvisioningError,
            match="needs 2 of the root keys that counted until now and 1 lie here",
        ),
    ):
        publish(opened, now=served.now)
    assert files_of(served.office / "release") == before


def test_rotated_out_root_keys_make_no_root(served: Served) -> None:
    thief = private_keys(served, ROOT)
    rotated(served, ROOT)
    served.publish()
    served.bring()
    root = served.province.repository.load("root", Root)
    root.add_key(tuf_key(PrivateKey.generate()), "targets")
    forged(served, "root", root, *thief[:2])
    refused(served, "root was signed by 0/2 keys")


def test_rotated_out_decree_keys_sign_no_decree(served: Served) -> None:
    thief = private_keys(served, DECREE)
    rotated(served, DECREE)
    served.publish()
    served.bring()
    forged(served, "targets", served.province.repository.load("targets", Targets), *thief[:2])
    refused(served, "targets was signed by 0/2 keys")


def test_terminal_off_for_a_year_walks_the_chain_of_roots(served: Served) -> None:
    """Every office has new keys by then, some twice; the root it was given knows none of them."""
    home = served.households()[0]
    old_card = served.card(home)
    for role in (ROOT, DECREE, CAMAT, ROOT, DECREE, ISSUER):
        served.clock.pass_time(60 * DAY)
        rotated(served, role)
        served.publish()
    fresh = Province(served.province.folder)
    served.province = fresh
    served.clock.pass_time(5 * DAY)
    served.publish(rotate=True)
    assert Repository(served.office / "release").versions("root") == [1, 2, 3, 4, 5, 6]
    assert json.loads(served.folder.first_root.read_bytes())["signed"]["version"] == 1
    assert served.bring().problem is None
    assert served.installed().versions.root == 6
    # Cards and their windows are as they were: a card of before is genuine, its stage is over.
    assert served.asked(old_card) is Reason.WINDOW_CLOSED


def test_root_left_out_of_the_chain_is_not_jumped_over(served: Served) -> None:
    for _ in range(2):
        rotated(served, DECREE)
        served.publish()
    (served.province.repository.metadata / "2.root.json").unlink()
    refused(served, "targets was signed by 0/2 keys")


def test_new_terminal_begins_with_the_newest_root(served: Served, tmp_path: Path) -> None:
    rotated(served, ROOT)
    served.publish()
    make_keys(tmp_path / "second")
    enrol_terminal(served.office, tmp_path / "second")
    assert json.loads((tmp_path / "second/keys/root.json").read_bytes())["signed"]["version"] == 2


# --- a stolen online key ---


def steal_online(served: Served) -> list[str]:
    """What a thief of the online key does: time a year ahead, every card blocked, old versions."""
    repository, now = served.province.repository, served.now
    thief = tuf_signer(served.province.online)
    targets = repository.load("targets", Targets)
    status = Targets()
    for kecamatan in (KEC_1, KEC_2):
        path = f"rights/{kecamatan}/base.cbor.zst"
        base = read_base(repository.target_bytes(targets, path))
        bits = StatusList(b"\xff" * base.count).encode()
        file = StatusFile("khb-status-1", kecamatan, state_root(base), bits)
        repository.add_target(status, f"status/{kecamatan}.cbor", write_status(file))
    repository.sign(status, "status", signers=[thief], now=now)
    snapshot = repository.load("snapshot", Snapshot)
    snapshot.version += 1
    snapshot.meta["status.json"].version = repository.versions("status")[-1]
    repository.sign(snapshot, "snapshot", signers=[thief], now=now, skipping=1_000_000)
    timestamp = repository.load("timestamp", Timestamp)
    timestamp.snapshot_meta.version = snapshot.version
    repository.sign(
        timestamp, "timestamp", signers=[thief], now=now + 365 * DAY, skipping=1_000_000
    )
    assert served.bring().problem is None
    return [served.card(home) for home in served.households()[:2]]


def recover_province(served: Served) -> None:
    """The province begins anew with a new key, from the office's next release."""
    shutil.rmtree(served.province.folder / "repository")
    served.province = Province(served.province.folder, log=served.province.log)


def test_stolen_online_key_denies_and_never_grants(served: Served) -> None:
    cards = steal_online(served)
    assert {served.asked(card) for card in cards} == {Reason.REVOKED}
    assert served.counter.state().age_days == 0
    assert served.counter._desk.journal.floors().online.time == served.now + 365 * DAY


def test_terminal_recovers_when_a_root_says_the_online_key_was_stolen(served: Served) -> None:
    cards = steal_online(served)
    recover_province(served)
    with open_office(served.office) as opened:
        publish(opened, now=served.now, province=served.province.public, online_stolen=True)
    served.take()
    assert served.bring().problem is None
    assert [served.asked(card) for card in cards] == [None, None]
    assert served.counter._desk.journal.floors().online.time == served.now
    assert served.installed().blocked_cards() == frozenset()


def test_routine_rotation_takes_no_block_off_and_no_time_back(served: Served) -> None:
    """Else a new key could clear what the last one had blocked."""
    cards = steal_online(served)
    recover_province(served)
    served.publish(rotate=True)
    assert served.bring().problem is None
    assert served.asked(cards[0]) is Reason.REVOKED
    assert served.counter._desk.journal.floors().online.time == served.now + 365 * DAY


def test_stolen_online_key_counts_no_more_after_the_rotation(served: Served) -> None:
    stolen = served.province.online
    steal_online(served)
    recover_province(served)
    with open_office(served.office) as opened:
        publish(opened, now=served.now, province=served.province.public, online_stolen=True)
    served.take()
    served.bring()
    repository = served.province.repository
    repository.publish(tuf_signer(stolen), now=served.now)
    refused(served, "was signed by 0/1 keys")


def test_later_root_does_not_say_again_that_the_key_was_stolen(served: Served) -> None:
    steal_online(served)
    recover_province(served)
    with open_office(served.office) as opened:
        publish(opened, now=served.now, province=served.province.public, online_stolen=True)
    served.take()
    served.bring()
    card = (served.households()[0], 1)
    repository = served.province.repository
    base = read_base(
        repository.target_bytes(
            repository.load("targets", Targets), f"rights/{KEC_1}/base.cbor.zst"
        )
    )
    bits = StatusList.from_indices(base.count, [base.ids().index(card[0])])
    status = Targets()
    file = StatusFile("khb-status-1", KEC_1, state_root(base), bits.encode())
    repository.add_target(status, f"status/{KEC_1}.cbor", write_status(file))
    repository.sign(status, "status", signers=[tuf_signer(served.province.online)], now=served.now)
    repository.publish(tuf_signer(served.province.online), now=served.now)
    served.bring()
    assert served.installed().blocked_cards() == {card}
    rotated(served, ROOT)
    served.publish()
    served.bring()
    assert served.installed().blocked_cards() == {card}


def test_key_that_was_not_changed_cannot_be_called_stolen(served: Served) -> None:
    before = files_of(served.office / "release")
    with (
        open_office(served.office) as opened,
        pytest.raises(
            ProvisioningError, match="is still the stolen one; make a new one with `betang-sync"
        ),
    ):
        publish(opened, now=served.now, online_stolen=True)
    assert files_of(served.office / "release") == before


# --- stolen keys of a kecamatan ---


def thieves_changes(served: Served, keys: list[PrivateKey], *, number: int) -> None:
    repository = served.province.repository
    path = f"rights/{KEC_1}/base.cbor.zst"
    base = read_base(repository.target_bytes(repository.load("targets", Targets), path))
    removed = dict.fromkeys(served.households()[:5], FLAG_REMOVED)
    file = make_changes(base, number=number, wanted=Wanted(removed=removed))
    targets = Targets()
    repository.add_target(targets, f"changes/{KEC_1}/{number}.cbor.zst", write_changes(file))
    forged(served, f"changes-{KEC_1}", targets, *keys)


def test_stolen_keys_of_a_kecamatan_take_away_within_bounds_until_they_are_replaced(
    served: Served,
) -> None:
    home = served.households()[0]
    card, thief = served.card(home), private_keys(served, CAMAT)
    thieves_changes(served, thief, number=1)
    assert served.bring().problem is None
    assert served.asked(card) is Reason.NOT_ENTITLED
    served.clock.pass_time(DAY)
    rotated(served, CAMAT)
    served.publish()
    assert served.bring().problem is None
    assert served.asked(card) is None
    thieves_changes(served, thief, number=9)
    refused(served, f"changes-{KEC_1} was signed by 0/2 keys")
    assert served.asked(card) is None


def test_one_stolen_key_of_a_kecamatan_does_nothing(served: Served) -> None:
    thieves_changes(served, private_keys(served, CAMAT)[:1], number=1)
    refused(served, f"changes-{KEC_1} was signed by 1/2 keys")


def test_changes_go_on_with_the_new_keys(served: Served) -> None:
    one, two = served.households()[:2]
    served.change(one, ChangeKind.STATE, "ended")
    rotated(served, CAMAT, "camat")
    served.publish()
    served.change(two, ChangeKind.STATE, "ended")
    served.bring()
    cards = [served.card(one), served.card(two)]
    assert [served.asked(card) for card in cards] == [Reason.NOT_ENTITLED] * 2


# --- a stolen key of the card issuer ---


def test_cards_of_a_retired_issuer_stay_good(served: Served) -> None:
    home = served.households()[0]
    old = served.card(home)
    served.clock.pass_time(DAY)
    rotated(served, ISSUER)
    served.publish()
    served.bring()
    assert served.asked(old) is None
    assert served.asked(served.card(home)) is None


def test_cards_of_a_stolen_issuer_count_no_more_and_new_ones_do(served: Served) -> None:
    home = served.households()[0]
    old, thief = served.card(home), private_keys(served, ISSUER)[0]
    served.clock.pass_time(DAY)
    rotated(served, ISSUER, stolen=True)
    served.publish()
    served.bring()
    assert served.asked(old) is Reason.UNKNOWN_ISSUER
    assert served.asked(counterfeit(served, home, thief)) is Reason.UNKNOWN_ISSUER
    assert served.asked(served.card(home)) is None
    with open_office(served.office) as opened:
        assert cards_of_stolen_keys(opened) == 1


def counterfeit(served: Served, household: bytes, key: PrivateKey) -> str:
    """A card dated before the theft, by the thief."""
    credential = Credential(
        household=household, issue=1, kind=CardKind.CARD, issuer="ID-KT", audience="KHB26",
        issued_at=served.now - DAY, expires_at=served.now + 900 * DAY, name="Ibu Palsu",
    )  # fmt: skip
    return write_text(issue_credential(credential, key))


# --- the log ---


def test_log_key_of_before_stays_listed_for_what_it_signed(served: Served) -> None:
    old = served.province.log
    served.province = Province(served.province.folder, online=served.province.online)
    served.clock.pass_time(DAY)
    served.publish(rotate=True)
    served.bring()
    trust = served.installed().trust
    before = trust.find(old.public.kid, KeyUse.LOG)
    now = trust.find(served.province.log.public.kid, KeyUse.LOG)
    assert before is not None
    assert now is not None
    assert (before.valid_until, now.valid_until) == (served.now, None)


# --- what is refused ---


def test_key_of_another_holder_cannot_be_taken_twice(served: Served) -> None:
    own = KeyRing(served.office / "keys").public(DECREE)["biro-hukum"]
    before = files_of(served.office / "keys")
    with open_office(served.office) as opened:
        with pytest.raises(ProvisioningError, match="is one of decree already"):
            rotate(opened, DECREE, ["kepala-dinsos"], now=served.now, new=lambda: own)
        with pytest.raises(WrongUseError, match="holds no key of decree; its holders are"):
            rotate(opened, DECREE, ["camat"], now=served.now)
    assert files_of(served.office / "keys") == before


def test_public_half_alone_takes_the_place_of_a_key_that_stays_away(served: Served) -> None:
    made = PrivateKey.generate()
    with open_office(served.office) as opened:
        rotate(opened, DECREE, ["biro-hukum"], now=served.now, new=lambda: made.public)
    assert not (served.office / "keys/decree/biro-hukum.pem").exists()
    served.publish()
    assert served.bring().problem is None
