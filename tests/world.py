"""A small, real world for tests: an office with real keys, a signed ledger, two terminals.

Everything goes through the production code: TUF roles signed with their thresholds, files laid
in a real in-box, real journals. Only the clock is the test's own.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuf.api.metadata import DelegatedRole, Delegations, Key, Root, Targets

from card_codec.credential import CardKind, Credential, issue_credential
from card_codec.keys import PrivateKey
from card_codec.qr.text import write_text
from card_codec.status import StatusList
from card_codec.trust import KeyUse, TrustedKey, TrustList, encode_trust_list
from ledger.changes_file import ChangesFile, Wanted, make_changes, write_changes
from ledger.chip_keys import ChipKeys
from ledger.clock import Reading
from ledger.custody import open_day
from ledger.day_room import DayRoom
from ledger.element import Element
from ledger.folder import TerminalFolder, open_folder
from ledger.locked_key import PinCost
from ledger.policy import (
    DAY,
    ClassQuantity,
    ExceptionQuota,
    FreshnessStep,
    HouseholdClass,
    Limit,
    Place,
    Policy,
    Programme,
    Scope,
    Window,
    Words,
    write_policy,
)
from ledger.repository import Repository, online_role, tuf_key, tuf_signer
from ledger.rights_file import (
    HouseholdRow,
    MemberRight,
    RightsBase,
    StatusFile,
    make_base,
    state_root,
    status_index,
    status_path,
    write_base,
    write_status,
)
from ledger.roll import Roll, Terminal, write_roll
from ledger.usage_file import SignedVoid, usage_path, write_usage
from terminal.counter import Counter, open_counter
from terminal.init import add_sealing_key, ensure_journal, make_keys
from tests.villagers import Villagers

NOW = 1_790_000_000
KEC_1, KEC_2 = "629901", "629902"
DESA_1, DESA_2 = "6299012001", "6299022001"
AUDIENCE = "KHB26"
PIN = "620000"
CHEAP_PIN = PinCost(64, 1)


class FakeClock:
    """A clock a test sets. Boot time runs with the wall unless told otherwise."""

    def __init__(self, wall: int = NOW) -> None:
        self.wall = wall
        self.boottime = 1000
        self.boot_id = b"bootboot"

    def pass_time(self, seconds: int) -> None:
        """Both clocks run on."""
        self.wall += seconds
        self.boottime += seconds

    def reboot(self, *, wall: int) -> None:
        """A new boot, with whatever the wall clock says now."""
        self.boot_id = hashlib.sha256(self.boot_id).digest()[:8]
        self.boottime, self.wall = 0, wall

    def read(self) -> Reading:
        return Reading(self.wall, self.boottime, self.boot_id)


def programmes() -> tuple[Programme, ...]:
    """Four programmes, one of each scope and kind that matters."""
    window = Window(1, "Tahap 1", NOW - 30 * DAY, NOW + 60 * DAY)
    rows = [
        (1, "pangan", Scope.HOUSEHOLD, Limit.QUANTITY, "paket", 0, 150_000),
        (2, "pasar-murah", Scope.HOUSEHOLD, Limit.QUANTITY, "paket", 15_000, 140_000),
        (3, "klinik", Scope.PERSON, Limit.VISITS, "kunjungan", 0, 25_000),
        (4, "seragam", Scope.PERSON, Limit.ONCE, "set", 0, 250_000),
        (5, "jkn", Scope.PERSON, Limit.STATUS, "catatan", 0, 0),
    ]
    return tuple(
        Programme(
            number,
            id,
            Words(id, id),
            scope,
            limit,
            Words(unit, unit),
            "isi",
            price,
            worth,
            on_card=False,
            windows=(window,),
        )
        for number, id, scope, limit, unit, price, worth in rows
    )


@dataclass
class World:
    """The office, its keys, its roster, and the terminals."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    root_keys: list[PrivateKey] = field(default_factory=lambda: _keys(3))
    decree_keys: list[PrivateKey] = field(default_factory=lambda: _keys(3))
    kecamatan_keys: dict[str, list[PrivateKey]] = field(
        default_factory=lambda: {KEC_1: _keys(2), KEC_2: _keys(2)}
    )
    online: PrivateKey = field(default_factory=PrivateKey.generate)
    log: PrivateKey = field(default_factory=PrivateKey.generate)
    issuer: PrivateKey = field(default_factory=PrivateKey.generate)
    verdict_keys: list[TrustedKey] = field(default_factory=list)
    rows: dict[str, dict[bytes, HouseholdRow]] = field(
        default_factory=lambda: {KEC_1: {}, KEC_2: {}}
    )
    blocked: dict[str, list[tuple[bytes, int]]] = field(
        default_factory=lambda: {KEC_1: [], KEC_2: []}
    )
    usage: dict[str, list[bytes]] = field(default_factory=lambda: {KEC_1: [], KEC_2: []})
    changes: dict[str, ChangesFile] = field(default_factory=dict)
    folded: dict[str, int] = field(default_factory=dict)
    terminals: list[Terminal] = field(default_factory=list)
    policy_number: int = 0
    villagers: Villagers = field(default_factory=Villagers)
    freshness: tuple[FreshnessStep, ...] = (
        FreshnessStep(7, 100),
        FreshnessStep(14, 50),
        FreshnessStep(30, 0),
    )
    programmes: tuple[Programme, ...] = field(default_factory=programmes)
    chip_keys: tuple[ChipKeys, ...] = ()
    exceptions: tuple[ExceptionQuota, ...] = ()

    # --- roster ---

    def household(
        self, name: str, *, kecamatan: str = KEC_1, class_number: int = 1, issue: int = 1,
        flags: int = 0, members: tuple[MemberRight, ...] = (),
    ) -> bytes:  # fmt: skip
        """List a household; its id follows from its name."""
        id = hashlib.sha256(name.encode()).digest()[:8]
        desa = DESA_1 if kecamatan == KEC_1 else DESA_2
        self.rows[kecamatan][id] = HouseholdRow(id, desa, issue, class_number, flags, members)
        return id

    def card(
        self, household: bytes, *, issue: int = 1, kind: CardKind = CardKind.CARD,
        signer: PrivateKey | None = None, expires: int = NOW + 900 * DAY, audience: str = AUDIENCE,
    ) -> str:  # fmt: skip
        """Issue a paper card: its KHB1 text."""
        credential = Credential(
            household=household, issue=issue, kind=kind, issuer="ID-KT", audience=audience,
            issued_at=NOW - 10 * DAY, expires_at=expires, name="Ibu Uji", chip_uid=None,
            photo=None,
        )  # fmt: skip
        return write_text(issue_credential(credential, signer or self.issuer))

    # --- terminals ---

    def terminal(self, name: str, *, home: str = KEC_1, away: int = 5) -> TerminalFolder:
        """Enrol a terminal that holds both kecamatan."""
        ordinal = len(self.terminals) + 1
        root = self.folder / name
        self.give_keys(root, ordinal)
        (root / "terminal.toml").write_text(
            f'ordinal = {ordinal}\nepoch = 1\nname = "{name}"\npoint = "Balai {name}"\n'
            f'officer = "UJI"\nhome = "{home}"\nprovince = "http://127.0.0.1:1"\n'
        )
        folder = open_folder(root)
        self.terminals.append(
            Terminal(
                ordinal=ordinal,
                epoch=1,
                name=name,
                point=f"Balai {name}",
                home=home,
                holds=(KEC_1, KEC_2),
                away_households=away,
                spki=folder.signer().public.spki,
                enrolled=NOW - DAY,
                shut_out=None,
            )
        )
        ensure_journal(folder)
        return folder

    def give_keys(self, root: Path, ordinal: int) -> None:
        """Its signing key and its sealing key, of which the office learns the public halves."""
        make_keys(root)
        add_sealing_key(root, PIN, randomness=secrets.token_bytes, cost=CHEAP_PIN)
        self.villagers.recipients[ordinal] = (root / "keys" / "sealing.pub").read_text().strip()

    def counter(self, folder: TerminalFolder, *, clock: FakeClock | None = None) -> Counter:
        """Open a counter on the test's clock."""
        return open_counter(folder, clock=clock or self.clock, room=self.room(folder))

    def room(self, folder: TerminalFolder) -> DayRoom:
        """Where the day's key of a terminal lies: outside of its disk, as memory does."""
        return DayRoom(self.folder / ".memory" / folder.root.name)

    def open_day(self, folder: TerminalFolder) -> None:
        """As `betang-terminal open-day` does."""
        (self.folder / ".memory").mkdir(mode=0o700, exist_ok=True)
        open_day(folder, self.room(folder), PIN, self.clock.read())

    # --- publishing ---

    @property
    def repository(self) -> Repository:
        """The province's repository, as the agent would find it."""
        return Repository(self.folder / "repository")

    def publish(self) -> int:
        """Sign and publish everything anew; returns the ledger version."""
        repository, now = self.repository, self.clock.wall
        if not repository.versions("root"):
            self.sign_root()
        targets = self.decree_targets()
        decree = [tuf_signer(k) for k in self.decree_keys[:2]]
        repository.sign(targets, "targets", signers=decree, now=now)
        for kecamatan, keys in self.kecamatan_keys.items():
            self.sign_changes(kecamatan, keys)
        self.sign_online_roles()
        return repository.publish(tuf_signer(self.online), now=now)

    def base(self, kecamatan: str) -> RightsBase:
        """What the decree lists of a kecamatan."""
        rows, changes = self.rows[kecamatan].values(), self.folded.get(kecamatan, 0)
        return make_base(
            kecamatan, period=self.villagers.period, number=1, rows=rows, changes=changes
        )

    def change(self, kecamatan: str = KEC_1, *, number: int | None = None, **wanted: Any) -> None:
        """What the kecamatan's next file says, all changes since the decree together."""
        before = self.changes.get(kecamatan)
        number = number or (before.number + 1 if before else 1)
        self.changes[kecamatan] = make_changes(
            self.base(kecamatan), number=number, wanted=Wanted(**wanted)
        )

    def sign_changes(self, kecamatan: str, keys: list[PrivateKey]) -> None:
        """A kecamatan's role, with its changes if it has any."""
        targets = Targets()
        if changes := self.changes.get(kecamatan):
            path = f"changes/{kecamatan}/{changes.number}.cbor.zst"
            self.repository.add_target(targets, path, write_changes(changes))
        signers = [tuf_signer(k) for k in keys]
        self.repository.sign(targets, f"changes-{kecamatan}", signers=signers, now=self.clock.wall)

    def sign_root(self) -> None:
        """The root of trust: 2 of 3 for root and decree, the online key for the rest."""
        root = Root(consistent_snapshot=True)
        for role, keys, threshold in (
            ("root", self.root_keys, 2), ("targets", self.decree_keys, 2),
            ("snapshot", [self.online], 1), ("timestamp", [self.online], 1),
        ):  # fmt: skip
            root.roles[role].threshold = threshold
            for key in keys:
                root.add_key(tuf_key(key), role)
        signers = [tuf_signer(k) for k in self.root_keys[:2]]
        self.repository.sign(root, "root", signers=signers, now=self.clock.wall)

    def decree_targets(self) -> Targets:
        """What the decree signs: policy, roll, trust, bases, and who else may sign what."""
        targets, add = Targets(), self.repository.add_target
        policy = self.policy()
        add(targets, "policy/policy.cbor", write_policy(policy))
        add(
            targets, "terminals/roll.cbor", write_roll(Roll("khb-roll-1", 1, tuple(self.terminals)))
        )
        add(targets, "issuers/trust.cbor", encode_trust_list(self.trust()))
        for kecamatan in self.rows:
            add(targets, f"rights/{kecamatan}/base.cbor.zst", write_base(self.base(kecamatan)))
        for path, sealed in self.villagers.sealed(policy):
            add(targets, path, sealed)
        keys: dict[str, Key] = {}
        roles: dict[str, DelegatedRole] = {}
        for name, holders, paths in (
            *(
                (online_role(k), [self.online], [f"usage/{k}/*", f"status/{k}/*"])
                for k in self.kecamatan_keys
            ),
            *((f"changes-{k}", v, [f"changes/{k}/*"]) for k, v in self.kecamatan_keys.items()),
        ):
            public = [tuf_key(k) for k in holders]
            keys.update({k.keyid: k for k in public})
            roles[name] = DelegatedRole(
                name, [k.keyid for k in public], len(public), terminating=False, paths=paths
            )
        targets.delegations = Delegations(keys, roles)
        return targets

    def sign_online_roles(self) -> None:
        """Blocked cards and usage of each kecamatan, signed by the online key."""
        repository, online, now = self.repository, tuf_signer(self.online), self.clock.wall
        for kecamatan, rows in self.rows.items():
            said = Targets()
            base = self.base(kecamatan)
            order = sorted(rows)
            set_bits = [
                status_index(order.index(id), issue=issue, count=base.count)
                for id, issue in self.blocked[kecamatan]
            ]
            bits = StatusList.from_indices(max(3 * base.count, 1), set_bits).encode()
            file = StatusFile("khb-status-1", kecamatan, state_root(base), bits)
            repository.add_target(said, status_path(kecamatan), write_status(file))
            segments = self.usage[kecamatan]
            for number, data in enumerate(segments, 1):
                path = usage_path(kecamatan, number)
                if number == len(segments):
                    repository.add_target(said, path, data)
                else:
                    repository.lay(path, data)
            repository.sign(said, online_role(kecamatan), signers=[online], now=now)

    def add_usage(
        self, *elements: Element, kecamatan: str = KEC_1, voids: tuple[SignedVoid, ...] = ()
    ) -> None:
        """The next usage segment of a kecamatan."""
        segments = self.usage[kecamatan]
        prev = hashlib.sha256(segments[-1]).digest() if segments else b""
        number = len(segments) + 1
        segments.append(write_usage(kecamatan, number, elements, prev=prev, voids=voids))

    def policy(self) -> Policy:
        """The policy, one number higher each time."""
        self.policy_number += 1
        quantities = (ClassQuantity(1, 1), ClassQuantity(2, 1))
        home = {t.home: t.ordinal for t in reversed(self.terminals)}
        return Policy(
            form="khb-policy-2", number=self.policy_number, decree="SK 1/2026", audience=AUDIENCE,
            programmes=self.programmes,
            classes=(
                HouseholdClass(1, quantities),
                HouseholdClass(2, (ClassQuantity(1, 2), ClassQuantity(2, 1))),
                HouseholdClass(3, ()),
            ),
            places=(
                Place(DESA_1, "Desa Satu", home.get(KEC_1, 0)),
                Place(DESA_2, "Desa Dua", home.get(KEC_2, 0)),
            ),
            home_exceptions=(), freshness=self.freshness, quiet_days=30, complaints="0536-000",
            look_up=self.villagers.look_up, chip_keys=self.chip_keys,
            exceptions=self.exceptions,
        )  # fmt: skip

    def trust(self) -> TrustList:
        """Card issuer and province log, and who may find verdicts, if anybody."""
        return TrustList(
            1,
            [
                TrustedKey(self.issuer.public, KeyUse.ISSUER, "ID-KT", 0, None, None),
                TrustedKey(self.log.public, KeyUse.LOG, "province", 0, None, None),
                *self.verdict_keys,
            ],
        )

    def bring(self, folder: TerminalFolder) -> None:
        """Lay the whole repository into a terminal's in-box, as an agent would."""
        self.give_root(folder)
        shutil.copytree(self.repository.folder, folder.in_box, dirs_exist_ok=True)

    def give_root(self, folder: TerminalFolder) -> None:
        """What enrolment does: the first root of trust."""
        if not folder.first_root.exists():
            shutil.copyfile(self.repository.metadata / "1.root.json", folder.first_root)


def _keys(count: int) -> list[PrivateKey]:
    return [PrivateKey.generate() for _ in range(count)]
