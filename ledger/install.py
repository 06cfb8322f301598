"""Installing what the office signed, from whatever lies in the in-box.

The agent only brings bytes. Here they are verified (python-tuf, with this terminal's own time),
read strictly, and built into a new ``rights.db`` that replaces the old one in one step. Whatever
is wrong with what was brought, what was installed before stays and service goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Targets
from tuf.api.serialization import DeserializationError

from card_codec.errors import CardCodecError
from card_codec.trust import TrustList, decode_trust_list
from ledger.acknowledgement import (
    ACKNOWLEDGEMENT_SIZE_MAX,
    Acknowledgement,
    read_acknowledgement,
)
from ledger.act import Act
from ledger.boot import check_vouched
from ledger.brought import Brought
from ledger.brought_kecamatan import Standing, kecamatan_rights, new_usage
from ledger.clock import Floor, Moment, Reading, judge_time
from ledger.errors import FolderError, NotSavedError, RecordError, RightsError
from ledger.floors import begin_floor, raise_floor
from ledger.folder import TerminalFolder, write_whole
from ledger.in_box import list_brought, read_brought
from ledger.journal import Journal
from ledger.people_install import brought_people, install_people
from ledger.policy import Policy, read_policy
from ledger.rights import Rights
from ledger.rights_build import BaseToInstall, Versions, build_rights
from ledger.rights_in_force import corrections_in_force
from ledger.roll import Roll, read_roll
from ledger.settlement import settled_by

POLICY_PATH = "policy/policy.cbor"
ROLL_PATH = "terminals/roll.cbor"
TRUST_PATH = "issuers/trust.cbor"
TIMESTAMP_SIZE_MAX = 16_384
LEDGER_MAX = 0xFFFFFFFF
"""Entries name the ledger they were decided by in 32 bits."""


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
class _Read:
    """Everything read and verified, before anything is changed here; and what stands here now.

    Attributes:
        old: what the next ledger must not take back.
        stolen: a root new here says that the online key before it was a thief's.
    """

    versions: Versions
    policy: Policy
    roll: Roll
    trust: TrustList
    bases: list[BaseToInstall]
    segments: list[bytes]
    people: dict[str, bytes]
    old: Standing
    stolen: bool


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
        read = _verify(folder, journal, reading)
        new = _install(folder, journal, read, reading)
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


def _verify(folder: TerminalFolder, journal: Journal, reading: Reading) -> _Read:
    """Everything wanted from the in-box, verified; nothing is changed but TUF's own state."""
    moment = now_here(journal, reading)
    try:
        brought = Brought(folder, moment)
        policy = read_policy(brought.target(POLICY_PATH))
        roll = read_roll(brought.target(ROLL_PATH))
        trust = decode_trust_list(brought.target(TRUST_PATH))
        me = roll.terminal(folder.config.ordinal, folder.config.epoch)
        if me is None:
            raise RightsError("the roll of terminals does not list this terminal; ask the office")
        old = _standing(folder)
        stolen = brought.online_stolen_since(old.versions.root)
        if stolen:
            old = replace(old, blocked=frozenset())
        bases = [kecamatan_rights(brought, kec, policy, old) for kec in me.holds]
        segments = [s for kec in me.holds for s in new_usage(brought, kec, journal.known())]
        people = brought_people(brought, folder, policy, me.ordinal)
        office_time = max([brought.time("targets", Targets), *(b.office_time for b in bases)])
        versions = brought.versions(office_time)
    except (RepositoryError, DownloadError, DeserializationError, OSError) as error:
        raise RightsError(f"what was brought is not accepted: {_plain(error)}") from error
    read = _Read(versions, policy, roll, trust, bases, segments, people, old, stolen)
    _check_not_older(read)
    return read


def _check_not_older(read: _Read) -> None:
    """python-tuf sees to this by its own files; were they lost, what is installed still stands.

    New keys (a higher root) may begin their numbers anew.
    """
    versions, old = read.versions, read.old
    same_keys = versions.root == old.versions.root
    if versions.ledger > LEDGER_MAX:
        raise RightsError("what was brought is not accepted: its version is over 32 bits")
    if versions.root < old.versions.root:
        raise RightsError("what was brought is not accepted: its root of trust is an old one")
    if same_keys and versions.ledger < old.versions.ledger:
        raise RightsError(
            f"what was brought is not accepted: ledger {versions.ledger} is older than"
            f" {old.versions.ledger}, which is installed"
        )
    if same_keys and versions.decree < old.versions.decree:
        raise RightsError(
            f"what was brought is not accepted: decree {versions.decree} is older than"
            f" {old.versions.decree}, which is installed"
        )
    if read.policy.number < old.policy:
        raise RightsError(
            f"policy {read.policy.number} is older than {old.policy}, which is installed"
        )
    for base, by in ((b.base, b.changes_by) for b in read.bases):
        installed = old.changes.get(base.kecamatan, 0)
        # New keys of a kecamatan begin its numbers anew: those of a thief may be the highest.
        if same_keys and by == old.changes_by.get(base.kecamatan) and base.changes < installed:
            raise RightsError(
                f"the changes of {base.kecamatan} ({base.changes}) are older than {installed},"
                " which are installed"
            )


def _install(folder: TerminalFolder, journal: Journal, read: _Read, reading: Reading) -> int:
    new = 0
    with journal.act() as act:
        for segment in read.segments:
            new += act.known.take_segment(segment, read.roll)
        for one in read.bases:
            act.known.correct(
                (row.id(), row.household) for row in corrections_in_force(one.base, one.corrected)
            )
        act.known.forget_settled(settled_by(read.policy, read.versions.office_time))
        _keep_times(act, read, reading)
    build_rights(
        folder.rights,
        versions=read.versions,
        policy=read.policy,
        roll=read.roll,
        trust=read.trust,
        bases=read.bases,
    )
    install_people(folder, read.people)
    return new


def _keep_times(act: Act, read: _Read, reading: Reading) -> None:
    """The signed times become floors.

    A thief of the online key may have signed a time far ahead, and no window would be open any
    more: a root that says so begins the online floor anew.
    """
    versions = read.versions
    online = Floor(versions.timestamp_time, reading.boottime, reading.boot_id)
    raise_floor(
        act.connection, "office", Floor(versions.office_time, reading.boottime, reading.boot_id)
    )
    if read.stolen:
        begin_floor(act.connection, "online", online)
    else:
        raise_floor(act.connection, "online", online)


def _standing(folder: TerminalFolder) -> Standing:
    try:
        rights = Rights(folder.rights)
    except RightsError:
        return Standing()
    try:
        return Standing(
            rights.versions,
            rights.policy.number,
            rights.blocked_cards(),
            rights.cleared(),
            rights.corrected(),
            rights.changes(),
            rights.changes_by(),
        )
    finally:
        rights.close()


def _take_acknowledgements(folder: TerminalFolder, journal: Journal) -> bool:
    """Keep the newest word of the province about this chain; those on others are passed over.

    Raises:
        RolledBackError: the province vouches for entries that this journal does not hold.
    """
    newest = journal.acknowledged()
    kept = False
    for word, data in _words_about(folder, journal):
        if newest is None or word.seq > newest.seq:
            check_vouched(journal, word)
            with journal.act() as act:
                kept = act.keep_acknowledgement(word, data) or kept
            newest = journal.acknowledged()
    return kept


def _words_about(folder: TerminalFolder, journal: Journal) -> list[tuple[Acknowledgement, bytes]]:
    """Acknowledgements of this terminal and epoch in the in-box, signed by the province log."""
    names = list_brought(folder.in_box, "acknowledgements")
    try:
        rights = Rights(folder.rights) if names else None
    except RightsError:
        rights = None
    if rights is None:
        return []
    me, found = journal.identity, []
    for name in names:
        data = read_brought(folder.in_box, name, size_max=ACKNOWLEDGEMENT_SIZE_MAX)
        if data is None:
            continue
        try:
            word = read_acknowledgement(data, rights.trust)
        except RecordError:
            continue
        if (word.terminal, word.epoch) == (me.terminal, me.epoch):
            found.append((word, data))
    rights.close()
    return found


def _plain(error: Exception) -> str:
    """One line of python-tuf's or the system's own words."""
    return " ".join(str(error).split())[:200] or type(error).__name__
