"""Every role of the office gets new keys, and a terminal goes with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tuf.api.metadata import Root, Targets

from card_codec.keys import PrivateKey
from card_codec.reason import Reason
from card_codec.trust import KeyUse
from ledger.policy import DAY
from ledger.repository import Repository, tuf_key
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import DECREE, ISSUER, ROOT, KeyRing, OfficeRole
from provisioning.office import open_office
from provisioning.publish import publish
from provisioning.rotate import rotate
from terminal.init import make_keys
from tests.unit.provisioning.key_holders import CAMAT, forged, private_keys, refused, rotated
from tests.unit.provisioning.played import Province, enrol_terminal
from tests.unit.provisioning.served import Served
from tests.unit.provisioning.test_publish import files_of

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
