"""Other programs' pages, opened as a browser would: the token once, then the cookie."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import Any

TIMEOUT_SECONDS = 5
ANSWER_MAX = 4 * 1024 * 1024


class Page:
    """One page on loopback, held open by its cookie."""

    def __init__(self, url: str) -> None:
        """Remember the address with its token; nothing is asked yet."""
        self.url = url
        parts = urllib.parse.urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._entry = f"{parts.path or '/'}?{parts.query}"
        self._cookie = ""

    def get(self, path: str) -> dict[str, Any]:
        """Ask for JSON; empty when the page does not answer."""
        try:
            if not self._cookie:
                self._cookie = self._ask(self._entry)[1]
            status, _, body = self._ask(path)
            found = json.loads(body) if status == 200 else {}
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _ask(self, path: str) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            headers = {"Cookie": self._cookie} if self._cookie else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            set_cookies = answer.headers.get_all("Set-Cookie") or []
            cookies = "; ".join(one.partition(";")[0] for one in set_cookies)
            return answer.status, cookies, answer.read(ANSWER_MAX)
        finally:
            connection.close()
