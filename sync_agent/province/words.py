"""What the desk says, in Bahasa Indonesia and English. Times are WIB (UTC+7, no summer time).

The catalogues are ``locale/<language>/LC_MESSAGES/desk.po``; their msgids are keys.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Literal

from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

Language = Literal["id", "en"]
LANGUAGES: tuple[Language, ...] = ("id", "en")
WIB = timezone(timedelta(hours=7), "WIB")

_BABEL: dict[Language, str] = {"id": "id_ID", "en": "en_GB"}


class Words:
    """One language's words. A key that is not in the catalogue is a defect: ``KeyError``."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._locale = _BABEL[language]
        self._texts = catalogue(language)

    @property
    def other(self) -> Language:
        """The language the page can be switched to."""
        return "en" if self.language == "id" else "id"

    def say(self, key: str, **values: object) -> str:
        """The text of a key with its values.

        Raises:
            KeyError: no such key, or a placeholder has no value.
        """
        return self._texts[key].format_map(values)

    def reason(self, code: str) -> str:
        """Why something was refused; the code itself where a newer terminal knows one more."""
        return self._texts.get(f"why.{code}", code)

    def number(self, value: int) -> str:
        """``6.180`` in Indonesian; ``6,180`` in English."""
        return format_decimal(value, "#,##0", locale=self._locale)

    def money(self, rupiah: int) -> str:
        """``Rp15.000``; the same in both languages, as it stands on paper."""
        return "Rp" + format_decimal(rupiah, "#,##0", locale="id_ID")

    def when(self, at: int) -> str:
        """``4 Feb 2026 09.12 WIB``; ``at`` in Unix seconds."""
        local = at_wib(at)
        day = format_date(local, "d MMM y", locale=self._locale)
        return self.say("desk.when", day=day, time=f"{local:%H.%M}")


@cache
def words(language: Language) -> Words:
    """The words of a language, read once."""
    return Words(language)


def catalogue(language: Language) -> dict[str, str]:
    """Key to text."""
    path = files("sync_agent.province").joinpath("locale", language, "LC_MESSAGES", "desk.po")
    read = read_po(io.BytesIO(path.read_bytes()), locale=_BABEL[language], abort_invalid=True)
    return {str(m.id): str(m.string) for m in read if m.id and m.string}


def at_wib(at: int) -> datetime:
    """A time in Unix seconds as the clocks of Central Kalimantan show it."""
    return datetime.fromtimestamp(at, UTC).astimezone(WIB)
