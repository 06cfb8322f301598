"""Installing what the office signed, from whatever lies in the in-box.

The agent only brings bytes. Here they are verified (python-tuf, with this terminal's own time),
read strictly, and built into a new ``rights.db`` that replaces the old one in one step. Whatever
is wrong with what was brought, what was installed before stays and service goes on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.ngclient import Updater, UpdaterConfig

from card_codec.errors import CardCodecError
from card_codec.status import StatusList
from card_codec.trust import TrustList, decode_trust_list
from ledger.acknowledgement import ACKNOWLEDGEMENT_SIZE_MAX, read_acknowledgement
from ledger.clock import Floor, Moment, Reading, judge_time
from ledger.element import read_usage
from ledger.errors import FolderError, RecordError, RightsError
from ledger.folder import TerminalFolder, write_whole
from ledger.in_box import BASE_URL, InBoxFetcher, list_brought, read_brought
from ledger.journal import Journal
from ledger.policy import Policy, read_policy
from ledger.repository import Role, read_role, signed_time
from ledger.rights import BaseToInstall, Rights, Versions, build_rights
from ledger.rights_file import read_base, read_status, state_root
from ledger.roll import Roll, read_roll

POLICY_PATH = "policy/policy.cbor"
ROLL_PATH = "terminals/roll.cbor"
TRUST_PATH = "issuers/trust.cbor"
TIMESTAMP_SIZE_MAX = 16_384
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


def take_in_box(folder: TerminalFolder, journal: Journal, reading: Reading) -> Installed:
    """Verify and install what was brought. Cheap when nothing new lies there.

    Never raises for what was brought: that is a ``problem`` in the answer.
    """
    changed, usage_new, problem = False, 0, None
    mark = _mark(folder.in_box)
    if mark is not None and mark != _seen(folder):
        try:
            brought = _verify(folder, journal, reading)
            usage_new = _install(folder, journal, brought, reading)
            write_whole(folder.trusted / "seen", mark)
            changed = True
        except (RightsError, RecordError, CardCodecError, FolderError) as error:
            problem = str(error)
    changed = _take_acknowledgements(folder, journal) or changed
    return Installed(changed, installed_version(folder), usage_new, problem)


def installed_version(folder: TerminalFolder) -> int | None:
    """The ledger version installed here, or None."""
    try:
        rights = Rights(folder.rights)
    except RightsError:
        return None
    rights.close()
    return rights.versions.ledger


def now_here(journal: Journal, reading: Reading) -> Moment:
    """The time as this terminal judges it."""
    return judge_time(reading, journal.floors(), journal.head().moment)


def _mark(in_box: Path) -> bytes | None:
    data = read_brought(in_box, "metadata/timestamp.json", size_max=TIMESTAMP_SIZE_MAX)
    return None if data is None else hashlib.sha256(data).hexdigest().encode()


def _seen(folder: TerminalFolder) -> bytes | None:
    try:
        return (folder.trusted / "seen").read_bytes()
    except OSError:
        return None


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
        decree = signed_time(_role(folder, "targets", Targets))
        old = _old_status(folder)
        bases = [_base(updater, folder, kec, decree, old) for kec in me.holds]
        segments = [s for kec in me.holds for s in _segments(updater, journal, kec)]
    except (RepositoryError, DownloadError, DeserializationError, OSError) as error:
        raise RightsError(f"what was brought is not accepted: {_plain(error)}") from error
    versions = Versions(
        ledger=_role(folder, "snapshot", Snapshot).version,
        timestamp_time=signed_time(_role(folder, "timestamp", Timestamp)),
        office_time=max([decree, *(b.office_time for b in bases)]),
    )
    return _Brought(versions, policy, roll, trust, bases, segments)


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
    updater: Updater,
    folder: TerminalFolder,
    kecamatan: str,
    decree: int,
    old: dict[bytes, StatusList],
) -> BaseToInstall:
    """A kecamatan's rights with its status bits: bits seen once stay (the online key only sets)."""
    base = read_base(_target(updater, f"rights/{kecamatan}/base.cbor.zst"))
    if base.kecamatan != kecamatan:
        raise RightsError(f"the rights of {kecamatan} are those of {base.kecamatan}")
    root = state_root(base)
    status = old.get(root) or StatusList.from_indices(max(base.count, 1), [])
    path = f"status/{kecamatan}.cbor"
    if updater.get_targetinfo(path) is not None:
        file = read_status(_target(updater, path))
        if file.kecamatan != kecamatan:
            raise RightsError(f"the blocked cards of {kecamatan} are those of {file.kecamatan}")
        if file.root == root:
            status = status.union(StatusList.decode(file.bits))
    if updater.get_targetinfo(f"changes/{kecamatan}/1.cbor.zst") is not None:
        raise RightsError("changes were brought that need a newer version of this software")
    changes = signed_time(_role(folder, f"changes-{kecamatan}", Targets))
    return BaseToInstall(base, status, max(decree, changes))


def _segments(updater: Updater, journal: Journal, kecamatan: str) -> list[bytes]:
    """Usage segments not taken in yet, in order; the numbers have no gaps."""
    found: list[bytes] = []
    number = journal.known().next_segment(kecamatan)
    while updater.get_targetinfo(f"usage/{kecamatan}/{number}.cbor.zst") is not None:
        data = _target(updater, f"usage/{kecamatan}/{number}.cbor.zst")
        file, _ = read_usage(data)
        if (file.kecamatan, file.number) != (kecamatan, number):
            raise RightsError(f"usage {number} of {kecamatan} names another segment")
        found.append(data)
        number += 1
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


def _old_status(folder: TerminalFolder) -> dict[bytes, StatusList]:
    try:
        rights = Rights(folder.rights)
    except RightsError:
        return {}
    try:
        return rights.status_by_root()
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
