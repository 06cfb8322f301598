"""Bundles that travel from holder to holder: who must sign, what they see, what is refused."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Metadata

from card_codec.keys import PrivateKey
from ledger.repository import Repository, tuf_signer
from provisioning.assemble import Assembled, assemble
from provisioning.errors import ProvisioningError
from provisioning.keys import DECREE, ROOT, OfficeRole, kecamatan_role
from provisioning.office import open_office
from provisioning.prepare import prepare_changes, prepare_decree
from provisioning.province_keys import ProvinceChange
from provisioning.sign import sign_bundle
from provisioning.signing_bundle import (
    RoleFile,
    open_bundle,
    read_bundle,
    write_bundle,
)
from tests.unit.provisioning.played import (
    KEC_1,
    KEC_2,
    NOW,
    Province,
    publish_office,
    read_ledger,
)
from tests.unit.provisioning.test_publish import change_roster, files_of


def prepared(office: Path, province: Province | None = None, kecamatan: str | None = None) -> bytes:
    """The bundle's file, as the office gives it away."""
    with open_office(office) as opened:
        if kecamatan is not None:
            return write_bundle(prepare_changes(opened, kecamatan, now=NOW))
        change = ProvinceChange(province.public if province else None)
        return write_bundle(prepare_decree(opened, now=NOW, province=change))


def signed(data: bytes, key: PrivateKey) -> bytes:
    """One holder's own act, on a machine that has the bundle and the key."""
    return write_bundle(sign_bundle(read_bundle(data, "bundle"), key).content.with_roles())


def keys(office: Path, role: OfficeRole) -> list[PrivateKey]:
    folder = office / "keys" / role.folder
    return [PrivateKey.from_pem((folder / f"{h}.pem").read_bytes()) for h in role.holders]


def assembled(office: Path, *bundles: bytes) -> Assembled:
    with open_office(office) as opened:
        named = [
            (f"bundle {n}", read_bundle(data, f"bundle {n}")) for n, data in enumerate(bundles)
        ]
        return assemble(opened, named)


def refused(office: Path, words: str, *bundles: bytes) -> None:
    """Nothing is assembled, and nothing of the office has changed."""
    before = files_of(office)
    with pytest.raises(ProvisioningError, match=words) as caught:
        assembled(office, *bundles)
    assert "\n" not in caught.value.detail
    assert {k: v for k, v in files_of(office).items() if k != ".lock"} == {
        k: v for k, v in before.items() if k != ".lock"
    }


def all_signers(office: Path) -> list[PrivateKey]:
    roles = (ROOT, DECREE, kecamatan_role(KEC_1), kecamatan_role(KEC_2))
    return [key for role in roles for key in keys(office, role)[:2]]


def test_first_decree_is_signed_by_each_holder_in_turn(
    office: Path, province: Province, tmp_path: Path
) -> None:
    data = prepared(office, province)
    for key in all_signers(office):
        data = signed(data, key)
    done = assembled(office, data)
    assert done.roles == {
        "root": 1, f"changes-{KEC_1}": 1, f"changes-{KEC_2}": 1, "targets": 1
    }  # fmt: skip
    province.take(office / "release")
    assert read_ledger(province.repository, tmp_path / "reader")


def test_copies_signed_in_different_places_are_joined(
    office: Path, province: Province, tmp_path: Path
) -> None:
    data = prepared(office, province)
    copies = [signed(data, key) for key in all_signers(office)]
    assembled(office, *copies, copies[0])
    province.take(office / "release")
    assert read_ledger(province.repository, tmp_path / "reader")


def test_release_is_the_same_by_three_steps_or_by_one(
    office: Path, province: Province, tmp_path: Path
) -> None:
    data = prepared(office, province)
    for key in all_signers(office):
        data = signed(data, key)
    assembled(office, data)
    by_steps = files_of(office / "release")
    twin = tmp_path / "twin"
    shutil.copytree(office, twin, ignore=shutil.ignore_patterns("release", "province.json"))
    publish_office(twin, province)
    assert files_of(twin / "release") == by_steps


def test_next_decree_needs_only_those_whose_word_is_new(office: Path, province: Province) -> None:
    publish_office(office, province)
    change_roster(office, "UPDATE household SET class = 2")
    content = read_bundle(prepared(office), "bundle")
    assert [*content.roles] == ["targets"]
    data = prepared(office)
    for key in keys(office, DECREE)[1:]:
        data = signed(data, key)
    assert assembled(office, data).roles == {"targets": 2}
    assert Repository(office / "release").versions(f"changes-{KEC_1}") == [1]


def test_changes_of_a_kecamatan_travel_to_its_two(office: Path, province: Province) -> None:
    publish_office(office, province)
    with open_office(office) as opened:
        home = next(opened.roster.households()).id
        opened.roster.note_change(home, kecamatan=KEC_1, kind="replace", value="2", now=NOW)
    data = prepared(office, kecamatan=KEC_1)
    for key in keys(office, kecamatan_role(KEC_1)):
        data = signed(data, key)
    assert assembled(office, data).roles == {f"changes-{KEC_1}": 2}
    with closing(sqlite3.connect(office / "office.db")) as db:
        assert db.execute("SELECT published FROM change").fetchall() == [(1,)]


def test_what_is_entered_after_the_bundle_was_prepared_stays_pending(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    with open_office(office) as opened:
        first, second = [h.id for h in opened.roster.households(limit=2)]
        opened.roster.note_change(first, kecamatan=KEC_1, kind="replace", value="2", now=NOW)
    data = prepared(office, kecamatan=KEC_1)
    with open_office(office) as opened:
        opened.roster.note_change(second, kecamatan=KEC_1, kind="replace", value="2", now=NOW)
    for key in keys(office, kecamatan_role(KEC_1)):
        data = signed(data, key)
    assembled(office, data)
    with closing(sqlite3.connect(office / "office.db")) as db:
        assert db.execute("SELECT published FROM change").fetchall() == [(1,), (None,)]


# --- too few, the wrong ones, twice ---


def test_under_the_threshold_nothing_is_assembled_and_who_is_missing_is_named(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    data = prepared(office)
    refused(office, r"targets has 0 of 2 signatures; still missing: 2 of biro-hukum, kep", data)
    one = signed(data, keys(office, DECREE)[0])
    refused(
        office,
        r"targets has 1 of 2 signatures; still missing: 1 of biro-hukum, sekretaris-daerah",
        one, one,
    )  # fmt: skip


def test_missing_camat_is_named(office: Path, province: Province) -> None:
    publish_office(office, province)
    data = signed(prepared(office, kecamatan=KEC_1), keys(office, kecamatan_role(KEC_1))[1])
    refused(office, f"changes-{KEC_1} has 1 of 2 signatures; still missing: camat of {KEC_1}", data)


def change_roles(data: bytes, change: Callable[[str, Metadata], object]) -> bytes:
    """A bundle whose roles somebody has worked on."""
    content = read_bundle(data, "bundle")
    for role, metadata in content.roles.items():
        change(role, metadata)
    return write_bundle(content.with_roles())


def test_strangers_signature_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    stranger = PrivateKey.generate()
    data = change_roles(prepared(office), lambda _, m: m.sign(tuf_signer(stranger), append=True))
    kid = tuf_signer(stranger).public_key.keyid[:8]
    refused(office, f"targets bears a signature of the key {kid}, who may not sign it", data)


def test_signature_of_another_role_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    camat = keys(office, kecamatan_role(KEC_1))[0]
    data = change_roles(prepared(office), lambda _, m: m.sign(tuf_signer(camat), append=True))
    refused(office, "targets bears a signature of camat of 629901, who may not sign it", data)


def test_signature_that_does_not_hold_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    data = prepared(office)
    for key in keys(office, DECREE)[:2]:
        data = signed(data, key)

    def spoil(_: str, metadata: Metadata) -> None:
        first = next(iter(metadata.signatures.values()))
        first.signature = first.signature[:-2] + ("00" if first.signature[-2:] != "00" else "01")

    refused(
        office, "the signature of .* under targets does not hold; ask for it again",
        change_roles(data, spoil),
    )  # fmt: skip


def test_one_holders_signature_twice_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    content = read_bundle(signed(prepared(office), keys(office, DECREE)[0]), "bundle")
    (role,) = content.bundle.roles
    parsed = msgspec.json.decode(role.metadata)
    parsed["signatures"] *= 2
    twice = msgspec.structs.replace(
        content.bundle, roles=(RoleFile("targets", msgspec.json.encode(parsed)),)
    )
    with pytest.raises(ProvisioningError, match="two signatures of kepala-dinsos under targets"):
        open_bundle(twice, "bundle")


def test_key_that_may_sign_nothing_is_told_whom_the_bundle_waits_for(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    data = prepared(office)
    for stranger in (PrivateKey.generate(), keys(office, ROOT)[0]):
        with pytest.raises(
            ProvisioningError, match=r"may sign nothing .* waits for biro-hukum, kep"
        ):
            signed(data, stranger)


def test_holder_who_has_signed_is_told_so(office: Path, province: Province) -> None:
    publish_office(office, province)
    key = keys(office, DECREE)[2]
    with pytest.raises(ProvisioningError, match="sekretaris-daerah has signed this bundle already"):
        signed(signed(prepared(office), key), key)


def test_another_bundle_among_the_copies_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    one, two = keys(office, DECREE)[:2]
    first = signed(prepared(office), one)
    change_roster(office, "UPDATE household SET class = 2")
    refused(
        office, "bundle 1 is another bundle than bundle 0", first, signed(prepared(office), two)
    )


# --- what was prepared before something else was published ---


def test_decree_prepared_before_another_was_published_is_refused(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    data = prepared(office)
    for key in keys(office, DECREE)[:2]:
        data = signed(data, key)
    publish_office(office)
    refused(office, "targets 2 was published since this bundle was prepared", data)


def test_decree_that_does_not_hold_changes_published_since_is_refused(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    change_roster(office, "UPDATE household SET class = 2")
    decree = prepared(office)
    for key in keys(office, DECREE)[:2]:
        decree = signed(decree, key)
    with open_office(office) as opened:
        home = next(opened.roster.households()).id
        opened.roster.note_change(home, kecamatan=KEC_1, kind="replace", value="2", now=NOW)
    changes = prepared(office, kecamatan=KEC_1)
    for key in keys(office, kecamatan_role(KEC_1)):
        changes = signed(changes, key)
    assembled(office, changes)
    refused(office, "629901 has published changes since this bundle was prepared", decree)


def test_changes_made_on_a_decree_that_is_no_more_are_refused(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    with open_office(office) as opened:
        home = next(opened.roster.households()).id
        opened.roster.note_change(home, kecamatan=KEC_1, kind="replace", value="2", now=NOW)
    changes = prepared(office, kecamatan=KEC_1)
    for key in keys(office, kecamatan_role(KEC_1)):
        changes = signed(changes, key)
    decree = prepared(office)
    for key in keys(office, DECREE)[:2]:
        decree = signed(decree, key)
    assembled(office, decree)
    refused(office, "targets 2 was published since this bundle was prepared", changes)
