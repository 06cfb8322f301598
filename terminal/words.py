"""What the counter says, in Bahasa Indonesia and English: sentences, money, dates and times.

The catalogues are ``locale/<language>/LC_MESSAGES/terminal.po``; their msgids are keys. They are
compiled in memory, so that nothing generated is kept. Times are WIB (UTC+7, no summer time).
"""

from __future__ import annotations

import io
import string
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from gettext import GNUTranslations
from importlib.resources import files
from typing import Literal

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from markupsafe import Markup

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = ("id", "en")
PLAIN = ".plain"
"""Ending of the key that is said where a fact of the full sentence is not known."""
WIB = timezone(timedelta(hours=7), "WIB")

_BABEL: dict[Language, str] = {"id": "id_ID", "en": "en_GB"}


class Words:
    """One language's words. A key that is not in the catalogue is a defect: `KeyError`."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._locale = _BABEL[language]
        self._catalogue = catalogue(language)

    def say(self, key: str, **values: object) -> str:
        """The text of a key with its values.

        Raises:
            KeyError: no such key, or a placeholder has no value.
        """
        return self._text(key).format_map(values)

    def rich(self, key: str, **values: object) -> Markup:
        """The same as HTML, escaped, its values bold."""
        bold = {name: Markup("<b>{}</b>").format(value) for name, value in values.items()}
        return Markup(Markup.escape(self._text(key)).format_map(bold))  # noqa: S704 - escaped above

    def known(self, key: str, **values: object | None) -> str:
        """The text of a key if every fact it names is known, else that of ``key.plain``."""
        wanted = placeholders(self._text(key))
        if all(values.get(name) is not None for name in wanted):
            return self.say(key, **values)
        return self.say(key + PLAIN)

    def money(self, rupiah: int) -> str:
        """``Rp15.000``; the same in both languages, as it stands on paper."""
        return format_currency(
            rupiah, "IDR", "¤#,##0;-¤#,##0", locale="id_ID", currency_digits=False
        )

    def number(self, value: float) -> str:
        """``6.180`` or ``5,2`` in Indonesian; ``6,180`` or ``5.2`` in English."""
        return format_decimal(value, "#,##0.#", locale=self._locale)

    def date(self, at: int) -> str:
        """``Rabu, 4 Februari 2026``; `at` in unix seconds."""
        return format_date(_local(at), "EEEE, d MMMM y", locale=self._locale)

    def day(self, at: int) -> str:
        """``20 Feb 2026``."""
        return format_date(_local(at), "d MMM y", locale=self._locale)

    def weekday(self, at: int) -> str:
        """``Rabu 4 Feb``."""
        return format_date(_local(at), "EEEE d MMM", locale=self._locale)

    def short_day(self, at: int) -> str:
        """``03 Feb``."""
        return format_date(_local(at), "dd MMM", locale=self._locale)

    def time(self, at: int) -> str:
        """``09.41 WIB``."""
        return f"{self.clock(at)} WIB"

    def stamp(self, at: int) -> str:
        """``20/02/2026 14.05 WIB``, as a slip has it."""
        return f"{_local(at):%d/%m/%Y} {self.time(at)}"

    def clock(self, at: int) -> str:
        """``09.41``."""
        return f"{_local(at):%H.%M}"

    def when(self, at: int, *, now: int) -> str:
        """``hari ini pukul 09.12``, else ``Rabu 4 Feb pukul 09.12``."""
        today = _local(at).date() == _local(now).date()
        day = self.say("v.today") if today else self.weekday(at)
        return self.say("v.when", d=day, t=self.clock(at))

    def _text(self, key: str) -> str:
        text = self._catalogue.gettext(key)
        if text == key:
            raise KeyError(f"the {self.language} catalogue has no {key!r}")
        return text


@cache
def words(language: Language) -> Words:
    """The words of a language, read once."""
    return Words(language)


def catalogue(language: Language) -> GNUTranslations:
    """Compile a language's catalogue in memory."""
    path = files("terminal").joinpath("locale", language, "LC_MESSAGES", "terminal.po")
    messages = read_po(io.BytesIO(path.read_bytes()), locale=_BABEL[language], abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return GNUTranslations(compiled)


def placeholders(text: str) -> frozenset[str]:
    """Names of the values a text asks for."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


def local_day(at: int) -> date:
    """The day at the counter (WIB) of a time in unix seconds."""
    return _local(at).date()


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(WIB)
