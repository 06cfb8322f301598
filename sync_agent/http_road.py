"""The road by network: HTTP to the province, with a limit on everything.

Redirects are refused and every answer must carry the province's mark, its content type and its
shape: the log-in page of a hotel's network answers 200 to anything, and must change nothing.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from ledger.errors import RecordError
from ledger.record import inflate
from sync_agent.batch import Batch, write_batch
from sync_agent.errors import (
    ForkError,
    MessageError,
    NotOursError,
    RefusedThereError,
    RoadClosedError,
    RoadError,
)
from sync_agent.messages import (
    ANSWER_SIZE_MAX,
    BATCH_TYPE,
    FILE_TYPE,
    JSON_TYPE,
    MARK,
    OFFER_SIZE_MAX,
    TAKEN_TYPE,
    HeadAnswer,
    OfferItem,
    Problem,
    Taken,
    read_json,
    read_offer,
    read_taken,
)

CONNECT_SECONDS = 15
SILENCE_SECONDS = 60
"""No byte for this long ends an answer."""
ANSWER_SECONDS = 120
SLOWEST_BYTES_PER_SECOND = 1_000
"""A quarter of a 32 kbit/s line: whoever drips slower than this is not waited for."""
ZSTD = "zstd"
BUSY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


class HttpRoad:
    """One terminal's connection to the province."""

    is_live = True
    takes_entries = True

    def __init__(
        self,
        url: str,
        token: str,
        *,
        terminal: int,
        epoch: int,
        trusting: ssl.SSLContext | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._terminal = terminal
        self._epoch = epoch
        self._url = url
        # trust_env: a proxy or netrc of the machine must not see the token. zstd: inflated here,
        # within the limit of what is asked; no other encoding is taken.
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "zstd"},
            timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=1),
            follow_redirects=False,
            trust_env=False,
            verify=trusting or True,
            transport=transport,
        )

    def head(self) -> HeadAnswer | None:
        """How far the province holds this chain."""
        path = f"/v1/head/{self._terminal}/{self._epoch}"
        data = self._ask("GET", path, expected=JSON_TYPE, size_max=ANSWER_SIZE_MAX)
        return self._read(_read_head, data)

    def send(self, batch: Batch) -> Taken | None:
        """Upload one batch and hear the answer to it."""
        data = self._ask(
            "POST",
            "/v1/batch",
            body=write_batch(batch),
            expected=TAKEN_TYPE,
            size_max=ANSWER_SIZE_MAX,
        )
        taken = self._read(read_taken, data)
        if (taken.terminal, taken.epoch) != (batch.terminal, batch.epoch) or taken.seq < batch.end:
            raise NotOursError("the province answered about other entries than were sent")
        return taken

    def offer(self) -> list[OfferItem]:
        """What this terminal needs."""
        data = self._ask("GET", "/v1/offer", expected=JSON_TYPE, size_max=OFFER_SIZE_MAX)
        return self._read(read_offer, data)

    def fetch(self, item: OfferItem) -> bytes:
        """One file of the offer."""
        # A timestamp published since may be a byte longer; its hash will tell.
        limit = max(item.size, ANSWER_SIZE_MAX)
        path = f"/v1/file/{item.path}?sha256={item.sha256}"
        return self._ask("GET", path, expected=FILE_TYPE, size_max=limit)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(
        self, method: str, path: str, *, expected: str, size_max: int, body: bytes | None = None
    ) -> bytes:
        """One request and its whole answer, or an error that names what happened."""
        headers = {} if body is None else {"Content-Type": BATCH_TYPE}
        try:
            with self._client.stream(method, path, content=body, headers=headers) as answer:
                self._check_whose(answer)
                limit = size_max if answer.status_code == httpx.codes.OK else ANSWER_SIZE_MAX
                data = self._body(answer, limit)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise RoadClosedError(
                f"no answer from {self._url} ({_plain(error)}); check the network and sync again"
            ) from error
        if answer.status_code != httpx.codes.OK:
            raise self._refusal(answer.status_code, data)
        if _kind(answer) != expected:
            raise self._not_ours(f"{_kind(answer)} where {expected} was expected")
        return data

    def _check_whose(self, answer: httpx.Response) -> None:
        """Told by its head alone: nothing is read of what is not the province's."""
        if answer.headers.get(MARK) == "1" and not answer.is_redirect:
            return
        if answer.status_code in BUSY_STATUSES:
            raise RoadClosedError(
                f"{self._url} answered {answer.status_code}; the province is not there now, sync"
                " again later"
            )
        raise self._not_ours(f"status {answer.status_code}, {_kind(answer)}")

    def _body(self, answer: httpx.Response, size_max: int) -> bytes:
        declared = answer.headers.get("Content-Length", "")
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding not in {"identity", ZSTD}:
            raise self._not_ours(f"it is compressed as {encoding[:20]}")
        if not declared.isascii() or not declared.isdecimal() or len(declared) > 12:
            raise self._not_ours("it hides its length")
        if int(declared) > size_max:
            raise self._not_ours(f"it has {int(declared)} bytes where {size_max} are allowed")
        ends = time.monotonic() + ANSWER_SECONDS + int(declared) / SLOWEST_BYTES_PER_SECOND
        data = bytearray()
        for chunk in answer.iter_raw():
            data += chunk
            if len(data) > size_max:
                raise self._not_ours("it is longer than it says")
            if time.monotonic() > ends:
                raise RoadClosedError(f"{self._url} answers too slowly; sync again later")
        return bytes(data) if encoding != ZSTD else self._inflated(bytes(data), size_max)

    def _inflated(self, data: bytes, size_max: int) -> bytes:
        try:
            return inflate(data, size_max=size_max)
        except RecordError as error:
            raise self._not_ours(error.detail) from error

    def _refusal(self, status: int, data: bytes) -> RoadError | ForkError:
        problem = self._read(_read_problem, data)
        if problem.error == "fork":
            return ForkError(problem.detail)
        if status in BUSY_STATUSES:
            return RoadClosedError(f"the province asks to come back later: {problem.detail}")
        return RefusedThereError(problem.error, f"the province refused: {problem.detail}")

    def _read(self, reader: Callable[[bytes], T], data: bytes) -> T:
        """Translate an answer of the wrong shape at this seam."""
        try:
            return reader(data)
        except MessageError as error:
            raise self._not_ours(error.detail) from error

    def _not_ours(self, why: str) -> NotOursError:
        return NotOursError(
            f"the answer at {self._url} is not the province's ({why}); if this network has a"
            " log-in page, log in there and sync again"
        )


def _kind(answer: httpx.Response) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip() or "no content type"


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _read_head(data: bytes) -> HeadAnswer:
    return read_json(data, HeadAnswer)


def _read_problem(data: bytes) -> Problem:
    return read_json(data, Problem)
