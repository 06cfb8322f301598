"""The two catalogues say the same things, and every reason has its words."""

import re
from importlib.resources import files

import pytest
from babel.messages.pofile import read_po

from card_codec.reason import rows
from terminal.words import LANGUAGES, PLAIN, Language, Words, placeholders, words

# 4 February 2026, 09.41 WIB
AT = 1_770_172_860


def catalogue_texts(language: Language) -> dict[str, str]:
    path = files("terminal").joinpath("locale", language, "LC_MESSAGES", "terminal.po")
    with path.open("rb") as file:
        messages = read_po(file, abort_invalid=True)
    return {str(m.id): str(m.string) for m in messages if m.id}


TEXTS = {language: catalogue_texts(language) for language in LANGUAGES}


def test_both_languages_have_the_same_keys() -> None:
    assert TEXTS["id"].keys() == TEXTS["en"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_fuzzy(language: Language) -> None:
    assert [key for key, text in TEXTS[language].items() if not text.strip()] == []


def test_both_languages_name_the_same_facts() -> None:
    differing = [
        key
        for key, text in TEXTS["id"].items()
        if placeholders(text) != placeholders(TEXTS["en"][key])
    ]
    assert differing == []


def test_every_reason_has_its_three_texts() -> None:
    keys = {
        key
        for row in rows().values()
        for key in (row.status_key, row.sentence_key, row.explain_key)
    }
    assert keys - TEXTS["id"].keys() == set()


def test_every_sentence_ends_with_the_number_of_its_reason() -> None:
    for row in rows().values():
        for language in LANGUAGES:
            for key in (row.sentence_key, row.sentence_key + PLAIN):
                text = TEXTS[language].get(key)
                assert text is None or text.endswith(f"[{row.hb}]"), key


def test_no_message_number_is_given_to_two_sentences() -> None:
    numbers: dict[str, set[str]] = {}
    for key, text in TEXTS["id"].items():
        for number in re.findall(r"\[(HB-\d\d)\]", text):
            numbers.setdefault(number, set()).add(key.removesuffix(PLAIN))
    assert {number: keys for number, keys in numbers.items() if len(keys) > 1} == {}


def test_every_reason_can_be_said_when_no_fact_is_known() -> None:
    for language in LANGUAGES:
        for row in rows().values():
            words(language).known(row.sentence_key)
            words(language).known(row.explain_key)


def test_batal_alone_means_leaving_a_screen() -> None:
    assert [key for key, text in TEXTS["id"].items() if text.strip().lower() == "batal"] == [
        "b.cancel"
    ]


def test_officer_is_never_the_word_for_the_data_controller() -> None:
    assert "Petugas: {opd}" not in TEXTS["id"]["w.privacy"]
    assert "Pengendali data: {opd}" in TEXTS["id"]["w.privacy"]


def test_hb_numbers_are_the_only_labels_that_begin_with_hb() -> None:
    assert [key for key, text in TEXTS["id"].items() if re.search(r"HB-(?!\d\d\])", text)] == []


def test_an_unknown_key_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Words("id").say("no.such.key")


def test_a_missing_fact_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Words("id").say("v.pays")


def test_a_known_fact_is_said_and_an_unknown_one_left_out() -> None:
    told = Words("id").known("e.taken", d="4 Feb", t="09.12", place="Balai Desa")
    assert told.startswith("Sudah diambil 4 Feb 09.12 di Balai Desa.")
    assert (
        Words("id")
        .known("e.taken", d="4 Feb", t="09.12", place=None)
        .startswith("Sudah diambil. Kalau warga")
    )


def test_values_are_escaped_and_bold_in_rich_text() -> None:
    told = Words("id").rich("v.where", place='<img src=x onerror="y">')
    assert told == "di <b>&lt;img src=x onerror=&#34;y&#34;&gt;</b>"


@pytest.mark.parametrize(
    ("rupiah", "text"),
    [(0, "Rp0"), (15_000, "Rp15.000"), (6_180_000, "Rp6.180.000"), (-500, "-Rp500")],
)
def test_money_is_written_as_on_paper_in_both_languages(rupiah: int, text: str) -> None:
    assert [words(language).money(rupiah) for language in LANGUAGES] == [text, text]


def test_dates_and_times_are_those_of_the_counter() -> None:
    indonesian, english = words("id"), words("en")
    assert indonesian.date(AT) == "Rabu, 4 Februari 2026"
    assert english.date(AT) == "Wednesday, 4 February 2026"
    assert indonesian.time(AT) == "09.41 WIB"
    assert indonesian.weekday(AT) == "Rabu 4 Feb"
    assert indonesian.stamp(AT) == "04/02/2026 09.41 WIB"
    assert indonesian.short_day(AT) == "04 Feb"
    assert indonesian.when(AT, now=AT + 60) == "hari ini pukul 09.41"
    assert indonesian.when(AT, now=AT + 86_400) == "Rabu 4 Feb pukul 09.41"


def test_midnight_is_that_of_wib() -> None:
    # 4 February 2026 16.59.59 UTC is 23.59.59 at the counter.
    assert words("id").day(1_770_224_399) == "4 Feb 2026"
    assert words("id").day(1_770_224_400) == "5 Feb 2026"


def test_numbers_follow_the_language() -> None:
    assert words("id").number(6180) == "6.180"
    assert words("en").number(6180) == "6,180"
    assert words("id").number(5.2) == "5,2"
