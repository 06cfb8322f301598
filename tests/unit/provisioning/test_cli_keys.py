"""The commands that keep keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from card_codec.keys import PrivateKey, PublicKey
from tests.unit.provisioning.command import Run, report
from tests.unit.provisioning.played import KEC_1, Province, publish_office
from tests.unit.provisioning.test_publish import files_of


def test_new_keys_are_told_by_their_short_names(run: Run, office: Path) -> None:
    before = {r["role"]: r["holders"] for r in report(run("keys", "--office", office, "--json"))}
    done = report(
        run("rotate", "--office", office, "--role", "kecamatan", "--kecamatan", KEC_1,
            "--holder", "camat", "--json")
    )  # fmt: skip
    after = {r["role"]: r["holders"] for r in report(run("keys", "--office", office, "--json"))}
    role = f"changes-{KEC_1}"
    assert done["role"] == role
    (one,) = done["rotated"]
    assert (one["holder"], one["before"]) == ("camat", before[role][0]["kid"])
    assert one["now"] == after[role][0]["kid"] != one["before"]
    assert {r: h for r, h in before.items() if r != role} == {
        r: h for r, h in after.items() if r != role
    }


def test_all_holders_of_a_role_get_new_keys_unless_one_is_named(run: Run, office: Path) -> None:
    code, out, _ = run("rotate", "--office", office, "--role", "decree")
    assert (code, out) == (0, "decree: 3 new keys; publish to let them count\n")


def test_key_is_made_elsewhere_and_only_its_public_half_comes(
    run: Run, office: Path, tmp_path: Path
) -> None:
    out = tmp_path / "biro.pem"
    made = report(run("key", "--out", out, "--json"))
    assert out.stat().st_mode & 0o777 == 0o600
    public = PublicKey.from_pem((tmp_path / "biro.pub").read_bytes())
    assert PrivateKey.from_pem(out.read_bytes()).public == public
    assert made["kid"] == public.kid.hex()
    done = report(
        run("rotate", "--office", office, "--role", "decree", "--holder", "biro-hukum", "--public",
            tmp_path / "biro.pub", "--json")
    )  # fmt: skip
    assert done["rotated"][0]["now"] == public.kid.hex()
    listed = {r["role"]: r["holders"] for r in report(run("keys", "--office", office, "--json"))}
    assert [h["here"] for h in listed["decree"]] == [True, False, True]
    code, _, err = run("key", "--out", out)
    assert code == 1
    assert "is there already; no key is ever overwritten" in err


def test_stolen_issuer_says_how_many_cards_are_to_be_made_anew(
    run: Run, office: Path, province: Province, tmp_path: Path
) -> None:
    publish_office(office, province)
    homes = report(run("households", "--office", office, "--limit", 2, "--json"))
    for home in homes:
        report(run("card", "--office", office, "--household", home["household"], "--out", tmp_path,
                   "--json"))  # fmt: skip
    done = report(run("rotate", "--office", office, "--role", "issuer", "--stolen", "--json"))
    assert done["cards"] == 2
    done = report(run("rotate", "--office", office, "--role", "verdict", "--stolen", "--json"))
    assert (done["role"], done["cards"], len(done["rotated"])) == ("verdict", 0, 1)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--role", "kecamatan"], 2, "--kecamatan goes with --role kecamatan"),
        (["--role", "root", "--kecamatan", KEC_1], 2, "--kecamatan goes with --role kecamatan"),
        (["--role", "kecamatan", "--kecamatan", "629909"], 1, "does not serve kecamatan 629909"),
        (["--role", "root", "--stolen"], 2, "--stolen is for an issuer"),
        (["--role", "root", "--public", "x.pub"], 2, "--public is one holder's key"),
        (["--role", "root", "--holder", "camat"], 2, "'camat' holds no key of root"),
        (["--role", "root", "--holder", "dinsos", "--public", "none.pub"], 1, "cannot be read"),
        (["--role", "root", "--holder", "dinsos", "--public", "office.toml"], 1, "check --public"),
    ],
)
def test_wrong_rotation_is_one_sentence_and_changes_nothing(
    run: Run, office: Path, words: list[str], code: int, told: str
) -> None:
    before = files_of(office)
    filled = [str(office / w) if w.endswith((".pub", ".toml")) else w for w in words]
    ended, out, err = run("rotate", "--office", office, *filled)
    assert (ended, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1
    assert files_of(office) == before


def test_stolen_online_key_that_is_still_in_use_is_one_sentence(
    run: Run, office: Path, province: Province
) -> None:
    publish_office(office, province)
    code, out, err = run("publish", "--office", office, "--online-stolen")
    assert (code, out) == (1, "")
    assert "is still the stolen one" in err


def test_rotated_province_is_published_by_its_new_public_file(
    run: Run, office: Path, province: Province
) -> None:
    publish_office(office, province)
    new = Province(province.folder)
    done = report(
        run("publish", "--office", office, "--province", new.public, "--online-stolen", "--json")
    )
    assert done["root"] == 2
    root = json.loads((office / "release/metadata/2.root.json").read_bytes())["signed"]
    assert root["x-khb-online-stolen"] is True
