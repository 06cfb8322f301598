"""On which line each key of a TOML file stands, so that a fault can be shown where it is.

``tomllib`` does not say. The text has been read by it before, so only well-formed TOML comes here;
what this cannot place is told by the line of the row it is in.
"""

from __future__ import annotations

import re
from collections import Counter

Path = tuple[str | int, ...]
KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(\.?)""")
STRINGS = re.compile(r'"""|' + r"'''" + r'|"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'|#[^\n]*|[\[\]{}]")


class Lines:
    """The line of every key and table, by its path (``("programme", 2, "price")``)."""

    def __init__(self, text: str) -> None:
        self._found: dict[Path, int] = {(): 1}
        self._tables: Counter[Path] = Counter()
        self._at: Path = ()
        number, rest = 0, text.split("\n")
        while rest:
            line, *rest = rest
            number += 1
            self._take(line, number)
            while rest and _is_open(line):
                line += "\n" + rest.pop(0)
                number += 1

    def of(self, path: Path) -> int:
        """The line of a key; of the row it would be in when the key is not there."""
        while path not in self._found:
            path = path[:-1]
        return self._found[path]

    def _take(self, line: str, number: int) -> None:
        head = line.strip()
        if head.startswith("["):
            many = head.startswith("[[")
            self._at = self._table(_keys(head.lstrip("[")), many=many)
            self._found.setdefault(self._at, number)
        elif head and not head.startswith("#"):
            path = self._at
            for key in _keys(head):
                path = (*path, key)
                self._found.setdefault(path, number)

    def _table(self, keys: list[str], *, many: bool) -> Path:
        """The path of a header: of several tables of one name, the newest."""
        path: Path = ()
        for place, key in enumerate(keys, 1):
            path = (*path, key)
            if many and place == len(keys):
                self._tables[path] += 1
            if self._tables[path]:
                path = (*path, self._tables[path] - 1)
        return path


def _keys(text: str) -> list[str]:
    """The dotted key a text begins with."""
    found, at = [], 0
    while match := KEY.match(text, at):
        found.append(next(part for part in match.groups()[:3] if part is not None))
        at = match.end()
        if not match[4]:
            break
    return found


def _is_open(text: str) -> bool:
    """Whether a value goes on in the next line: an array, or a string over several lines."""
    depth, at = 0, 0
    while match := STRINGS.search(text, at):
        at, mark = match.end(), match[0]
        if mark in ('"""', "'''"):
            end = text.find(mark, at)
            if end < 0:
                return True
            at = end + 3
        elif mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
    return depth > 0
