"""Drills of thefts: what a thief of each key can do, and how it ends."""

from __future__ import annotations

import shutil

import pytest
from tuf.api.metadata import Snapshot, Targets, Timestamp

from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import PrivateKey
from card_codec.qr.text import write_text
from card_codec.reason import Reason
from card_codec.status import StatusList
from card_codec.trust import TrustList
from ledger.changes_file import Wanted, make_changes, write_changes
from ledger.errors import RecordError
from ledger.mac_verdict import read_verdicts, verdict_kids, write_verdicts
from ledger.policy import DAY
from ledger.repository import online_role, tuf_signer
from ledger.rights_file import (
    FLAG_REMOVED,
    StatusFile,
    read_base,
    state_root,
    status_path,
    write_status,
)
from provisioning.changes import ChangeKind
from provisioning.decree import full_trust
from provisioning.errors import ProvisioningError
from provisioning.keys import ISSUER, ROOT, VERDICT
from provisioning.office import open_office
from provisioning.publish import publish
from provisioning.rotate import cards_of_stolen_keys
from tests.unit.provisioning.key_holders import CAMAT, forged, private_keys, refused, rotated
from tests.unit.provisioning.played import KEC_1, KEC_2, Province
from tests.unit.provisioning.served import Served
from tests.unit.provisioning.test_publish import files_of

# --- a stolen online key ---


def steal_online(served: Served) -> list[str]:
    """What a thief of the online key does: time a year ahead, every card blocked, old versions."""
    repository, now = served.province.repository, served.now
    thief = tuf_signer(served.province.online)
    targets = repository.load("targets", Targets)
    for kecamatan in (KEC_1, KEC_2):
        status = Targets()
        path = f"rights/{kecamatan}/base.cbor.zst"
        base = read_base(repository.target_bytes(targets, path))
        bits = StatusList(b"\xff" * base.count).encode()
        file = StatusFile("khb-status-1", kecamatan, state_root(base), bits)
        repository.add_target(status, status_path(kecamatan), write_status(file))
        repository.sign(status, online_role(kecamatan), signers=[thief], now=now)
    snapshot = repository.load("snapshot", Snapshot)
    snapshot.version += 1
    for role in (online_role(KEC_1), online_role(KEC_2)):
        snapshot.meta[f"{role}.json"].version = repository.versions(role)[-1]
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
    repository.add_target(status, status_path(KEC_1), write_status(file))
    online = tuf_signer(served.province.online)
    repository.sign(status, online_role(KEC_1), signers=[online], now=served.now)
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


@pytest.mark.parametrize("stolen", [False, True])
def test_verdicts_of_a_retired_key_stay_good_and_those_of_a_stolen_one_do_not(
    served: Served, stolen: bool
) -> None:
    def trust() -> TrustList:
        with open_office(served.office) as opened:
            return full_trust(opened.roster)

    (old,) = private_keys(served, VERDICT)
    before = write_verdicts([], old, at=served.now)
    assert read_verdicts(before, trust()).verdicts == ()
    served.clock.pass_time(DAY)
    rotated(served, VERDICT, stolen=stolen)
    (new,) = private_keys(served, VERDICT)
    assert read_verdicts(write_verdicts([], new, at=served.now), trust()).at == served.now
    with pytest.raises(RecordError):
        read_verdicts(write_verdicts([], old, at=served.now), trust())
    assert (old.public.kid in verdict_kids(trust())) is not stolen
    if stolen:
        with pytest.raises(RecordError):
            read_verdicts(before, trust())
    else:
        assert read_verdicts(before, trust()).verdicts == ()


def counterfeit(served: Served, household: bytes, key: PrivateKey) -> str:
    """A card dated before the theft, by the thief."""
    credential = Credential(
        household=household, issue=1, kind=CardKind.CARD, issuer="ID-KT", audience="KHB26",
        issued_at=served.now - DAY, expires_at=served.now + 900 * DAY, name="Ibu Palsu",
    )  # fmt: skip
    return write_text(issue_credential(credential, key))
