"""The desk's catalogues say the same things, and every key the pages use is in them."""

import re
from importlib.resources import files

import pytest

from card_codec.reason import Reason
from ledger.mac_verdict import Finding
from sync_agent.province.cases import Why
from sync_agent.province.evidence import ChainKind
from sync_agent.province.mac_verdicts import MacCaseKind
from sync_agent.province.pendings import Fate
from sync_agent.province.words import LANGUAGES, catalogue, words
from terminal.words import Words as Slip

FILE_ENDINGS = (".css", ".js", ".html", ".po")
PLACE = re.compile(r"\{(\w+)\}")


def used_keys() -> set[str]:
    """Every key that stands in quotes in the pages, and those of the reasons of a winner."""
    package = files("sync_agent.province")
    sources = [package.joinpath("pages.py"), package.joinpath("words.py")]
    sources += list(package.joinpath("templates").iterdir())
    texts = (source.read_text(encoding="utf-8") for source in sources)
    quoted = {key for text in texts for key in re.findall(r"\"(desk\.[a-z_.]+)\"", text)}
    made = {f"desk.why.{why}" for why in Why} | {f"desk.chain.{kind}" for kind in ChainKind}
    made |= {f"desk.fate.{fate}" for fate in Fate} | {f"desk.{kind}" for kind in MacCaseKind}
    made |= {f"desk.mac.{finding.name.lower()}" for finding in Finding} | {"desk.mac.none"}
    made |= {f"why.{reason}" for reason in Reason}
    return {k for k in quoted if not k.endswith(FILE_ENDINGS)} | made


def test_both_languages_have_the_same_keys_and_places() -> None:
    one, two = (catalogue(language) for language in LANGUAGES)
    assert one.keys() == two.keys()
    for key in one:
        assert set(PLACE.findall(one[key])) == set(PLACE.findall(two[key])), key


def test_every_key_used_is_there_and_every_key_there_is_used() -> None:
    assert used_keys() == set(catalogue("id"))


def test_times_are_those_of_central_kalimantan() -> None:
    at = 1_770_178_320  # 2026-02-04 04:12 UTC
    assert words("id").when(at) == "4 Feb 2026 11.12 WIB"
    assert words("en").when(at) == "4 Feb 2026 11.12 WIB"


def test_numbers_and_money_are_written_as_the_language_does() -> None:
    assert words("id").number(6180) == "6.180"
    assert words("en").number(6180) == "6,180"
    assert {words(language).money(15_000) for language in LANGUAGES} == {"Rp15.000"}


def test_unknown_key_is_a_defect() -> None:
    with pytest.raises(KeyError):
        words("id").say("desk.nothing")


def test_reason_is_said_on_the_desk_in_the_words_of_the_familys_slip() -> None:
    for language in LANGUAGES:
        slip = Slip(language)
        assert {r: words(language).reason(r) for r in Reason} == {
            r: slip.say(f"why.{r}") for r in Reason
        }


def test_reason_that_only_a_newer_terminal_knows_is_shown_by_its_code() -> None:
    assert words("en").reason("of_next_year") == "of_next_year"
