"""How programmes and quantities are said, in the language of the screen."""

from __future__ import annotations

from ledger import policy
from terminal.counter import Approved
from terminal.words import Words


def in_language(text: policy.Words, words: Words) -> str:
    """One of the two texts that the policy holds."""
    return text.id if words.language == "id" else text.en


def given(approved: Approved, words: Words) -> str:
    """``1 paket``."""
    unit = in_language(approved.programme.unit, words)
    return words.say("v.units", n=words.number(approved.quantity), unit=unit)
