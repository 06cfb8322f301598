"""What a holder sees of a bundle before signing, and what is refused unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Metadata

from ledger.record import compress, pack
from ledger.repository import write_metadata
from ledger.rights_file import make_base, read_base, write_base
from provisioning.bundle_check import check_content
from provisioning.errors import ProvisioningError
from provisioning.keys import DECREE, KeyRing
from provisioning.office import open_office
from provisioning.sign import sign_bundle
from provisioning.signing_bundle import (
    BundleFile,
    Content,
    RoleFile,
    SigningBundle,
    open_bundle,
    read_bundle,
)
from provisioning.summary import summary
from tests.unit.provisioning.played import KEC_1, KEC_2, NOW, Province, publish_office
from tests.unit.provisioning.test_publish import change_roster
from tests.unit.provisioning.test_signing import keys, prepared, signed


def words(data: bytes) -> list[str]:
    content = read_bundle(data, "bundle")
    return summary(content, check_content(content))


def test_summary_of_the_first_decree_names_all_of_it(office: Path, province: Province) -> None:
    lines = words(prepared(office, province))
    assert lines[0] == "Decree 1, of 2026-09-21 21:13 WIB"
    assert "root of trust 1: the first" in lines
    assert "policy 1: the first" in lines
    assert "  programme pangan is new, worth Rp150000, price Rp0" in lines
    assert "roll of terminals 1: 0 terminals, were 0" in lines
    assert f"rights of {KEC_1}: 20 households, the first" in lines


def test_summary_of_the_next_tells_what_changes_and_nothing_else(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    table = office / "policy.toml"
    table.write_text(table.read_text().replace("price = 15000", "price = 20000"))
    change_roster(
        office,
        "UPDATE household SET class = 3 WHERE id IN (SELECT h.id FROM household h JOIN desa d"
        " ON d.code = h.desa WHERE d.kecamatan = ? AND h.class < 3 ORDER BY h.id LIMIT 2)", KEC_2,
    )  # fmt: skip
    assert words(prepared(office))[1:] == [
        "policy 2 (was 1)",
        "  programme pasar-murah, price: 15000 → 20000",
        f"rights of {KEC_2}: 20 households, were 20; 2 of another class",
    ]


def test_summary_of_changes_counts_them(office: Path, province: Province) -> None:
    publish_office(office, province)
    with open_office(office) as opened:
        home = next(opened.roster.households()).id
        opened.roster.note_change(home, kecamatan=KEC_1, kind="replace", value="2", now=NOW)
    lines = words(prepared(office, kecamatan=KEC_1))
    assert lines[0].startswith(f"Changes of {KEC_1}, of ")
    assert lines[1] == (
        f"changes 1 of {KEC_1} since the decree: 0 removed, 0 moved, 1 (was 0) with a newer card,"
        " 0 of a lower class, 0 blocks taken off, 0 redemptions taken back"
    )


def test_fingerprint_stays_with_signatures_and_changes_with_the_content(
    office: Path, province: Province
) -> None:
    publish_office(office, province)
    data = prepared(office)
    one = read_bundle(data, "b").fingerprint
    assert read_bundle(signed(data, keys(office, DECREE)[0]), "b").fingerprint == one
    change_roster(office, "UPDATE household SET class = 2")
    assert read_bundle(prepared(office), "b").fingerprint != one


def spoilt(office: Path, change: Callable[[SigningBundle], SigningBundle]) -> Content:
    content = read_bundle(prepared(office), "bundle")
    return open_bundle(change(content.bundle), "bundle")


def test_file_put_in_the_place_of_another_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    change_roster(office, "UPDATE household SET class = 2")
    path = f"rights/{KEC_1}/base.cbor.zst"

    def other(bundle: SigningBundle) -> SigningBundle:
        base = read_base(bundle.file(path) or b"")
        rich = write_base(make_base(KEC_1, period="x", number=9, rows=base.rows()))
        files = tuple(BundleFile(f.path, rich if f.path == path else f.data) for f in bundle.files)
        return msgspec.structs.replace(bundle, files=files)

    for field in ("files", "before"):
        with pytest.raises(ProvisioningError, match="is not the one its role names"):
            check_content(
                spoilt(office, other)
                if field == "files"
                else spoilt(office, lambda b: msgspec.structs.replace(b, before=other(b).files))
            )


def test_file_left_out_or_added_is_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    change_roster(office, "UPDATE household SET class = 2")
    with pytest.raises(ProvisioningError, match=r"names rights/.* and does not hold it"):
        check_content(spoilt(office, lambda b: msgspec.structs.replace(b, files=b.files[1:])))
    extra = BundleFile("rights/629909/base.cbor.zst", b"x")
    with pytest.raises(ProvisioningError, match="no role of the bundle names rights/629909"):
        check_content(spoilt(office, lambda b: msgspec.structs.replace(b, files=(*b.files, extra))))


def test_comparison_with_a_decree_that_was_never_signed_is_told(
    office: Path, province: Province
) -> None:
    """Else a forged past could make a change look small."""
    publish_office(office, province)

    def unsigned(bundle: SigningBundle) -> SigningBundle:
        standing = []
        for role in bundle.standing:
            metadata: Metadata = Metadata.from_bytes(role.metadata)
            if role.role == "targets":
                metadata.signatures.clear()
            standing.append(RoleFile(role.role, write_metadata(metadata)))
        return msgspec.structs.replace(bundle, standing=tuple(standing))

    content = spoilt(office, unsigned)
    lines = summary(content, check_content(content))
    assert lines[1].startswith("CAUTION: what this is compared with (targets) bears no valid")


def test_bundle_of_any_bytes_is_read_or_refused(office: Path, province: Province) -> None:
    publish_office(office, province)
    data = prepared(office)
    for length in range(0, len(data), 97):
        with pytest.raises(ProvisioningError, match="is not a signing bundle"):
            read_bundle(data[:length], "bundle")
    bundle = read_bundle(data, "bundle").bundle
    for metadata in (b"", b"[]", b"{}", b'{"signatures": 1}', b'{"signatures": [1]}', b"\xff",
                     b"[" * 100_000, b'{"signatures": [], "signed": {}}'):  # fmt: skip
        broken = msgspec.structs.replace(bundle, roles=(RoleFile("targets", metadata),))
        with pytest.raises(ProvisioningError, match="holds no readable targets"):
            read_bundle(compress(pack(broken)), "bundle")
    root = next(r.metadata for r in bundle.standing if r.role == "root")
    broken = msgspec.structs.replace(bundle, roles=(RoleFile("targets", root),))
    with pytest.raises(ProvisioningError, match="holds another role as targets"):
        read_bundle(compress(pack(broken)), "bundle")


def test_holder_needs_no_office(office: Path, province: Province, tmp_path: Path) -> None:
    publish_office(office, province)
    data = prepared(office)
    key = keys(office, DECREE)[0]
    for path in sorted(office.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    done = sign_bundle(read_bundle(data, "bundle"), key)
    assert (done.holder, done.roles) == ("kepala-dinsos", ("targets",))


def test_every_holder_of_the_office_is_named_in_the_bundle(
    office: Path, province: Province
) -> None:
    bundle = read_bundle(prepared(office, province), "bundle").bundle
    ring = KeyRing(office / "keys")
    assert len(bundle.holders) == 3 + 3 + 2 + 2
    assert {h.holder for h in bundle.holders if h.role == "decree"} == set(ring.public(DECREE))
