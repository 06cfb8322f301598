"""The palette can be read, and every word of the page comes from the catalogues."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from ledger.look import CONTENT_TYPES, look_file
from terminal.web.page import STATIC_NAMES, static_file
from terminal.words import catalogue

WEB = files("terminal.web")
BASE = files("ledger.look").joinpath("base.css").read_text(encoding="utf-8")
TEMPLATES = sorted(p.name for p in WEB.joinpath("templates").iterdir())
SCRIPTS = [name for name in STATIC_NAMES if name.endswith(".js")]
READABLE = 4.5
# What may stand in a template as it is: labels of keys, and signs.
LABELS = re.compile(r"F\d{1,2}|[·\s]|&nbsp;")
COLOURS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", BASE))


@pytest.mark.parametrize("tone", ["green", "amber", "red", "black", "purple", "grey"])
def test_text_on_each_verdict_is_readable(tone: str) -> None:
    assert contrast(COLOURS[f"on-{tone}"], COLOURS[tone]) >= READABLE


@pytest.mark.parametrize("colour", ["ink", "soft", "sync"])
def test_text_on_paper_is_readable(colour: str) -> None:
    assert contrast(COLOURS[colour], COLOURS["paper"]) >= READABLE


def test_text_on_a_samples_stripes_is_readable() -> None:
    css = WEB.joinpath("static", "verdict.css").read_text(encoding="utf-8")
    (stripe,) = re.findall(r"repeating-linear-gradient\(135deg, (#[0-9a-f]{6})", css)
    assert contrast(COLOURS["on-purple"], stripe) >= READABLE


def test_verdicts_are_the_colours_that_were_agreed() -> None:
    agreed = {
        "green": "#0b6b2e", "amber": "#ffc400", "red": "#b00020", "black": "#111111",
        "purple": "#4a148c", "grey": "#455a64", "sync": "#0b3d91",
    }  # fmt: skip
    assert {name: COLOURS[name] for name in agreed} == agreed


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_has_no_word_of_its_own(name: str) -> None:
    source = WEB.joinpath("templates", name).read_text(encoding="utf-8")
    assert own_words(source) == []


def test_planted_words_are_found() -> None:
    assert own_words("<p>{{ w.say('x') }} Serahkan</p>") == ["Serahkan"]
    assert own_words('<button aria-label="Give"></button>') == ["Give"]
    assert own_words("{# a remark #}<kbd>F12</kbd> · {{ x }}") == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_has_no_sentence_of_its_own(name: str) -> None:
    source = WEB.joinpath("static", name).read_text(encoding="utf-8")
    code = re.sub(r"^\s*//.*$|(?<=[;,{ ])// .*$", "", source, flags=re.MULTILINE)
    literals = re.findall(r'"([^"\n]*)"|`([^`\n]*)`', code)
    sentences = [a or b for a, b in literals if re.search(r"[A-Za-z]{2,} [a-z]{2,}", a or b)]
    assert [text for text in sentences if "[" not in text] == []


def test_every_key_the_page_says_is_in_both_catalogues() -> None:
    sources = [
        *(WEB.joinpath("templates", name).read_text(encoding="utf-8") for name in TEMPLATES),
        *(WEB.joinpath("static", name).read_text(encoding="utf-8") for name in SCRIPTS),
        *(p.read_text(encoding="utf-8") for p in WEB.iterdir() if p.name.endswith(".py")),
    ]
    keys = set(
        re.findall(r'"((?!http)(?:status|[a-z]{1,5})\.[a-z][a-z_0-9]*)"', "\n".join(sources))
    )
    keys = {key for key in keys if not key.endswith((".py", ".js", ".css", ".html"))}
    assert len(keys) > 60
    for language in ("id", "en"):
        texts = catalogue(language)
        assert {key for key in keys if texts.gettext(key) == key} == set()


def test_listed_files_are_there_and_no_others() -> None:
    there = {path.name for path in WEB.joinpath("static").iterdir()}
    assert there == set(STATIC_NAMES)
    assert all(static_file(name) for name in STATIC_NAMES)
    assert all(look_file(name) for name in CONTENT_TYPES)
    assert look_file("../errors.py") is None
    assert static_file("../app.py") is None


def test_the_font_is_shipped_with_its_licence() -> None:
    font = look_file("atkinson-hyperlegible-next.woff2")
    licence = look_file("atkinson-hyperlegible-next.LICENSE.txt")
    assert font is not None
    assert font.data.startswith(b"wOF2")
    assert licence is not None
    assert b"SIL OPEN FONT LICENSE Version 1.1" in licence.data


def own_words(source: str) -> list[str]:
    """Words a reader would see that stand in the template itself."""
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.DOTALL)
    shown = re.findall(r'(?:alt|title|aria-label|placeholder|value)="([^"]*)"', source)
    shown += re.split(r"<[^>]*>", source)
    return [word for text in shown for word in LABELS.sub(" ", text).split()]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two sRGB colours."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
