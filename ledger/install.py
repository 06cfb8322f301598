"""Installing what the office signed, from whatever lies in the in-box.

The agent only brings bytes. Here they are verified (python-tuf, with this terminal's own time),
read strictly, and built into a new ``rights.db`` that replaces the old one in one step. Whatever
is wrong with what was brought, what was installed before stays and service goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater, UpdaterConfig

from card_codec.errors import CardCodecError
from card_codec.status import StatusList
from card_codec.trust import TrustList, decode_trust_list
from ledger.acknowledgement import ACKNOWLEDGEMENT_SIZE_MAX, read_acknowledgement
from ledger.clock import Floor, Moment, Reading, judge_time
from ledger.element import read_usage
from ledger.errors import FolderError, NotSavedError, RecordError, RightsError
from ledger.folder import TerminalFolder, write_whole
from ledger.in_box import BASE_URL, InBoxFetcher, list_brought, read_brought
from ledger.journal import Journal
from ledger.policy import Policy, read_policy
from ledger.repository import Role, read_role, signed_time
from ledger.rights import Rights
from ledger.rights_build import BaseToInstall, Versions, build_rights
from ledger.rights_file import (
    RightsBase,
    read_base,
    read_status,
    state_root,
    status_index,
)
from ledger.roll import Roll, read_roll

POLICY_PATH = "policy/policy.cbor"
ROLL_PATH = "terminals/roll.cbor"
TRUST_PATH = "issuers/trust.cbor"
USAGE_NAME = re.compile(r"usage/([0-9]{6})/([1-9][0-9]{0,8})\.cbor\.zst")
TIMESTAMP_SIZE_MAX = 16_384
LEDGER_MAX = 0xFFFFFFFF
"""Entries name the ledger they were decided by in 32 bits."""
DELEGATIONS_MAX = 400
"""136 kecamatan, status, usage, people, and room."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What one look into the in-box did.

    Attributes:
        changed: a newer ledger, usage or acknowledgement was taken.
        ledger: ledger version installed now, None when nothing is installed.
        usage_new: usage elements not known before.
        problem: one sentence when something brought was refused; what was there stays.
    """

    changed: bool
    ledger: int | None
    usage_new: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Brought:
    """Everything read and verified, before anything is changed here."""

    versions: Versions
    policy: Policy
    roll: Roll
    trust: TrustList
    bases: list[BaseToInstall]
    segments: list[bytes]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What of the installed ledger the next one must not take back."""

    versions: Versions = field(default_factory=lambda: Versions(0, 0, 0))
    policy: int = 0
    blocked: frozenset[tuple[bytes, int]] = frozenset()


def take_in_box(folder: TerminalFolder, journal: Journal, reading: Reading) -> Installed:
    """Verify and install what was brought. Cheap when nothing new lies there.

    Never raises for what was brought: that is a ``problem`` in the answer.

    Raises:
        JournalDamagedError: the journal is damaged; service stops.
    """
    new, problem = None, None
    try:
        if not _is_known(folder, _mark(folder.in_box)):
            new = _take_ledger(folder, journal, reading)
    except (RightsError, RecordError, CardCodecError, FolderError, NotSavedError) as error:
        problem = str(error)
    changed = _take_acknowledgements(folder, journal) or new is not None
    return Installed(changed, installed_version(folder), new or 0, problem)


def _take_ledger(folder: TerminalFolder, journal: Journal, reading: Reading) -> int | None:
    """Install what was brought; how many usage elements were new, None when it was there already.

    One process at a time: two counters of one terminal may see the same new in-box at once.
    """
    with _alone(folder):
        mark = _mark(folder.in_box)
        if mark is None or _is_known(folder, mark):
            return None
        brought = _verify(folder, journal, reading)
        new = _install(folder, journal, brought, reading)
        write_whole(folder.trusted / "seen", mark)
        return new


@contextmanager
def _alone(folder: TerminalFolder) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process ends, however it ends."""
    try:
        handle = os.open(folder.root / ".installing", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FolderError(f"cannot write in {folder.root}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def installed_version(folder: TerminalFolder) -> int | None:
    """The ledger version installed here, or None."""
    try:
        rights = Rights(folder.rights)
    except RightsError:
        return None
    rights.close()
    return rights.versions.ledger


def forget_installed(folder: TerminalFolder) -> None:
    """What is installed is damaged: the next look into the in-box installs it again."""
    with suppress(OSError):
        (folder.trusted / "seen").unlink(missing_ok=True)


def now_here(journal: Journal, reading: Reading) -> Moment:
    """The time as this terminal judges it."""
    return judge_time(reading, journal.floors(), journal.head().moment)


def _mark(in_box: Path) -> bytes | None:
    """A name for what lies in the in-box; None when nothing does."""
    path = "metadata/timestamp.json"
    data = read_brought(in_box, path, size_max=TIMESTAMP_SIZE_MAX)
    if data is None:
        if os.path.lexists(in_box / path):
            raise RightsError(f"{path} in the in-box is no plain file of at most 16 KB")
        return None
    return hashlib.sha256(data).hexdigest().encode()


def _is_known(folder: TerminalFolder, mark: bytes | None) -> bool:
    """Whether this was installed before, and still is."""
    if mark is None:
        return True
    try:
        seen = (folder.trusted / "seen").read_bytes()
    except OSError:
        return False
    return seen == mark and installed_version(folder) is not None


def _verify(folder: TerminalFolder, journal: Journal, reading: Reading) -> _Brought:
    """Everything wanted from the in-box, verified; nothing is changed but TUF's own state."""
    moment = now_here(journal, reading)
    try:
        updater = _updater(folder, moment)
        updater.refresh()
        policy = read_policy(_target(updater, POLICY_PATH))
        roll = read_roll(_target(updater, ROLL_PATH))
        trust = decode_trust_list(_target(updater, TRUST_PATH))
        me = roll.terminal(folder.config.ordinal, folder.config.epoch)
        if me is None:
            raise RightsError("the roll of terminals does not list this terminal; ask the office")
        old = _standing(folder)
        bases = [_base(updater, folder, kec, old) for kec in me.holds]
        segments = [s for kec in me.holds for s in _segments(updater, folder, journal, kec)]
    except (RepositoryError, DownloadError, DeserializationError, OSError) as error:
        raise RightsError(f"what was brought is not accepted: {_plain(error)}") from error
    versions = Versions(
        ledger=_role(folder, "snapshot", Snapshot).version,
        timestamp_time=_time(folder, "timestamp", Timestamp),
        office_time=max([_time(folder, "targets", Targets), *(b.office_time for b in bases)]),
        root=_role(folder, "root", Root).version,
    )
    _check_not_older(versions, policy, old)
    return _Brought(versions, policy, roll, trust, bases, segments)


def _check_not_older(versions: Versions, policy: Policy, old: _Standing) -> None:
    """python-tuf sees to this by its own files; were they lost, what is installed still stands.

    New keys (a higher root) may begin their numbers anew.
    """
    if versions.ledger > LEDGER_MAX:
        raise RightsError("what was brought is not accepted: its version is over 32 bits")
    if versions.root < old.versions.root:
        raise RightsError("what was brought is not accepted: its root of trust is an old one")
    if versions.root == old.versions.root and versions.ledger < old.versions.ledger:
        raise RightsError(
            f"what was brought is not accepted: ledger {versions.ledger} is older than"
            f" {old.versions.ledger}, which is installed"
        )
    if policy.number < old.policy:
        raise RightsError(f"policy {policy.number} is older than {old.policy}, which is installed")


def _updater(folder: TerminalFolder, moment: Moment) -> Updater:
    folder.trusted.mkdir(exist_ok=True)
    updater = Updater(
        str(folder.trusted),
        f"{BASE_URL}metadata/",
        target_dir=str(folder.trusted),
        target_base_url=f"{BASE_URL}targets/",
        fetcher=InBoxFetcher(folder.in_box),
        config=UpdaterConfig(max_delegations=DELEGATIONS_MAX),
        bootstrap=folder.first_root.read_bytes(),
    )
    # python-tuf reads the wall clock; expiry must be judged by the time this terminal can prove,
    # or a clock set back would accept a frozen ledger (measured).
    now = datetime.fromtimestamp(moment.early, UTC)
    updater._trusted_set.reference_time = now  # noqa: SLF001
    return updater


def _install(folder: TerminalFolder, journal: Journal, brought: _Brought, reading: Reading) -> int:
    new = 0
    with journal.act() as act:
        for segment in brought.segments:
            new += act.known.take_segment(segment)
        versions = brought.versions
        for name, time in (("office", versions.office_time), ("online", versions.timestamp_time)):
            act.raise_floor(name, Floor(time, reading.boottime, reading.boot_id))
    build_rights(
        folder.rights,
        versions=brought.versions,
        policy=brought.policy,
        roll=brought.roll,
        trust=brought.trust,
        bases=brought.bases,
    )
    return new


def _base(
    updater: Updater, folder: TerminalFolder, kecamatan: str, old: _Standing
) -> BaseToInstall:
    """A kecamatan's rights with its blocked cards.

    A card seen blocked once stays so, whatever list of households it stands in now: the key on the
    network sets status bits and cannot clear them.
    """
    base = read_base(_target(updater, f"rights/{kecamatan}/base.cbor.zst"))
    if base.kecamatan != kecamatan:
        raise RightsError(f"the rights of {kecamatan} are those of {base.kecamatan}")
    status = _still_blocked(base, old.blocked)
    path = f"status/{kecamatan}.cbor"
    if updater.get_targetinfo(path) is not None:
        file = read_status(_target(updater, path))
        if file.kecamatan != kecamatan:
            raise RightsError(f"the blocked cards of {kecamatan} are those of {file.kecamatan}")
        if file.root != state_root(base):
            raise RightsError(f"the blocked cards of {kecamatan} are of other rights than brought")
        status = status.union(StatusList.decode(file.bits))
    if updater.get_targetinfo(f"changes/{kecamatan}/1.cbor.zst") is not None:
        raise RightsError("changes were brought that need a newer version of this software")
    times = [_time(folder, role, Targets) for role in ("targets", f"changes-{kecamatan}")]
    return BaseToInstall(base, status, max(times))


def _still_blocked(base: RightsBase, blocked: frozenset[tuple[bytes, int]]) -> StatusList:
    issues: dict[bytes, list[int]] = {}
    for household, issue in blocked:
        issues.setdefault(household, []).append(issue)
    bits = [
        status_index(ordinal, issue=issue, count=base.count)
        for ordinal, household in enumerate(base.ids())
        for issue in issues.get(household, ())
    ]
    return StatusList.from_indices(max([base.count, 1, *(bit + 1 for bit in bits)]), bits)


def _segments(
    updater: Updater, folder: TerminalFolder, journal: Journal, kecamatan: str
) -> list[bytes]:
    """Usage segments not taken in yet, in order; the numbers have no gaps."""
    found: list[bytes] = []
    number = journal.known().next_segment(kecamatan)
    while updater.get_targetinfo(path := f"usage/{kecamatan}/{number}.cbor.zst") is not None:
        data = _target(updater, path)
        file, _ = read_usage(data)
        if (file.kecamatan, file.number) != (kecamatan, number):
            raise RightsError(f"usage {number} of {kecamatan} names another segment")
        found.append(data)
        number += 1
    named = (USAGE_NAME.fullmatch(name) for name in _role(folder, "usage", Targets).targets)
    if any(n and n[1] == kecamatan and int(n[2]) > number for n in named):
        raise RightsError(f"usage {number} of {kecamatan} is missing, and later ones were brought")
    return found


def _target(updater: Updater, path: str) -> bytes:
    info = updater.get_targetinfo(path)
    if info is None:
        raise RightsError(f"the ledger does not name {path}; fetch it again")
    kept = updater.find_cached_target(info) or updater.download_target(info)
    return Path(kept).read_bytes()


def _role(folder: TerminalFolder, role: str, kind: type[Role]) -> Role:
    """The content of a role that python-tuf has verified and kept."""
    return read_role(folder.trusted / f"{role}.json", kind)


def _time(folder: TerminalFolder, role: str, kind: type[Role]) -> int:
    """When a role was signed; it must say so, or the age of the rights could not be told."""
    time = signed_time(_role(folder, role, kind))
    if not time:
        raise RightsError(f"what was brought is not accepted: {role} does not say when it is from")
    return time


def _standing(folder: TerminalFolder) -> _Standing:
    try:
        rights = Rights(folder.rights)
    except RightsError:
        return _Standing()
    try:
        return _Standing(rights.versions, rights.policy.number, rights.blocked_cards())
    finally:
        rights.close()


def _take_acknowledgements(folder: TerminalFolder, journal: Journal) -> bool:
    """Keep the newest word of the province that speaks of this chain; others are passed over."""
    names = list_brought(folder.in_box, "acknowledgements")
    if not names:
        return False
    try:
        rights = Rights(folder.rights)
    except RightsError:
        return False
    newest = journal.acknowledged()
    kept = False
    me = journal.identity
    for name in names:
        data = read_brought(folder.in_box, name, size_max=ACKNOWLEDGEMENT_SIZE_MAX)
        if data is None:
            continue
        try:
            word = read_acknowledgement(data, rights.trust)
        except RecordError:
            continue
        mine = (word.terminal, word.epoch) == (me.terminal, me.epoch)
        if mine and (newest is None or word.seq > newest.seq):
            with journal.act() as act:
                kept = act.keep_acknowledgement(word, data) or kept
            newest = journal.acknowledged()
    rights.close()
    return kept


def _plain(error: Exception) -> str:
    """One line of python-tuf's or the system's own words."""
    return " ".join(str(error).split())[:200] or type(error).__name__
