from pathlib import Path

import pytest

from card_codec.credential import VerifiedCredential, hear_text
from card_codec.trust import decode_trust_list
from terminal.init import make_keys
from tests.unit.provisioning.command import Run, report
from tests.unit.provisioning.played import KEC_1, KEC_2, Province


def test_office_goes_from_nothing_to_a_card_that_verifies(
    run: Run, province: Province, tmp_path: Path
) -> None:
    office, public = tmp_path / "office", province.public
    made = report(run("demo", "--households", 30, "--kecamatan", 2, "--dir", office, "--json"))
    assert made == {
        "office": str(office),
        "households": 30,
        "kecamatan": [KEC_1, KEC_2],
        "points": made["points"],
    }
    assert len(made["points"]) == 2
    first = report(run("publish", "--office", office, "--province", public, "--json"))
    assert (first["targets"], first["terminals"]) == (1, 0)
    make_keys(tmp_path / "counter1")
    enrolled = report(
        run(
            *("enrol", "--office", office, "--terminal", tmp_path / "counter1"),
            *("--name", "Loket 1", "--point", "Balai Desa", "--home", KEC_1),
            *("--holds", KEC_1, "--holds", KEC_2, "--away", 5),
            *("--province-url", "http://127.0.0.1:1", "--officer", "BR", "--json"),
        )
    )
    assert enrolled["ordinal"] == 1
    assert Path(enrolled["config"]) == tmp_path / "counter1" / "terminal.toml"
    again = report(run("publish", "--office", office, "--json"))
    assert (again["targets"], again["terminals"]) == (2, 1)
    assert Path(again["release"]) == office / "release"
    (household,) = report(run("households", "--office", office, "--limit", 1, "--json"))
    card = report(
        run(
            *("card", "--office", office, "--household", household["household"]),
            *("--out", tmp_path / "cards", "--json"),
        )
    )
    assert card["name"] == household["name"]
    assert card["card"] == household["household"] + "01"
    assert Path(card["image"]).is_file()
    trust = report(run("trust", "--office", office, "--out", tmp_path / "trust.khb", "--json"))
    assert trust["keys"] == 4
    trusted = decode_trust_list((tmp_path / "trust.khb").read_bytes())
    assert isinstance(hear_text(card["text"], trusted), VerifiedCredential)


def test_terminal_is_enrolled_anew_and_shut_out(
    run: Run, office: Path, province: Province, tmp_path: Path
) -> None:
    report(run("publish", "--office", office, "--province", province.public, "--json"))
    enrol = (
        *("enrol", "--office", office, "--name", "Loket 1", "--point", "Balai Desa"),
        *("--home", KEC_1, "--province-url", "http://127.0.0.1:1", "--terminal"),
    )
    for name, words, place in (("old", (), (1, 1)), ("new", ("--again", 1), (1, 2))):
        make_keys(tmp_path / name)
        done = report(run(*enrol, tmp_path / name, *words, "--json"))
        assert (done["ordinal"], done["epoch"]) == place
    shut = ("shut-out", "--office", office, "--terminal", "T001")
    assert report(run(*shut, "--json")) == {"terminal": "T001", "new": True}
    assert run(*shut)[1] == "T001 was shut out already; nothing was changed\n"


def test_keys_names_holders_thresholds_and_who_is_away(run: Run, office: Path) -> None:
    (office / "keys/root/inspektorat.pem").unlink()
    listed = report(run("keys", "--office", office, "--json"))
    assert {role["role"]: (role["threshold"], len(role["holders"])) for role in listed} == {
        "root": (2, 3),
        "decree": (2, 3),
        "issuer": (1, 1),
        "verdict": (1, 1),
        f"changes-{KEC_1}": (2, 2),
        f"changes-{KEC_2}": (2, 2),
    }
    here = {h["holder"]: h["here"] for h in listed[0]["holders"]}
    assert here == {"dinsos": True, "diskominfosantik": True, "inspektorat": False}
    code, out, _ = run("keys", "--office", office)
    assert code == 0
    assert "root: 2 of 3: dinsos, diskominfosantik, inspektorat (away)" in out


def test_households_say_what_each_is_owed(run: Run, office: Path) -> None:
    listed = report(run("households", "--office", office, "--json"))
    assert len(listed) == 40
    for household in listed:
        assert household.keys() == {
            *("household", "name", "desa", "desa_name", "kecamatan", "issue", "class", "chip"),
            *("members", "programmes"),
        }
        assert household["name"] == household["members"][0]["name"]
        assert household["kecamatan"] == household["desa"][:6]
        owed = {p["id"]: p["quantity"] for p in household["programmes"]}
        assert (
            owed
            == {
                1: {"pangan": 1, "pasar-murah": 1},
                2: {"pangan": 2, "pasar-murah": 1},
                3: {"pasar-murah": 1},
            }[household["class"]]
        )
    persons = [p for h in listed for m in h["members"] for p in m["programmes"]]
    visit = {"id": "klinik", "window": 1, "quantity": 6, "unit": "kunjungan"}
    assert visit in persons
    desa = listed[-1]["desa"]
    some = report(run("households", "--office", office, "--desa", desa, "--json"))
    assert some == [h for h in listed if h["desa"] == desa]


def test_seed_fixes_what_is_listed(run: Run, tmp_path: Path) -> None:
    listings = []
    for name in ("a", "b"):
        report(run("demo", "--households", 20, "--seed", 9, "--dir", tmp_path / name, "--json"))
        listings.append(report(run("households", "--office", tmp_path / name, "--json")))
    assert listings[0] == listings[1]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "Missing command"),
        (("mint",), 2, "No such command 'mint'"),
        (("publish",), 2, "Missing option '--office'"),
        (("publish", "--office", "nowhere"), 2, "is not an office"),
        (("keys", "--office", "{office}", "--colour"), 2, "No such option"),
        (("publish", "--office", "{office}"), 2, "give its public.json with --province"),
        (
            ("publish", "--office", "{office}", "--province", "{office}/nothing.json"),
            2,
            "cannot be read",
        ),
        (("demo", "--dir", "{office}"), 1, "is not empty"),
        (("demo", "--dir", "{office}/new", "--kecamatan", "many"), 2, "--kecamatan"),
        (("card", "--office", "{office}", "--out", "{office}/c"), 2, "no household is named"),
        (
            ("card", "--office", "{office}", "--out", "{office}/c", "--household", "zz"),
            2,
            "16 hexadecimal digits",
        ),
        (
            (*("card", "--office", "{office}", "--out", "{office}/c"), "--household", "0" * 16),
            1,
            "not in the roster",
        ),
        (
            ("card", "--office", "{office}", "--out", "{office}/c", "--kind", "gold"),
            2,
            "--kind",
        ),
        (("shut-out", "--office", "{office}", "--terminal", "loket"), 2, "is no terminal"),
        (("shut-out", "--office", "{office}", "--terminal", "T009"), 1, "no terminal T009"),
        (("households", "--office", "{office}", "--desa", "1"), 1, "does not list desa 1"),
        (("trust", "--office", "{office}", "--out", "{office}/keys"), 1, "cannot write"),
    ],
)
def test_wrong_use_is_one_sentence(
    run: Run, office: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    ended, out, err = run(*(word.format(office=office) for word in words))
    assert (ended, out) == (code, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert "Traceback" not in err
