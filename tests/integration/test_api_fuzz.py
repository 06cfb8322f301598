"""Every route of both servers, knocked at by what schemathesis makes of its OpenAPI.

The routes are asked over real HTTP with what fits their description and what does not. Whatever
comes, the answer is one of ours, nothing fails inside, and nothing is stored.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation.modes import GenerationMode

from ledger.entry import Kind
from ledger.folder import TerminalFolder
from ledger.fsck import check_journal
from ledger.journal import open_journal
from sync_agent.messages import BATCH_TYPE, MARK
from sync_agent.province.app import create_api
from sync_agent.province.doors import DeskKey, Rate
from sync_agent.province.store import Store
from terminal.web.app import create_app
from tests.served import TOKEN as COUNTER_TOKEN
from tests.served import serving
from tests.store_dump import dumped
from tests.sync_world import TOKEN, SyncWorld, small_world, sync
from tests.world import World

pytestmark = [pytest.mark.integration, pytest.mark.slow]

EXAMPLES = 40
"""Of each route, of each kind."""
Check = Callable[[requests.Response], None]

schemathesis.serializer.alias(BATCH_TYPE, "application/octet-stream")


def knock(api: dict[str, Any], url: str, check: Check, headers: dict[str, str]) -> int:
    """Ask every route what fits and what does not; how many answers came."""
    answers = 0
    session = requests.Session()
    session.trust_env = False
    for found in schemathesis.openapi.from_dict(api).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # an Err raises what is wrong
        for mode in GenerationMode:
            answers += _knock_at(operation, mode, url, check, (session, headers))
    session.close()
    return answers


def _knock_at(
    operation: Any,
    mode: GenerationMode,
    url: str,
    check: Check,
    carried: tuple[requests.Session, dict[str, str]],
) -> int:
    answers = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        nonlocal answers
        said = case.as_transport_kwargs(base_url=url, headers=carried[1])
        answer = carried[0].request(**said, timeout=20, allow_redirects=False)
        check(answer)
        answers += 1

    try:
        ask()
    except Unsatisfiable:  # nothing can be wrong in a route whose parts may be anything
        assert mode is GenerationMode.NEGATIVE
    return answers


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncWorld]:
    monkeypatch.setattr("sync_agent.province.app.Rate", lambda _c: Rate(lambda: 0.0, most=10**9))
    made = small_world(tmp_path)
    yield made
    made.province.close()


def check_province(answer: requests.Response) -> None:
    assert answer.status_code not in {500, 503}, answer.text
    if MARK not in answer.headers:  # not HTTP at all: the server turned it away before any of ours
        assert (answer.status_code, answer.text) == (400, "Invalid HTTP request received.")
    elif answer.status_code >= 400 and answer.headers["Content-Type"] == "application/json":
        told = answer.json()
        assert re.fullmatch(r"[a-z_]{2,40}", told["error"])
        assert re.fullmatch(r"[^\n]{10,600}", told["detail"])


@pytest.mark.parametrize("who", ["nobody", "terminal", "desk"])
def test_province_answers_whatever_is_asked_and_stores_nothing(world: SyncWorld, who: str) -> None:
    world.take(world.one, world.homes_1[0])
    with world.serving() as at:
        sync(world.one, at.url)
        store = Store(world.province_folder.store_url)
        before = dumped(store)
        token = {
            "nobody": "",
            "terminal": TOKEN.format(1),
            "desk": at.desk.partition("token=")[2],
        }[who]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        api = create_api(world.province, desk=DeskKey(port=1)).openapi()
        assert knock(api, at.url, check_province, headers) > 300
        assert dumped(store) == before
        store.close()


@contextmanager
def counter_of(folder: Path) -> Iterator[tuple[Any, TerminalFolder]]:
    world = World(folder)
    world.household("keluarga")
    terminal = world.terminal("Loket 1")
    world.publish()
    world.bring(terminal)
    counter = world.counter(terminal)
    counter.take_in_box()
    yield counter, terminal
    counter.close()


def check_counter(answer: requests.Response) -> None:
    assert answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("who", ["nobody", "officer"])
def test_counter_answers_whatever_is_asked_and_gives_nothing(tmp_path: Path, who: str) -> None:
    with counter_of(tmp_path) as (counter, terminal), serving(counter) as page:
        headers = {"Origin": page.url}
        if who == "officer":
            session = requests.Session()
            session.trust_env = False
            session.get(page.entry)
            headers["Cookie"] = "; ".join(f"{c.name}={c.value}" for c in session.cookies)
            session.close()
        api = create_app(counter, port=page.port, token=COUNTER_TOKEN).openapi()
        assert knock(api, page.url, check_counter, headers) > 300
        checked = check_journal(terminal.journal, terminal=1, epoch=1)
        assert checked.ok, checked.faults
        journal = open_journal(terminal.journal, reading=True)
        kinds = {kind for _, kind, _ in journal.kinds(0)}
        journal.close()
        assert Kind.REDEMPTION not in kinds
