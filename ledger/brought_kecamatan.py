"""One kecamatan of what was brought: its rights as changed since the decree, its blocked cards.

The decree signs the base; the kecamatan's two sign what has changed since, within the policy's
bounds; the key on the network sets status bits. Each is verified by its own role, and none can do
the work of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuf.api.metadata import Targets

from card_codec.status import StatusList
from ledger.brought import Brought
from ledger.changes_file import (
    ChangesFile,
    Clearing,
    Correction,
    changes_path,
    path_of,
    read_named,
)
from ledger.errors import RightsError
from ledger.policy import Policy
from ledger.repository import online_role
from ledger.rights_build import BaseToInstall, Versions
from ledger.rights_file import (
    RightsBase,
    more_path,
    read_base,
    read_more,
    read_status,
    state_root,
    status_index,
    status_path,
)
from ledger.rights_in_force import check_not_dated_back, rights_in_force
from ledger.union import Known
from ledger.usage_file import newest_segment, read_usage, usage_path

USAGE_BYTES_MAX = 64 * 1024 * 1024
"""Of one kecamatan in one act: more than a year of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What of the installed ledger the next one must not take back.

    Attributes:
        policy: number of the policy.
        blocked: every card whose bit is set, as household and issue number.
        cleared: every clearing that was applied.
        corrected: every redemption that the installed changes take back.
        changes: number of the changes installed, by kecamatan.
        changes_by: which keys might sign them then.
    """

    versions: Versions = field(default_factory=lambda: Versions(0, 0, 0))
    policy: int = 0
    blocked: frozenset[tuple[bytes, int]] = frozenset()
    cleared: frozenset[Clearing] = frozenset()
    corrected: frozenset[Correction] = frozenset()
    changes: Mapping[str, int] = field(default_factory=dict)
    changes_by: Mapping[str, str] = field(default_factory=dict)


def kecamatan_rights(
    brought: Brought, kecamatan: str, policy: Policy, standing: Standing
) -> BaseToInstall:
    """A kecamatan's rights as they stand, with its blocked cards.

    Raises:
        RightsError: something of it is not what it should be.
        RecordError: a file is not what it claims to be.
    """
    base = read_base(brought.target(f"rights/{kecamatan}/base.cbor.zst"))
    if base.kecamatan != kecamatan:
        raise RightsError(f"the rights of {kecamatan} are those of {base.kecamatan}")
    changes = _changes(brought, kecamatan)
    rights = rights_in_force(base, changes, policy)
    cleared = frozenset(changes.cleared) if changes else frozenset[Clearing]()
    status = _still_blocked(base, standing, cleared).union(_status(brought, base))
    times = [brought.time(role, Targets) for role in ("targets", f"changes-{kecamatan}")]
    by = brought.keys_of(f"changes-{kecamatan}")
    corrected = _corrected(changes, standing, by) if changes else ()
    return BaseToInstall(rights, status, max(times), cleared, by, corrected)


def new_usage(brought: Brought, kecamatan: str, known: Known) -> list[bytes]:
    """Usage segments not taken in yet, in order, from one that was or where the chain begins.

    A segment is known by its bytes: a province put back from a copy uses numbers again.

    Raises:
        RightsError: one is missing, or names another.
        RecordError: one is no usage segment.
    """
    role = brought.delegated(online_role(kecamatan), usage_path(kecamatan, 1))
    number = newest_segment(role.targets, kecamatan)
    path = usage_path(kecamatan, number)
    digest = role.targets[path].hashes.get("sha256", "") if number else ""
    taken, found, size = known.segments(kecamatan), list[bytes](), 0
    while digest and digest not in taken:
        data = brought.segment(kecamatan, number, digest) if found else brought.target(path)
        size += len(data)
        if size > USAGE_BYTES_MAX:
            raise RightsError(f"the usage of {kecamatan} is too much to take at once")
        file, _ = read_usage(data)
        if (file.kecamatan, file.number) != (kecamatan, number):
            raise RightsError(f"usage {number} of {kecamatan} names another segment")
        found.append(data)
        number, digest = number - 1, file.prev.hex()
    return found[::-1]


def _changes(brought: Brought, kecamatan: str) -> ChangesFile | None:
    """What the kecamatan's own role says; another role may name the path, and is not heard."""
    role = brought.delegated(f"changes-{kecamatan}", path_of(kecamatan, 0))
    path = changes_path(role.targets, kecamatan)
    return None if path is None else read_named(path, brought.target(path))


def _corrected(changes: ChangesFile, standing: Standing, by: str) -> tuple[Correction, ...]:
    """What the changes take back, if they say of earlier ones what these said."""
    kecamatan = changes.kecamatan
    same = by == standing.changes_by.get(kecamatan)  # other keys begin their numbers anew
    heard = standing.changes.get(kecamatan, 0) if same else 0
    check_not_dated_back(changes, heard=heard, known=standing.corrected)
    return changes.corrected


def _still_blocked(
    base: RightsBase, standing: Standing, cleared: frozenset[Clearing]
) -> StatusList:
    """The cards seen blocked before, whatever list of households they stand in now.

    The key on the network sets status bits and cannot clear them. A clearing of the kecamatan
    takes off the blocks of before it, once: what is blocked again later stays blocked.
    """
    freed = {(c.household, c.issue) for c in cleared - standing.cleared}
    issues: dict[bytes, list[int]] = {}
    for household, issue in standing.blocked - freed:
        issues.setdefault(household, []).append(issue)
    bits = [
        status_index(ordinal, issue=issue, count=base.count)
        for ordinal, household in enumerate(base.ids())
        for issue in issues.get(household, ())
    ]
    return StatusList.from_indices(max([base.count, 1, *(bit + 1 for bit in bits)]), bits)


def _status(brought: Brought, base: RightsBase) -> StatusList:
    """The blocked cards as the online key lists them over the decree's base, and those since."""
    path, more = status_path(base.kecamatan), more_path(base.kecamatan)
    if not brought.holds(path):
        return StatusList(b"\0")
    file = read_status(brought.target(path))
    if file.kecamatan != base.kecamatan:
        raise RightsError(f"the blocked cards of {base.kecamatan} are those of {file.kecamatan}")
    if file.root != state_root(base):
        raise RightsError(f"the blocked cards of {base.kecamatan} are of other rights than brought")
    listed = StatusList.decode(file.bits)
    if not brought.holds(more):
        return listed
    since = read_more(brought.target(more))
    return listed.union(StatusList.from_indices(max(since) + 1, since))
