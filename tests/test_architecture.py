"""Who may import whom, and what from outside: the directions of the five rooms, as a table.

The order of the rooms is an import-linter contract in pyproject.toml. Here stands what each room
may take from outside. A ban is *direct* (this module's own import lines) or *reached* (through any
chain of our modules).
"""

import re
from dataclasses import dataclass
from functools import cache

from tests.source_tree import PACKAGES, Import, Module, covers, house_is_whole, imports_of, modules

DEVICES = ("smartcard", "nfc", "ndef", "usb1", "serial", "cv2", "pyzbar", "zxingcpp")
NETWORK_CLIENTS = (
    *("httpx", "httpcore", "requests", "aiohttp", "urllib3", "websockets", "urllib.request"),
    *("http.client", "ftplib", "smtplib", "imaplib", "poplib", "xmlrpc", "socket"),
)
WEB = ("fastapi", "starlette", "uvicorn", "jinja2", "pydantic")
DATABASES = ("sqlite3", "sqlite_utils", "sqlalchemy", "apsw", "duckdb")
CLOCKS = ("time", "datetime")


@dataclass(frozen=True, slots=True)
class Ban:
    """``modules`` (and all under them, but ``but``) may not import ``banned``, for this reason."""

    modules: tuple[str, ...]
    banned: tuple[str, ...]
    why: str
    but: tuple[str, ...] = ()
    reached: bool = False


BANS = (
    Ban(
        PACKAGES,
        DEVICES,
        "devices are heard in card_codec.readers alone",
        but=("card_codec.readers",),
    ),
    Ban(
        ("card_codec",),
        (*DATABASES, *WEB, *NETWORK_CLIENTS, "urllib", "http", "asyncio", "subprocess"),
        "the codec turns bytes into values and back, and does nothing else",
        but=("card_codec.readers",),
    ),
    Ban(
        ("card_codec",),
        CLOCKS,
        "time is an argument; only the command reads the clock",
        but=("card_codec.readers", "card_codec.cli"),
    ),
    Ban(
        PACKAGES,
        ("virtual_card", "tests", "bench"),
        "what stands in for a card, and what tests us, is never part of what is shipped",
    ),
    Ban(
        ("ledger",),
        (*WEB, *NETWORK_CLIENTS),
        "the ledger verifies bytes that others bring; it speaks to nobody",
    ),
    Ban(
        (
            *("ledger.entry", "ledger.policy", "ledger.rights_file", "ledger.roll"),
            *(
                "ledger.element",
                "ledger.usage_file",
                "ledger.heard_void",
                "ledger.receipt",
                "ledger.acknowledgement",
            ),
            *("ledger.people_file", "ledger.look_up", "ledger.sealing", "ledger.locked_key"),
        ),
        DATABASES,
        "record files serve verifiers that have no database",
        reached=True,
    ),
    Ban(
        ("terminal",),
        NETWORK_CLIENTS,
        "the counter serves with the cable cut because there is nothing to cut",
        but=("terminal.demo", "card_codec.readers.local"),  # a socket file, held to it below
        reached=True,
    ),
    Ban(
        ("terminal", "provisioning", "sync_agent.agent"),
        DATABASES,
        "a terminal's database is opened by ledger alone",
        but=("provisioning.roster",),  # its own file, of the office
    ),
    Ban(("provisioning",), (*NETWORK_CLIENTS, *WEB), "the office's keys meet no network"),
    Ban(
        ("terminal.decision",),
        (
            *(*DATABASES, *WEB, *NETWORK_CLIENTS, *CLOCKS, "os", "io", "pathlib", "random"),
            *("secrets", "logging", "subprocess", "threading"),
        ),
        "the rules are pure: no clock, no file, no chance; the same answer from the same facts",
    ),
    Ban(
        ("terminal",),
        ("terminal.demo",),
        "the demo drives the counter from outside; the counter does not know it",
        but=("terminal.demo", "terminal.cli"),
    ),
)


def test_no_room_takes_what_it_may_not() -> None:
    assert violations(modules()) == []


def test_reader_behind_a_socket_knows_no_network() -> None:
    """The one socket that a counter can reach is a file of this machine."""
    (local,) = (module for module in modules() if module.name == "card_codec.readers.local")
    assert local.source.count("socket.socket(socket.AF_UNIX,") == 1
    named = {"socket.socket", "socket.AF_UNIX", "socket.SOCK_STREAM"}
    assert set(re.findall(r"\bsocket\.\w+", local.source)) == named


def test_no_ban_names_a_module_that_is_gone() -> None:
    """A renamed module must take its ban along. Asked once all five commands are written."""
    names = [module.name for module in modules()]
    unmatched = {
        pattern
        for ban in BANS
        for pattern in (*ban.modules, *ban.but)
        if not any(covers(pattern, name) for name in names)
    }
    assert not (house_is_whole() and unmatched), f"BANS names no module with {sorted(unmatched)}"


def test_a_planted_import_is_found() -> None:
    planted = (
        Module("terminal.redeem", "def f() -> None:\n    from urllib import request\n"),
        Module("terminal.decision", "import os.path\n"),
        Module("terminal.words", "from terminal import road\nimport time\n"),
        Module("terminal.road", "from provisioning.web import fetch\n"),
        Module("provisioning.web", "import httpx\n"),
        Module("ledger", "import sqlite3", is_package=True),
        Module("ledger.entry", ""),
        Module("card_codec.readers.pcsc", "import smartcard.System, time\n"),
        Module(
            "card_codec.qr.text", "from datetime import datetime\nfrom smartcard import scard\n"
        ),
    )
    assert {line.partition(" (")[0] for line in violations(planted)} == {
        "card_codec/qr/text.py:2: smartcard.scard",
        "card_codec/qr/text.py:1: datetime.datetime",
        "ledger/entry.py: ledger.entry > ledger > sqlite3",
        "provisioning/web.py:1: httpx",
        "terminal/redeem.py:2: urllib.request",
        "terminal/road.py: terminal.road > provisioning.web > httpx",
        "terminal/words.py: terminal.words > terminal.road > provisioning.web > httpx",
        "terminal/decision.py:1: os.path",
    }


def violations(found: tuple[Module, ...]) -> list[str]:
    """Every breach of BANS among these modules, as ``file:line: import (why)``."""
    tree = {module.name: module for module in found}
    return [
        breach
        for ban in BANS
        for module in found
        if _holds_for(ban, module.name)
        for breach in (_reached(ban, module, tree) if ban.reached else _direct(ban, module))
    ]


def _holds_for(ban: Ban, name: str) -> bool:
    return any(covers(own, name) for own in ban.modules) and not any(
        covers(free, name) for free in ban.but
    )


def _direct(ban: Ban, module: Module) -> list[str]:
    return [
        f"{module.path}:{found.line}: {found.target} ({ban.why})"
        for found in imports_of(module)
        if _is_banned(ban, found)
    ]


def _reached(ban: Ban, module: Module, tree: dict[str, Module]) -> list[str]:
    """The first breach on any chain from this module, through packages' ``__init__`` too."""
    own = _direct(ban, module)
    if own:
        return own
    chains: list[tuple[str, ...]] = [(module.name,)]
    seen = {module.name}
    while chains:
        chain = chains.pop(0)
        last = tree[chain[-1]]
        for found in imports_of(last):
            if _is_banned(ban, found):
                return [f"{module.path}: {' > '.join((*chain, found.target))} ({ban.why})"]
        for name in _ours(last, tree):
            if name not in seen and not any(covers(free, name) for free in ban.but):
                seen.add(name)
                chains.append((*chain, name))
    return []


def _is_banned(ban: Ban, found: Import) -> bool:
    return any(covers(name, found.target) for name in ban.banned)


@cache
def _parents(name: str) -> tuple[str, ...]:
    parts = name.split(".")
    return tuple(".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _ours(module: Module, tree: dict[str, Module]) -> list[str]:
    """Our modules that importing this one runs: what it imports, and every package above it."""
    wanted = [*_parents(module.name)]
    for found in imports_of(module):
        wanted += _parents(found.target)
    return [name for name in dict.fromkeys(wanted) if name in tree and name != module.name]
