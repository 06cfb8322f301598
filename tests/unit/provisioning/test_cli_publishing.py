"""The commands that publish, as a person or a script calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.office import open_office
from tests.unit.provisioning.command import Run, report
from tests.unit.provisioning.played import KEC_1, NOW, Province, publish_office
from tests.unit.provisioning.test_publish import files_of


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))


@pytest.fixture
def home(office: Path, province: Province) -> str:
    """A household of the first kecamatan, published."""
    publish_office(office, province)
    with open_office(office) as opened:
        return next(opened.roster.households()).id.hex()


def test_changes_are_published_by_one_command(run: Run, office: Path, home: str) -> None:
    done = report(
        run("change", "--office", office, "--kecamatan", KEC_1, "--replace", home, "--json")
    )
    assert done == {
        "release": str(office / "release"), "kecamatan": KEC_1, "changes": 1, "version": 2
    }  # fmt: skip
    again = report(run("change", "--office", office, "--kecamatan", KEC_1, "--json"))
    assert (again["changes"], again["version"]) == (1, 3)
    code, out, _ = run(
        "change", "--office", office, "--kecamatan", KEC_1, "--remove", f"{home}=deceased",
        "--clear", f"{home}=1",
    )  # fmt: skip
    assert (code, out) == (
        0, f"Changes 2 of {KEC_1} signed, role 4: {office / 'release'}\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--move", "{home}"], 2, "is not HOUSEHOLD=VALUE; see --help"),
        (["--replace", "mawar"], 2, "is not a household's id; give 16 hexadecimal digits"),
        (["--lower", "{home}=many"], 1, "'many' is no number from 1 to 255"),
        (["--remove", "{home}=gone"], 1, "is no state"),
        (["--kecamatan", "629909"], 1, "does not serve kecamatan 629909"),
    ],
)
def test_wrong_change_is_one_sentence_and_changes_nothing(
    *, run: Run, office: Path, home: str, words: list[str], code: int, told: str
) -> None:
    before = files_of(office)
    filled = [word.replace("{home}", home) for word in words]
    ended, out, err = run("change", "--office", office, "--kecamatan", KEC_1, *filled)
    assert (ended, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1
    assert files_of(office) == before


def test_bundle_goes_from_hand_to_hand(run: Run, office: Path, home: str, tmp_path: Path) -> None:
    bundle, copy = tmp_path / "changes.khb-sign", tmp_path / "camat.khb-sign"
    made = report(
        run("prepare", "--office", office, "--kecamatan", KEC_1, "--replace", home, "--out", bundle,
            "--json")
    )  # fmt: skip
    assert made["bundle"] == str(bundle)
    assert made["needs"] == [
        {"role": f"changes-{KEC_1}", "threshold": 2, "signed": [],
         "waits": [f"camat of {KEC_1}", f"kasi-kesra of {KEC_1}"]}
    ]  # fmt: skip
    shown = report(run("show", bundle, "--json"))
    assert (shown["fingerprint"], shown["summary"]) == (made["fingerprint"], made["summary"])
    keys = office / "keys" / "kecamatan" / KEC_1
    one = report(run("sign", bundle, "--key", keys / "camat.pem", "--out", copy, "--json"))
    assert (one["holder"], one["signed"]) == (f"camat of {KEC_1}", [f"changes-{KEC_1}"])
    code, out, err = run("assemble", "--office", office, copy)
    assert (code, out) == (1, "")
    assert err == (f"changes-{KEC_1} has 1 of 2 signatures; still missing: kasi-kesra of {KEC_1}\n")
    code, out, _ = run("sign", bundle, "--key", keys / "kasi-kesra.pem")
    assert code == 0
    assert f"Fingerprint: {made['fingerprint']}" in out
    assert f"changes-{KEC_1} waits for 1 of: camat of {KEC_1}" in out
    done = report(run("assemble", "--office", office, bundle, copy, "--json"))
    assert done == {
        "release": str(office / "release"), "roles": {f"changes-{KEC_1}": 2},
        "fingerprint": made["fingerprint"],
    }  # fmt: skip


def test_decree_is_prepared_and_told_in_words(
    run: Run, office: Path, province: Province, tmp_path: Path
) -> None:
    code, out, err = run(
        "prepare", "--office", office, "--province", province.public, "--out", tmp_path / "decree"
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Decree 1, of 2026-09-21 21:13 WIB"
    assert "root waits for 2 of: dinsos, diskominfosantik, inspektorat" in lines
    assert lines[-1] == str(tmp_path / "decree")
    assert not (office / "release").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "{bundle}"], "is not a signing bundle"),
        (["sign", "{bundle}", "--key", "{key}"], "is not a signing bundle"),
        (["assemble", "{bundle}", "--office", "{office}"], "is not a signing bundle"),
        (["show", "{office}/none"], "No such file or directory; check it and repeat"),
    ],
)
def test_what_is_no_bundle_is_one_sentence(
    *, run: Run, office: Path, home: str, tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "bundle").write_bytes(b"anything")
    places = {"bundle": tmp_path / "bundle", "key": tmp_path / "key", "office": office}
    code, out, err = run(*(word.format(**places) for word in words))
    assert (code, out) == (1, "")
    assert told in err
    assert err.count("\n") == 1


def test_key_that_cannot_be_read_is_one_sentence(
    run: Run, office: Path, home: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    report(run("prepare", "--office", office, "--out", bundle, "--json"))
    before = bundle.read_bytes()
    for key, told in ((tmp_path / "none", "cannot be read"), (bundle, "check --key")):
        code, _, err = run("sign", bundle, "--key", key)
        assert code == 1
        assert told in err
        assert err.count("\n") == 1
    assert bundle.read_bytes() == before


def test_change_without_its_kecamatan_is_wrong_use(
    run: Run, office: Path, home: str, tmp_path: Path
) -> None:
    code, _, err = run("prepare", "--office", office, "--replace", home, "--out", tmp_path / "b")
    assert code == 2
    assert "name the kecamatan" in err
    assert not (tmp_path / "b").exists()
