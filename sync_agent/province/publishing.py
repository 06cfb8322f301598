"""What the online key signs: usage, blocked cards, and the time. It can only take away.

Whoever changes the repository holds the province's lock: the intake, a release and a block may
come from different processes. A reader needs no lock, since the timestamp is written last.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Targets, Timestamp

from card_codec.status import StatusList
from ledger.errors import RecordError, RightsError
from ledger.repository import Repository, online_role, signed_time, tuf_signer
from ledger.rights_file import (
    RightsBase,
    StatusFile,
    more_path,
    read_base,
    read_more,
    read_status,
    state_root,
    status_index,
    status_path,
    write_more,
    write_status,
)
from ledger.usage_file import newest_segment, usage_path, write_usage
from sync_agent.errors import ProvinceError
from sync_agent.province.folder import ProvinceFolder
from sync_agent.province.installed import Installed
from sync_agent.province.proved import Proved, mark_pieces, unpublished_pieces
from sync_agent.province.store import (
    Store,
    Unpublished,
    blocked_cards,
    chains,
    cleared_cards,
    keep_block,
    mark_published,
    unpublished,
)

VERSIONS_SKIPPED = 1_000_000
"""More than a province publishes between two copies of it."""
RENEW = timedelta(days=180)
"""A role that says nothing new is signed anew when it has less than this left."""
MORE_MAX = 250
"""Cards blocked since the list was made; with more of them it is made anew."""
TIME_IS_OLD = 3_600
"""Seconds after which an offer gets a newly signed time."""


@contextmanager
def publishing(province: ProvinceFolder) -> Iterator[None]:
    """Hold the right to change the repository, across threads and processes."""
    handle = os.open(province.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def publish_usage(
    province: ProvinceFolder,
    store: Store,
    *,
    now: int,
    only: Sequence[tuple[int, int]] | None = None,
) -> int:
    """Bring every redemption not yet carried into the next segments; returns how many.

    The segments are signed before the store remembers them: a crash between the two makes an
    element ride twice, which a union does not notice.

    Args:
        province: whose repository it is.
        store: where redemptions wait.
        now: Unix seconds.
        only: look only at these (terminal, epoch), which have just brought something.

    Raises:
        ProvinceError: the store or the keys are not in order.
        LedgerError: the repository cannot be read or written.
    """
    with publishing(province):
        with store.reading() as db:
            looked_at = chains(db) if only is None else only
            waiting = [one for own in looked_at for one in unpublished(db, *own)]
        if not waiting:
            return 0
        carried = _carry(province, waiting, now=now)
        with store.writing() as db:
            for kecamatan, (number, some) in carried.items():
                mark_published(db, kecamatan, number, [one.id for one in some])
        return sum(one.element is not None for one in waiting)


def publish_proved(
    province: ProvinceFolder, store: Store, installed: Installed, *, now: int
) -> int:
    """Bring what evidence proves into the next segments; returns how many elements.

    Raises:
        ProvinceError: the store or the keys are not in order.
        LedgerError: the repository cannot be read or written.
    """
    with publishing(province):
        with store.reading() as db:
            pieces = unpublished_pieces(db, installed.rights.roll)
        if not pieces:
            return 0
        waiting = [_of_proof(one, installed) for _, own in pieces for one in own]
        if waiting:
            _carry(province, waiting, now=now)
        with store.writing() as db:
            mark_pieces(db, [piece for piece, _ in pieces])
        return len(waiting)


def _of_proof(one: Proved, installed: Installed) -> Unpublished:
    id = one.entry.id
    terminal = installed.listed(id.terminal, id.epoch)
    (kecamatan,) = installed.kecamatan([one.content.household], terminal)
    return Unpublished(id, kecamatan, one.entry.element())


def _carry(
    province: ProvinceFolder, waiting: Sequence[Unpublished], *, now: int
) -> dict[str, tuple[int, list[Unpublished]]]:
    """Sign and publish the next segment of each kecamatan; its number, and what it carries."""
    by_kecamatan: dict[str, list[Unpublished]] = defaultdict(list)
    for one in waiting:
        by_kecamatan[one.kecamatan].append(one)
    repository, online = province.repository, tuf_signer(province.key("online"))
    carried = {}
    for kecamatan, some in by_kecamatan.items():
        signed = load_online(repository, kecamatan)
        carried[kecamatan] = add_segment(repository, signed, kecamatan, some), some
        repository.sign(signed, online_role(kecamatan), signers=[online], now=now)
    repository.publish(online, now=now)
    return carried


def load_online(repository: Repository, kecamatan: str) -> Targets:
    """What the online key says of a kecamatan; nothing before it has said anything."""
    role = online_role(kecamatan)
    return repository.load(role, Targets) if repository.versions(role) else Targets()


def add_segment(
    repository: Repository, signed: Targets, kecamatan: str, some: Sequence[Unpublished]
) -> int:
    """The next segment of a kecamatan, in the place of the newest; returns its number."""
    last = newest_segment(signed.targets, kecamatan)
    prev = b""
    if last:
        before = signed.targets.pop(usage_path(kecamatan, last))
        prev = bytes.fromhex(before.hashes["sha256"])
    data = write_usage(
        kecamatan,
        last + 1,
        [one.element for one in some if one.element],
        prev=prev,
        voids=[one.void for one in some if one.void],
    )
    repository.add_target(signed, usage_path(kecamatan, last + 1), data)
    return last + 1


def publish_block(
    province: ProvinceFolder, store: Store, *, household: bytes, issue: int, reason: str, now: int
) -> bool:
    """Block one card and publish it; False when it was blocked already.

    Raises:
        ProvinceError: no release lists the household.
    """
    with publishing(province):
        bases = decree_bases(province.repository)
        if not any(household in _ordinals(base) for base in bases.values()):
            raise ProvinceError(
                f"no household {household.hex()} in the release in force; check the number"
            )
        with store.writing() as db:
            new = keep_block(db, household, issue, reason=reason, at=now)
        sign_status(province, store, now=now)
        province.repository.publish(tuf_signer(province.key("online")), now=now)
    return new


def sign_status(
    province: ProvinceFolder, store: Store, *, now: int, forgetting: bool = False
) -> dict[str, StatusList]:
    """Sign the blocked cards of every kecamatan anew (not yet public); the lock is held.

    Args:
        province: whose repository it is.
        store: where blocks are kept.
        now: Unix seconds.
        forgetting: leave out what was published and the store does not hold: a thief's.
    """
    repository, online = province.repository, tuf_signer(province.key("online"))
    with store.reading() as db:
        cards, freed = blocked_cards(db), cleared_cards(db)
    lists = {}
    for kecamatan, base in decree_bases(repository).items():
        old = load_online(repository, kecamatan)
        said = Targets() if forgetting else old
        lists[kecamatan] = _status_of(base, cards).union(_published(repository, said, base, freed))
        signed = Targets(
            targets={p: info for p, info in old.targets.items() if p.startswith("usage/")}
        )
        _name_status(repository, said, signed, base, lists[kecamatan])
        sign_if_new(repository, signed, online_role(kecamatan), online, now=now)
    return lists


def _name_status(
    repository: Repository, old: Targets, signed: Targets, base: RightsBase, wanted: StatusList
) -> None:
    """Name the list as it stands; or the one published before, and the cards blocked since."""
    path, more = status_path(base.kecamatan), more_path(base.kecamatan)
    listed = _listed(repository, old, base)
    if listed is not None:
        before, now = listed.indices(), wanted.indices()
        if before <= now and len(now - before) <= MORE_MAX:
            signed.targets[path] = old.targets[path]
            if now - before:
                repository.add_target(signed, more, write_more(now - before))
            return
    file = StatusFile("khb-status-1", base.kecamatan, state_root(base), wanted.encode())
    repository.add_target(signed, path, write_status(file))


def sign_if_new(
    repository: Repository, signed: Targets, role: str, online: CryptoSigner, *, now: int
) -> None:
    """Sign a role unless what is held says the same, by the same key, for long enough yet.

    Every version is fetched by every terminal: a release that blocks nobody must cost them nothing.
    """
    versions = repository.versions(role)
    if versions:
        path = repository.metadata / f"{versions[-1]}.{role}.json"
        metadata: Metadata[Any] = Metadata.from_file(str(path))
        held = metadata.signed
        lasts = held.expires - datetime.fromtimestamp(now, UTC) > RENEW
        if held.targets == signed.targets and lasts and _is_signed(metadata, online):
            return
    repository.sign(signed, role, signers=[online], now=now)


def _is_signed(metadata: Metadata[Any], online: CryptoSigner) -> bool:
    """Whether the key of now signed it: after a rotation all is signed anew."""
    key = online.public_key
    try:
        key.verify_signature(metadata.signatures[key.keyid], metadata.signed_bytes)
    except (KeyError, UnverifiedSignatureError, VerificationError):
        return False
    return True


def publish_restored(province: ProvinceFolder, *, now: int) -> int:
    """Publish anew what was put back from a copy, under versions that nobody has seen yet.

    Terminals never go back to an older ledger, and after the copy newer ones had gone out. What
    the copy lacks the terminals send again; they take every segment that they do not hold.

    Returns:
        The ledger version published.

    Raises:
        ProvinceError: no release was ever taken here.
        LedgerError: the repository cannot be read or written.
    """
    with publishing(province):
        repository, online = province.repository, tuf_signer(province.key("online"))
        if not repository.versions("targets"):
            raise ProvinceError("no release was ever taken here; nothing was put back")
        for role in [r for r in repository.roles() if r.startswith(online_role(""))]:
            signed = repository.load(role, Targets)
            repository.sign(signed, role, signers=[online], now=now, skipping=VERSIONS_SKIPPED)
        return repository.publish(online, now=now, skipping=VERSIONS_SKIPPED)


def keep_time(province: ProvinceFolder, *, now: int) -> None:
    """Sign the time anew when it is old, so that a quiet week does not age anyone's rights.

    Raises:
        LedgerError: nothing was published yet, or the disk refused.
    """
    repository = province.repository
    if now - signed_time(repository.load("timestamp", Timestamp)) < TIME_IS_OLD:
        return
    with publishing(province):
        held = repository.load("timestamp", Timestamp)
        if now - signed_time(held) >= TIME_IS_OLD:
            fresh = Timestamp(snapshot_meta=MetaFile(held.snapshot_meta.version))
            online = tuf_signer(province.key("online"))
            repository.sign(fresh, "timestamp", signers=[online], now=now)


def decree_bases(repository: Repository) -> dict[str, RightsBase]:
    """The rights of every kecamatan, as the decree in force signs them.

    Raises:
        RightsError: nothing was released yet, or a file is damaged.
    """
    targets = repository.load("targets", Targets)
    found = {}
    for path in targets.targets:
        if path.startswith("rights/"):
            try:
                found[path.split("/")[1]] = read_base(repository.target_bytes(targets, path))
            except RecordError as error:
                raise RightsError(f"{path} in the repository is damaged: {error}") from error
    return found


def _status_of(base: RightsBase, cards: set[tuple[bytes, int]]) -> StatusList:
    ordinals = _ordinals(base)
    mine = [(ordinals[household], issue) for household, issue in cards if household in ordinals]
    highest = max([1, *base.issues, *(issue for _, issue in mine)])
    indices = [status_index(o, issue=issue, count=base.count) for o, issue in mine]
    return StatusList.from_indices(max(1, base.count * highest), indices)


def _published(
    repository: Repository, status: Targets, base: RightsBase, freed: set[tuple[bytes, int]]
) -> StatusList:
    """The bits published before over the same base: they stay, whatever the store has lost.

    But for those of cards that the kecamatan has freed.
    """
    listed, more = _listed(repository, status, base), more_path(base.kecamatan)
    if listed is None:
        return StatusList(b"\0")
    bits = listed
    if more in status.targets:
        since = read_more(repository.target_bytes(status, more))
        bits = listed.union(StatusList.from_indices(max(since) + 1, since))
    ordinals = _ordinals(base)
    clear = {
        status_index(ordinals[household], issue=issue, count=base.count)
        for household, issue in freed
        if household in ordinals
    }
    return StatusList.from_indices(bits.size, bits.indices() - clear) if clear else bits


def _listed(repository: Repository, status: Targets, base: RightsBase) -> StatusList | None:
    """The list published before, if it counts over this base."""
    path = status_path(base.kecamatan)
    if path not in status.targets:
        return None
    file = read_status(repository.target_bytes(status, path))
    return StatusList.decode(file.bits) if file.root == state_root(base) else None


def _ordinals(base: RightsBase) -> dict[bytes, int]:
    ids = (base.households[i * 8 : i * 8 + 8] for i in range(base.count))
    return {id: ordinal for ordinal, id in enumerate(ids)}
