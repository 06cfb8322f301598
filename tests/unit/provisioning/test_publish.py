import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Root, Targets

from card_codec.keys import PrivateKey
from card_codec.trust import KeyUse, decode_trust_list
from ledger.access import read_access
from ledger.errors import LedgerError, RecordError
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.policy import DAY, read_policy
from ledger.repository import Repository, signed_time, tuf_signer
from ledger.rights_file import read_base
from ledger.roll import read_roll
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import DECREE, ROOT, KeyRing, kecamatan_role
from provisioning.office import open_office
from provisioning.publish import publish
from tests.unit.provisioning.played import (
    KEC_1,
    KEC_2,
    NOW,
    Province,
    open_ledger,
    publish_office,
    read_ledger,
)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def change_roster(office: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(office / "office.db")
    with db:
        db.execute(statement, values)
    db.close()


def test_reader_accepts_every_file_through_every_delegation(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    province.take(office / "release")
    files = read_ledger(province.repository, tmp_path / "reader")
    assert {p.id for p in read_policy(files[POLICY_PATH]).programmes} == {
        "pangan",
        "pasar-murah",
        "klinik",
        "seragam",
    }
    assert read_roll(files[ROLL_PATH]).terminals == ()
    uses = [key.use for key in decode_trust_list(files[TRUST_PATH]).keys]
    assert sorted(uses) == [KeyUse.ISSUER, KeyUse.LOG, KeyUse.VERDICT]
    bases = [read_base(files[f"rights/{k}/base.cbor.zst"]) for k in (KEC_1, KEC_2)]
    assert [base.count for base in bases] == [20, 20]


def test_release_holds_what_the_office_signs_and_nothing_of_the_province(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    names = {path.name for path in (office / "release" / "metadata").iterdir()}
    assert names == {
        "1.root.json",
        "1.targets.json",
        f"1.changes-{KEC_1}.json",
        f"1.changes-{KEC_2}.json",
    }
    assert read_access((office / "release" / "access.json").read_bytes()).terminals == ()


def test_nothing_of_the_roster_but_pseudonyms_leaves_the_office(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    db = sqlite3.connect(office / "office.db")
    names = {name.encode() for (name,) in db.execute("SELECT name FROM member")}
    db.close()
    release = b"".join(files_of(office / "release").values())
    assert names
    assert not [name for name in names if name in release]


def test_same_input_gives_the_same_files_and_a_new_time(office: Path, province: Province) -> None:
    first = publish_office(office, province)
    targets = files_of(office / "release" / "targets")
    second = publish_office(office, now=NOW + DAY)
    assert files_of(office / "release" / "targets") == targets
    assert (first.targets, second.targets) == (1, 2)
    assert (first.policy, second.policy) == (1, 1)
    repository = Repository(office / "release")
    assert signed_time(repository.load("targets", Targets)) == NOW + DAY
    assert signed_time(repository.load(f"changes-{KEC_1}", Targets)) == NOW + DAY


def test_only_a_file_whose_content_changed_gets_a_new_number(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    change_roster(
        office,
        "UPDATE household SET class = class % 3 + 1 WHERE id ="
        " (SELECT h.id FROM household h JOIN desa d ON d.code = h.desa WHERE d.kecamatan = ?)",
        KEC_1,
    )
    publish_office(office)
    province.take(office / "release")
    files = read_ledger(province.repository, tmp_path / "reader")
    assert read_base(files[f"rights/{KEC_1}/base.cbor.zst"]).number == 2
    assert read_base(files[f"rights/{KEC_2}/base.cbor.zst"]).number == 1
    assert read_policy(files[POLICY_PATH]).number == 1


def test_superseded_files_go_and_every_root_stays(office: Path, province: Province) -> None:
    publish_office(office, province)
    change_roster(office, "UPDATE household SET class = 2")
    other = Province(office.parent / "other")
    publish_office(office, other, rotate=True)
    names = sorted(path.name for path in (office / "release" / "metadata").iterdir())
    assert names == [
        "1.root.json",
        "2.changes-629901.json",
        "2.changes-629902.json",
        "2.root.json",
        "2.targets.json",
    ]
    assert len(files_of(office / "release" / "targets")) == 5


def test_root_grows_only_when_there_is_a_reason(office: Path, province: Province) -> None:
    assert publish_office(office, province).root == 1
    assert publish_office(office, now=NOW + 500 * DAY).root == 1
    assert publish_office(office, now=NOW + 600 * DAY).root == 2


def test_reader_follows_a_rotated_province_key(
    office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    province.take(office / "release")
    read_ledger(province.repository, tmp_path / "reader")
    new = Province(province.folder)
    publish_office(office, new, rotate=True)
    province.take(office / "release")
    with pytest.raises(RepositoryError, match="timestamp was signed by 0/1 keys"):
        open_ledger(province.repository, tmp_path / "reader").refresh()
    new.take(office / "release")
    files = read_ledger(new.repository, tmp_path / "reader")
    logs = [k for k in decode_trust_list(files[TRUST_PATH]).keys if k.use is KeyUse.LOG]
    assert {k.key: k.valid_until for k in logs} == {province.log.public: NOW, new.log.public: None}


def _one_signature(office: Path, role: str) -> Callable[[Repository], None]:
    """Sign the next version of a role with one of its holders only."""
    ring = KeyRing(office / "keys")
    duty = {"root": ROOT, "targets": DECREE}.get(role) or kecamatan_role(KEC_1)
    signer = tuf_signer(ring.signers(duty)[0])
    kind: Any = Root if role == "root" else Targets

    def sign(repository: Repository) -> None:
        repository.sign(repository.load(role, kind), role, signers=[signer], now=NOW)

    return sign


@pytest.mark.parametrize("role", ["root", "targets", f"changes-{KEC_1}"])
def test_one_signature_is_not_enough(
    office: Path, province: Province, tmp_path: Path, role: str
) -> None:
    publish_office(office, province)
    release = Repository(office / "release")
    _one_signature(office, role)(release)
    province.take(office / "release")
    with pytest.raises(RepositoryError, match=r"signed by \d+/2 keys|threshold"):
        read_ledger(province.repository, tmp_path / "reader")


@pytest.mark.parametrize(
    ("role", "holder"),
    [("root", "inspektorat"), ("root", "dinsos"), ("decree", "biro-hukum")],
)
def test_two_of_three_holders_can_publish(
    office: Path, province: Province, tmp_path: Path, role: str, holder: str
) -> None:
    (office / "keys" / role / f"{holder}.pem").unlink()
    publish_office(office, province)
    province.take(office / "release")
    assert read_ledger(province.repository, tmp_path / "reader")


@pytest.mark.parametrize(
    ("folder", "gone", "words"),
    [
        ("root", ("dinsos", "inspektorat"), "role root needs 2 of its 3 keys and 1 lie"),
        ("decree", ("biro-hukum", "kepala-dinsos"), "role decree needs 2"),
        (f"kecamatan/{KEC_2}", ("camat",), f"role changes-{KEC_2} needs 2 of its 2"),
    ],
)
def test_too_few_holders_publish_nothing(
    office: Path, province: Province, folder: str, gone: tuple[str, ...], words: str
) -> None:
    for holder in gone:
        (office / "keys" / folder / f"{holder}.pem").unlink()
    with pytest.raises(ProvisioningError, match=words):
        publish_office(office, province)
    assert not (office / "release").exists()


def test_key_of_somebody_else_is_refused(office: Path, province: Province) -> None:
    (office / "keys/decree/biro-hukum.pem").write_bytes(PrivateKey.generate().to_pem())
    with pytest.raises(ProvisioningError, match=r"is not the key that biro-hukum\.pub names"):
        publish_office(office, province)
    assert not (office / "release").exists()


def test_empty_roster_publishes_nothing(office: Path, province: Province) -> None:
    for table in ("person_right", "member", "household"):
        change_roster(office, f"DELETE FROM {table}")
    before = files_of(office)
    with pytest.raises(ProvisioningError, match="lists no household") as refused:
        publish_office(office, province)
    assert not isinstance(refused.value, WrongUseError)
    assert files_of(office) == before


def test_kecamatan_without_households_is_named(office: Path, province: Province) -> None:
    for table in ("person_right", "member"):
        change_roster(office, f"DELETE FROM {table}")
    change_roster(
        office,
        "DELETE FROM household WHERE desa IN (SELECT code FROM desa WHERE kecamatan = ?)",
        KEC_2,
    )
    with pytest.raises(ProvisioningError, match=f"kecamatan {KEC_2} has no household"):
        publish_office(office, province)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE household SET class = 9", "is of class 9"),
        ("UPDATE household SET issue = 256", "out of their bounds"),
        ("UPDATE household SET issue = 0", "out of their bounds"),
        ("UPDATE person_right SET member = 256 WHERE programme = 'klinik'", "out of their bounds"),
        ("UPDATE person_right SET quantity = 0", "out of their bounds"),
        (
            "UPDATE person_right SET quantity = 16777216 WHERE programme = 'klinik'",
            "out of their bounds",
        ),
        ("UPDATE person_right SET quantity = 2", "more than one of 'seragam', which is given once"),
        (
            "UPDATE member SET role = 'head' WHERE (household, number) IN"
            " (SELECT household, member FROM person_right WHERE programme = 'seragam')",
            r"\(head, born 20\d\d\) a right by 'seragam', which the policy gives only to a child",
        ),
        ("UPDATE member SET born = 1980", "only to a child and to who is 5 to 18 in 2026"),
        ("UPDATE member SET born = NULL", "born unknown"),
        ("DELETE FROM member WHERE role = 'child'", "not listed, born unknown"),
        ("UPDATE person_right SET programme = 'kapal' WHERE programme = 'klinik'", "'kapal'"),
        ("UPDATE person_right SET programme = 'pangan' WHERE programme = 'klinik'", "'pangan'"),
    ],
)
def test_roster_that_does_not_fit_the_policy_is_refused(
    office: Path, province: Province, statement: str, words: str
) -> None:
    change_roster(office, statement)
    with pytest.raises(ProvisioningError, match=words):
        publish_office(office, province)
    assert not (office / "release").exists()


def test_nothing_is_signed_that_a_terminal_could_not_read(office: Path, province: Province) -> None:
    change_roster(office, "UPDATE desa SET name = ?", "x" * 81)
    with pytest.raises(RecordError, match="not a Policy"):
        publish_office(office, province)
    assert not (office / "release").exists()


def test_stray_file_among_the_metadata_is_passed_over(office: Path, province: Province) -> None:
    publish_office(office, province)
    for name in ("1a.targets.json", "01.root.json", "²7.targets.json", "1a.other.json"):
        (office / "release" / "metadata" / name).write_bytes(b"")
    assert publish_office(office).targets == 2


def test_office_that_never_saw_the_province_says_so(office: Path) -> None:
    with pytest.raises(WrongUseError, match="does not know the province's keys yet"):
        publish_office(office)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not the province's public.json"),
        (b"{", "is not the province's public.json"),
        (b"\xff\xfe", "is not the province's public.json"),
        (b'{"online": "x"}', "missing required field `log`"),
        (b'{"online": "x", "log": "y"}', "not a public key in PEM form"),
        (b" " * 20_000, "too long"),
    ],
)
def test_wrong_province_file_is_wrong_use(office: Path, content: bytes, words: str) -> None:
    path = office.parent / "public.json"
    path.write_bytes(content)
    with open_office(office) as opened, pytest.raises(WrongUseError, match=words):
        publish(opened, now=NOW, province=path)
    assert not (office / "release").exists()
    assert not (office / "province.json").exists()


def test_other_province_keys_need_a_word(office: Path, province: Province) -> None:
    publish_office(office, province)
    before = files_of(office)
    with pytest.raises(ProvisioningError, match="--rotate-province"):
        publish_office(office, Province(office.parent / "other"))
    assert files_of(office) == before


def test_one_key_for_both_duties_of_the_province_is_refused(office: Path, tmp_path: Path) -> None:
    key = PrivateKey.generate()
    with pytest.raises(WrongUseError, match="one key for both duties"):
        publish_office(office, Province(tmp_path / "p", key, key))


def test_clock_before_the_last_publication_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    before = files_of(office)
    with pytest.raises(ProvisioningError, match="clock of this computer stands before"):
        publish_office(office, now=NOW - 60)
    assert files_of(office) == before


def test_publication_that_was_cut_off_leaves_the_last_one_and_is_made_again(
    office: Path, province: Province, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_office(office, province)
    change_roster(office, "UPDATE household SET class = 2")
    write, signed = Repository.write, []

    def fail_at_the_decree(self: Repository, role: str, metadata: Any) -> None:
        if role == "targets":
            raise LedgerError("the disk is full")
        signed.append(role)
        write(self, role, metadata)

    with monkeypatch.context() as patched:
        patched.setattr(Repository, "write", fail_at_the_decree)
        with pytest.raises(LedgerError):
            publish_office(office)
    assert signed == [f"changes-{KEC_1}", f"changes-{KEC_2}"]
    cut = shutil.copytree(office / "release", tmp_path / "cut")
    province.take(cut)
    old = read_ledger(province.repository, tmp_path / "reader")
    assert read_base(old[f"rights/{KEC_1}/base.cbor.zst"]).number == 1
    publish_office(office)
    province.take(office / "release")
    new = read_ledger(province.repository, tmp_path / "reader")
    assert set(read_base(new[f"rights/{KEC_1}/base.cbor.zst"]).classes) == {2}
