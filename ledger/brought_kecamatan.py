"""One kecamatan of what was brought: its rights as changed since the decree, its blocked cards.

The decree signs the base; the kecamatan's two sign what has changed since, within the policy's
bounds; the key on the network sets status bits. Each is verified by its own role, and none can do
the work of another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuf.api.metadata import Targets

from card_codec.status import StatusList
from ledger.brought import Brought
from ledger.changes_file import (
    ChangesFile,
    Clearing,
    changes_path,
    path_of,
    read_named,
    rights_in_force,
)
from ledger.element import read_usage
from ledger.errors import RightsError
from ledger.policy import Policy
from ledger.rights_build import BaseToInstall, Versions
from ledger.rights_file import RightsBase, read_base, read_status, state_root, status_index
from ledger.union import Known

USAGE_NAME = re.compile(r"usage/([0-9]{6})/([1-9][0-9]{0,8})\.cbor\.zst")


@dataclass(frozen=True, slots=True)
class Standing:
    """What of the installed ledger the next one must not take back.

    Attributes:
        policy: number of the policy.
        blocked: every card whose bit is set, as household and issue number.
        cleared: every clearing that was applied.
        changes: number of the changes installed, by kecamatan.
        changes_by: which keys might sign them then.
    """

    versions: Versions = field(default_factory=lambda: Versions(0, 0, 0))
    policy: int = 0
    blocked: frozenset[tuple[bytes, int]] = frozenset()
    cleared: frozenset[Clearing] = frozenset()
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
    return BaseToInstall(rights, status, max(times), cleared, by)


def new_usage(brought: Brought, kecamatan: str, known: Known) -> list[bytes]:
    """Usage segments not taken in yet, in order; the numbers have no gaps.

    A segment is known by its bytes: a province put back from a copy uses numbers again.

    Raises:
        RightsError: one is missing, or names another.
        RecordError: one is no usage segment.
    """
    next_one = known.next_segment(kecamatan)
    role = brought.delegated("usage", f"usage/{kecamatan}/{next_one}.cbor.zst")
    named = (USAGE_NAME.fullmatch(name) for name in role.targets)
    numbers = sorted(int(n[2]) for n in named if n and n[1] == kecamatan)
    missing = set(range(next_one, max(numbers, default=0))) - set(numbers)
    if missing:
        raise RightsError(
            f"usage {min(missing)} of {kecamatan} is missing, and later ones were brought"
        )
    taken = known.segments(kecamatan)
    found: list[bytes] = []
    for number in numbers:
        path = f"usage/{kecamatan}/{number}.cbor.zst"
        if role.targets[path].hashes.get("sha256") in taken:
            continue
        data = brought.target(path)
        file, _ = read_usage(data)
        if (file.kecamatan, file.number) != (kecamatan, number):
            raise RightsError(f"usage {number} of {kecamatan} names another segment")
        found.append(data)
    return found


def _changes(brought: Brought, kecamatan: str) -> ChangesFile | None:
    """What the kecamatan's own role says; another role may name the path, and is not heard."""
    role = brought.delegated(f"changes-{kecamatan}", path_of(kecamatan, 0))
    path = changes_path(role.targets, kecamatan)
    return None if path is None else read_named(path, brought.target(path))


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
    """The blocked cards as the online key lists them over the decree's base."""
    path = f"status/{base.kecamatan}.cbor"
    if not brought.holds(path):
        return StatusList(b"\0")
    file = read_status(brought.target(path))
    if file.kecamatan != base.kecamatan:
        raise RightsError(f"the blocked cards of {base.kecamatan} are those of {file.kecamatan}")
    if file.root != state_root(base):
        raise RightsError(f"the blocked cards of {base.kecamatan} are of other rights than brought")
    return StatusList.decode(file.bits)
