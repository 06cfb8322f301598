"""What a signing bundle changes, in words, worked out from its content where it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from tuf.api.metadata import Root, Targets

from card_codec.trust import TrustedKey, TrustList
from ledger.changes_file import ChangesFile
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.policy import Policy, Programme
from ledger.repository import says_stolen
from ledger.rights_file import HouseholdRow, RightsBase
from ledger.roll import Roll, Terminal, terminal_name
from provisioning.bundle_check import CHANGES_ROLE, Checked
from provisioning.policy_table import WIB
from provisioning.signing_bundle import Content

R = TypeVar("R")
NAMED_MAX = 5


def summary(content: Content, checked: Checked) -> list[str]:
    """One line for each thing that changes; the first says what the bundle is."""
    lines = [_title(content)]
    if checked.unsigned:
        lines.append(
            f"CAUTION: what this is compared with ({', '.join(checked.unsigned)}) bears no valid"
            " signatures; compare with the last publication you know"
        )
    lines += _root_lines(content)
    lines += _policy_lines(*_pair(checked, POLICY_PATH, Policy))
    lines += _roll_lines(*_pair(checked, ROLL_PATH, Roll))
    lines += _trust_lines(*_pair(checked, TRUST_PATH, TrustList))
    lines += _delegation_lines(content)
    for path, new in checked.new.items():
        if isinstance(new, RightsBase):
            before = checked.before.get(path)
            lines.append(_rights_line(before if isinstance(before, RightsBase) else None, new))
    people = sum(1 for path in checked.new if path.startswith("people/"))
    if people:
        lines.append(f"people of {people} desa, sealed to their terminals")
    lines += _changes_lines(content, checked)
    if len(lines) == 1:
        lines.append("no file changes; the time of the signature does")
    return lines


def _title(content: Content) -> str:
    at = datetime.fromtimestamp(content.bundle.prepared, UTC) + WIB
    when = f"of {at:%Y-%m-%d %H:%M} WIB"
    if "targets" in content.roles:
        return f"Decree {content.targets().version}, {when}"
    roles = ", ".join(role.removeprefix(CHANGES_ROLE) for role in content.roles)
    return f"Changes of {roles}, {when}"


def _pair(checked: Checked, path: str, kind: type[R]) -> tuple[R | None, R | None]:
    """A file as it is in force and as it will be."""
    before, new = checked.before.get(path), checked.new.get(path)
    return before if isinstance(before, kind) else None, new if isinstance(new, kind) else None


def _root_lines(content: Content) -> Iterator[str]:
    if "root" not in content.roles:
        return
    new = content.roles["root"].signed
    standing = content.standing.get("root")
    old: Root | None = standing.signed if standing else None
    yield f"root of trust {new.version}" + (f" (was {old.version})" if old else ": the first")
    if says_stolen(new):
        yield "  the online key of before was stolen: what it blocked and dated counts no more"
    for role in ("root", "targets", "timestamp", "snapshot"):
        before = set(old.roles[role].keyids) if old else set()
        words = _keys(content, before, set(new.roles[role].keyids))
        if words:
            yield f"  who signs {role}: {words}; {new.roles[role].threshold} must"


def _keys(content: Content, before: set[str], after: set[str]) -> str:
    gone = [f"no longer {content.holder_of(k)} ({k[:8]})" for k in sorted(before - after)]
    come = [f"{content.holder_of(k)} ({k[:8]})" for k in sorted(after - before)]
    return ", ".join([*gone, *come])


def _policy_lines(old: Policy | None, new: Policy | None) -> Iterator[str]:
    if new is None:
        return
    yield f"policy {new.number}" + (f" (was {old.number})" if old else ": the first")
    before = {p.number: p for p in old.programmes} if old else {}
    for programme in new.programmes:
        yield from _programme_lines(before.pop(programme.number, None), programme)
    for gone in before.values():
        yield f"  programme {gone.id} is no longer"
    fields = [name for name in new.__struct_fields__ if name not in {"number", "programmes"}]
    for name in fields if old else ():
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            plain = isinstance(now, str | int)
            yield f"  {name}: {was} → {now}" if plain else f"  {name} changes"


def _programme_lines(old: Programme | None, new: Programme) -> Iterator[str]:
    if old is None:
        yield f"  programme {new.id} is new, worth Rp{new.worth}, price Rp{new.price}"
        return
    for name in new.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield f"  programme {new.id}, {name}: {_brief(was)} → {_brief(now)}"


def _brief(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}…"


def _roll_lines(old: Roll | None, new: Roll | None) -> Iterator[str]:
    if new is None:
        return
    before = {(t.ordinal, t.epoch): t for t in old.terminals} if old else {}
    after = {(t.ordinal, t.epoch): t for t in new.terminals}
    yield f"roll of terminals {new.number}: {len(after)} terminals, were {len(before)}"
    yield from _named("new", [t for id, t in after.items() if id not in before])
    same = [(before[id], t) for id, t in after.items() if id in before]
    shut = [t for was, t in same if t.shut_out is not None and was.shut_out is None]
    yield from _named("shut out", shut)
    yield from _named("changed", [t for was, t in same if was != t and t not in shut])
    yield from _named("gone", [t for id, t in before.items() if id not in after])


def _named(what: str, terminals: list[Terminal]) -> Iterator[str]:
    if terminals:
        names = [f"{terminal_name(t.ordinal, t.epoch)} {t.name}" for t in terminals]
        more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
        yield f"  {what}: {', '.join(names[:NAMED_MAX])}{more}"


def _trust_lines(old: TrustList | None, new: TrustList | None) -> Iterator[str]:
    if new is None:
        return
    before = {k.key.spki: k for k in old.keys} if old else {}
    yield f"trust list {new.version}: {len(new.keys)} keys, were {len(before)}"
    for key in new.keys:
        was = before.get(key.key.spki)
        if was != key:
            name = f"{key.use} {key.holder} ({key.key.kid.hex()})"
            yield f"  {name}: {_standing_of(key) if was else 'new'}"


def _standing_of(key: TrustedKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "counts again" if key.valid_until is None else "ended"


def _delegation_lines(content: Content) -> Iterator[str]:
    """Whose keys for status, usage and the kecamatan change."""
    standing = content.standing.get("targets")
    if "targets" not in content.roles or standing is None:
        return
    old, new = _delegated(standing.signed), _delegated(content.targets())
    for role in sorted(old.keys() | new.keys()):
        words = _keys(content, old.get(role, set()), new.get(role, set()))
        if words:
            yield f"who signs {role}: {words}"


def _delegated(targets: Targets) -> dict[str, set[str]]:
    roles = (targets.delegations.roles or {}) if targets.delegations else {}
    return {name: set(role.keyids) for name, role in roles.items()}


def _rights_line(old: RightsBase | None, new: RightsBase) -> str:
    if old is None:
        return f"rights of {new.kecamatan}: {new.count} households, the first"
    before = {row.household: row for row in old.rows()}
    after = {row.household: row for row in new.rows()}
    both = [(before[id], row) for id, row in after.items() if id in before]
    counts = {
        "new": len(after.keys() - before.keys()),
        "gone": len(before.keys() - after.keys()),
        **{words: sum(1 for pair in both if differs(*pair)) for words, differs in DIFFERENCES},
    }
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    told = told or "each as before"
    return f"rights of {new.kecamatan}: {new.count} households, were {old.count}; {told}"


def _moved(was: HouseholdRow, now: HouseholdRow) -> bool:
    return was.desa != now.desa


def _other_class(was: HouseholdRow, now: HouseholdRow) -> bool:
    return was.class_number != now.class_number


def _other_card(was: HouseholdRow, now: HouseholdRow) -> bool:
    return was.issue != now.issue


def _other_state(was: HouseholdRow, now: HouseholdRow) -> bool:
    return was.flags != now.flags


def _other_persons(was: HouseholdRow, now: HouseholdRow) -> bool:
    return was.members != now.members


DIFFERENCES = (
    ("in another desa", _moved),
    ("of another class", _other_class),
    ("with another card", _other_card),
    ("in another state", _other_state),
    ("with other rights of persons", _other_persons),
)


def _changes_lines(content: Content, checked: Checked) -> Iterator[str]:
    new = {c.kecamatan: c for c in _changes(checked.new)}
    before = {c.kecamatan: c for c in _changes(checked.before)}
    for kecamatan, changes in new.items():
        was = before.get(kecamatan)
        counts = [
            f"{_count(getattr(was, kind, ()), getattr(changes, kind))} {words}"
            for kind, words in (
                ("removed", "removed"), ("moved", "moved"), ("replaced", "with a newer card"),
                ("lowered", "of a lower class"), ("cleared", "blocks taken off"),
                ("corrected", "redemptions taken back"),
            )
        ]  # fmt: skip
        yield f"changes {changes.number} of {kecamatan} since the decree: {', '.join(counts)}"
        yield from _corrected_lines(was, changes)
    renewed = [r.removeprefix(CHANGES_ROLE) for r in content.roles if r.startswith(CHANGES_ROLE)]
    renewed = [kecamatan for kecamatan in renewed if kecamatan not in new]
    if renewed:
        yield f"signed anew, nothing changed: the roles of {len(renewed)} kecamatan"


def _corrected_lines(was: ChangesFile | None, now: ChangesFile) -> Iterator[str]:
    """Each redemption that is taken back by this, in full: nothing undoes it."""
    before = {(row.id(), row.household) for row in was.corrected} if was else set()
    new = [row for row in now.corrected if (row.id(), row.household) not in before]
    for row in new:
        yield f"  takes back {row.id().number()} of household {row.household.hex()}"
    if new:
        yield (
            "  what is taken back counts as never taken, for good. Whether it was ever heard of is"
            " not known here: what was not is taken back when it arrives, what is of another"
            " household not at all"
        )


def _changes(files: Mapping[str, object]) -> Iterable[ChangesFile]:
    return (file for file in files.values() if isinstance(file, ChangesFile))


def _count(was: tuple[object, ...], now: tuple[object, ...]) -> str:
    return str(len(now)) if len(was) == len(now) else f"{len(now)} (was {len(was)})"
