"""What a terminal needs from the published ledger, and nothing of other kecamatan."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from ledger.errors import RightsError
from ledger.install import POLICY_PATH
from ledger.people import served_desa
from ledger.policy import Policy, read_policy
from ledger.repository import Repository, online_role, read_role
from ledger.roll import Terminal
from ledger.usage_file import read_usage
from sync_agent.errors import IntakeRefusedError
from sync_agent.messages import (
    ACKNOWLEDGEMENT_PATH,
    METADATA_PATH,
    TARGET_PATH,
    TIMESTAMP_PATH,
    OfferItem,
    acknowledgement_path,
)
from sync_agent.province.store import Store, acknowledgement_from, newest_acknowledgement

OF_ONE_KECAMATAN = frozenset({"rights", "status", "usage", "changes"})
_CHANGES = "changes-"
_OF_ONE = (_CHANGES, online_role(""))
_PEOPLE = re.compile(r"people/[0-9]{6}/(?:[0-9a-f]{64}\.)?([0-9]{10})\.age")
"""A people file, as the ledger names it or as it lies with its hash."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a terminal needs, and the bytes of the one file of it that is ever overwritten."""

    items: list[OfferItem]
    timestamp: bytes


def offer_for(
    terminal: Terminal, repository: Repository, store: Store, *, whole: bool = False
) -> Offer:
    """Every file the terminal needs, as the timestamp of this moment names them.

    Of usage the newest segment, which names the one before it; on a stick all of them, since
    whoever reads it can ask for nothing.

    Raises:
        RightsError: nothing was published yet.
    """
    metadata = repository.metadata
    timestamp = _read(metadata / "timestamp.json")
    newest = f"{_snapshot_version(timestamp)}.snapshot.json"
    roles = _roles(terminal, read_role(metadata / newest, Snapshot))
    names = [f"{version}.root.json" for version in repository.versions("root")]
    names += [newest, *roles]
    items = [_item(f"metadata/{name}", _read(metadata / name)) for name in names]
    items.append(_item(TIMESTAMP_PATH, timestamp))
    serves = _serves(terminal, repository)
    for name in roles:
        named = _targets(terminal, read_role(metadata / name, Targets), serves)
        items += named
        if whole:
            items += [before for item in named for before in _chain(repository, item)]
    with store.reading() as db:
        said = newest_acknowledgement(db, terminal.ordinal, terminal.epoch)
    if said is not None:
        path = acknowledgement_path(terminal.ordinal, terminal.epoch, said.seq)
        items.append(_item(path, said.data))
    return Offer(items, timestamp)


def offered_bytes(terminal: Terminal, path: str, repository: Repository, store: Store) -> bytes:
    """The bytes of a file this terminal may fetch.

    A version that was superseded a moment ago is still given, so that a fetch is not broken off
    by a publication.

    Raises:
        IntakeRefusedError: no such file, or not for this terminal.
    """
    missing = IntakeRefusedError(404, "no_such_file", f"no file {path[:120]!r} for this terminal")
    said = ACKNOWLEDGEMENT_PATH.match(path)
    if said:
        ordinal, epoch, seq = (int(part) for part in said.groups())
        if (ordinal, epoch) != (terminal.ordinal, terminal.epoch):
            raise missing
        with store.reading() as db:
            row = acknowledgement_from(db, ordinal, epoch, seq)
        if row is None or row.seq != seq:
            raise missing
        return bytes(row.data)
    people = _PEOPLE.fullmatch(path.removeprefix("targets/"))
    serves = _serves(terminal, repository) if people else frozenset()
    if not _may_fetch(terminal, path, serves):
        raise missing
    try:
        return (repository.folder / path).read_bytes()
    except OSError as error:
        raise missing from error


def _serves(terminal: Terminal, repository: Repository) -> frozenset[str]:
    """Desa whose people the terminal may have; they are sealed to it and to others of that desa."""
    version = repository.versions("targets")[-1]
    signed = read_role(repository.metadata / f"{version}.targets.json", Targets)
    info = signed.targets.get(POLICY_PATH)
    if info is None:
        return frozenset()
    directory, _, name = POLICY_PATH.rpartition("/")
    path = repository.targets / directory / f"{info.hashes['sha256']}.{name}"
    return frozenset(served_desa(_policy(path), terminal.ordinal))


@lru_cache(maxsize=2)
def _policy(path: Path) -> Policy:
    """A policy by the file that bears its hash, so that it never changes."""
    return read_policy(_read(path))


def _may_fetch(terminal: Terminal, path: str, serves: frozenset[str]) -> bool:
    if path == TIMESTAMP_PATH:
        return True
    if METADATA_PATH.match(path):
        return _is_own_role(terminal, path.split(".")[1])
    if TARGET_PATH.match(path):
        return _is_own_target(terminal, path.removeprefix("targets/"), serves)
    return False


def _roles(terminal: Terminal, snapshot: Snapshot) -> list[str]:
    found = ((name.removesuffix(".json"), meta.version) for name, meta in snapshot.meta.items())
    return sorted(f"{v}.{role}.json" for role, v in found if _is_own_role(terminal, role))


def _is_own_role(terminal: Terminal, role: str) -> bool:
    return not role.startswith(_OF_ONE) or role.rpartition("-")[2] in terminal.holds


def _targets(terminal: Terminal, signed: Targets, serves: frozenset[str]) -> list[OfferItem]:
    items = []
    for path, info in signed.targets.items():
        if _is_own_target(terminal, path, serves):
            directory, _, name = path.rpartition("/")
            digest = info.hashes["sha256"]
            items.append(OfferItem(f"targets/{directory}/{digest}.{name}", info.length, digest))
    return items


def _chain(repository: Repository, item: OfferItem) -> Iterator[OfferItem]:
    """The usage segments before this one, the newest first."""
    path: str | None = item.path
    while path is not None and path.startswith("targets/usage/"):
        if path != item.path:
            yield _segment(repository.folder, path)[0]
        path = _segment(repository.folder, path)[1]


@lru_cache(maxsize=100_000)
def _segment(folder: Path, path: str) -> tuple[OfferItem, str | None]:
    """A usage segment, and the path of the one before it; its name holds its hash, so it stays."""
    data = _read(folder / path)
    prev = read_usage(data)[0].prev.hex()
    directory, _, name = path.rpartition("/")
    before = f"{directory}/{prev}.{int(name.split('.')[1]) - 1}.cbor" if prev else None
    return _item(path, data), before


def _is_own_target(terminal: Terminal, path: str, serves: frozenset[str]) -> bool:
    """People are for those who serve the desa, the rest of a kecamatan for those who hold it."""
    first, _, rest = path.partition("/")
    if first == "people":
        match = _PEOPLE.fullmatch(path)
        return match is not None and match[1] in serves
    if first not in OF_ONE_KECAMATAN:
        return True
    return rest.partition("/")[0] in terminal.holds


def _snapshot_version(timestamp: bytes) -> int:
    try:
        signed = Metadata.from_bytes(timestamp).signed
    except (DeserializationError, RepositoryError) as error:
        raise RightsError("the published timestamp is damaged; take the release again") from error
    if not isinstance(signed, Timestamp):
        raise RightsError("the published timestamp is another role; take the release again")
    return signed.snapshot_meta.version


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RightsError(f"the repository lacks {path.name}; take the release again") from error


def _item(path: str, data: bytes) -> OfferItem:
    return OfferItem(path, len(data), hashlib.sha256(data).hexdigest())
