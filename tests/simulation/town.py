"""The town: an office, a province, terminals and families, made once and copied for each seed."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from card_codec.keys import Algorithm, PrivateKey
from card_codec.reason import Reason
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.folder import TerminalFolder, open_folder
from ledger.policy import ExceptionQuota
from ledger.rights_file import FLAG_CHIP, MemberRight
from ledger.roll import Terminal
from sync_agent.province.province import Province
from tests.simulation.chips import give_masters, has_chip, programmes_with_chips
from tests.simulation.road import Network, ProcessRoad
from tests.sync_world import SyncWorld, road_token
from tests.world import KEC_1, KEC_2, NOW, FakeClock

SHM = Path("/dev/shm")  # noqa: S108 - the machine's memory, where it has it
HOUSEHOLDS = 66
"""In each of the two kecamatan."""
HOMES = (KEC_1, KEC_2, KEC_1, KEC_2, KEC_1)
"""Of the terminals; the first of each is the home terminal."""
AWAY = 30
EXCEPTIONS = (ExceptionQuota(Reason.CARD_HISTORY_INCOMPLETE, 5),)
PERSONS = (MemberRight(2, 3, 4), MemberRight(3, 3, 4), MemberRight(3, 4, 1))


@dataclass
class Town(SyncWorld):
    """The world of the tests with what happens to it in a long story.

    Attributes:
        verdict: key by which the issuer's verdicts are signed.
        given: redeem masters that the office gives out, by kecamatan and generation.
        sealed: which masters each sealed file holds.
    """

    old_issuers: list[PrivateKey] = field(default_factory=list)
    verdict: PrivateKey = field(default_factory=PrivateKey.generate)
    given: set[tuple[str, int]] = field(default_factory=lambda: {(KEC_1, 1), (KEC_2, 1)})
    sealed: dict[bytes, frozenset[tuple[str, int]]] = field(default_factory=dict)

    def give_masters(self, folder: TerminalFolder) -> None:
        """The office gives a terminal the redeem masters of now."""
        self.sealed[give_masters(folder, self.given)] = frozenset(self.given)

    def masters_at(self, folder: TerminalFolder) -> frozenset[tuple[str, int]]:
        """Which masters lie in a terminal's folder."""
        return self.sealed[folder.redeem_keys.read_bytes()]

    def trust(self) -> TrustList:
        """Every issuer there ever was, the province log, and who finds verdicts."""
        keys = [
            TrustedKey(self.log.public, KeyUse.LOG, "province", 0, None, None),
            TrustedKey(self.verdict.public, KeyUse.VERDICT, "ID-KT", 0, None, None),
        ]
        keys += [
            TrustedKey(issuer.public, KeyUse.ISSUER, "ID-KT", 0, None, None)
            for issuer in (*self.old_issuers, self.issuer)
        ]
        return TrustList(1, keys)

    def new_epoch(self, ordinal: int) -> TerminalFolder:
        """Enrol a terminal anew: another folder, another key, the next epoch; the old one stays."""
        old = [t for t in self.terminals if t.ordinal == ordinal][-1]
        epoch = old.epoch + 1
        root = self.folder / f"terminal-{ordinal}-{epoch}"
        folder = make_terminal(root, ordinal, epoch=epoch, home=old.home)
        self.terminals.append(
            Terminal(
                ordinal, epoch, old.name, old.point, old.home, old.holds, AWAY,
                folder.signer().public.spki, self.clock.wall, None,
            )
        )  # fmt: skip
        self.give_root(folder)
        self.give_masters(folder)
        return folder

    def shut_out(self, ordinal: int, epoch: int) -> None:
        """The roll says that a terminal no longer counts."""
        self.terminals = [
            replace_terminal(t, self.clock.wall) if (t.ordinal, t.epoch) == (ordinal, epoch) else t
            for t in self.terminals
        ]

    def reopened(self) -> Province:
        """The province as after a restart; its clock is that of the town."""
        clock = self.clock
        return Province(self.province_folder, now=lambda: clock.wall)


def replace_terminal(terminal: Terminal, shut_out: int) -> Terminal:
    """A terminal of the roll as shut out."""
    t = terminal
    return Terminal(t.ordinal, t.epoch, t.name, t.point, t.home, t.holds, t.away_households,
                    t.spki, t.enrolled, shut_out)  # fmt: skip


@dataclass
class Begun:
    """A town on its first day."""

    town: Town
    folders: list[TerminalFolder]
    households: list[bytes]


def make_terminal(root: Path, ordinal: int, *, epoch: int, home: str) -> TerminalFolder:
    """A terminal's folder with a key of its own and an empty journal."""
    from terminal.init import ensure_journal, make_keys

    make_keys(root)
    (root / "terminal.toml").write_text(
        f'ordinal = {ordinal}\nepoch = {epoch}\nname = "Loket {ordinal}"\n'
        f'point = "Balai {ordinal}"\nofficer = "UJI"\nhome = "{home}"\n'
        'province = "http://127.0.0.1:1"\n'
    )
    (root / "keys" / "road.token").write_text(road_token(ordinal, epoch))
    folder = open_folder(root)
    ensure_journal(folder)
    return folder


def begin(folder: Path) -> Begun:
    """A copy of the town, as it was when it was made."""
    made = _made()
    shutil.copytree(made.town.folder, folder, symlinks=True)
    old = made.town
    town = replace(
        old,
        folder=folder,
        clock=FakeClock(),
        rows={kecamatan: dict(rows) for kecamatan, rows in old.rows.items()},
        blocked={kecamatan: [] for kecamatan in old.rows},
        usage={kecamatan: [] for kecamatan in old.rows},
        terminals=list(old.terminals),
        old_issuers=[],
        given=set(old.given),
        sealed=dict(old.sealed),
    )
    town.province_folder = replace(old.province_folder, root=folder / "province")
    town.province = town.reopened()
    folders = [open_folder(folder / one.root.name) for one in made.folders]
    return Begun(town, folders, list(made.households))


@cache
def _made() -> Begun:
    folder = Path(tempfile.mkdtemp(prefix="khb-town-", dir=SHM if SHM.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with keys_in_order():
        town = Town(folder, programmes=programmes_with_chips(), exceptions=EXCEPTIONS)
        town.prepare_province()
        folders = []
        for ordinal, home in enumerate(HOMES, 1):
            terminal = make_terminal(folder / f"terminal-{ordinal}-1", ordinal, epoch=1, home=home)
            town.give_masters(terminal)
            spki = terminal.signer().public.spki
            town.terminals.append(
                Terminal(ordinal, 1, f"Loket {ordinal}", f"Balai {ordinal}", home,
                         (KEC_1, KEC_2), AWAY, spki, NOW, None)
            )  # fmt: skip
            folders.append(terminal)
    households = [
        town.household(
            f"{kec}/{n}",
            kecamatan=kec,
            class_number=1 + n % 2,
            members=PERSONS if n % 4 else (),
            flags=FLAG_CHIP if has_chip(n) else 0,
        )
        for kec in (KEC_1, KEC_2)
        for n in range(HOUSEHOLDS)
    ]
    town.province.release(town.sign_release())
    for terminal in folders:
        town.give_root(terminal)
        first_ledger(town, terminal)
    town.province.close()
    return Begun(town, folders, households)


def first_ledger(town: Town, folder: TerminalFolder) -> None:
    """What a terminal is given on the day it is enrolled."""
    from sync_agent.agent import sync_once
    from tests.sync_world import install

    network = Network(lambda: town.province)
    with closing(ProcessRoad(network, folder)) as road:
        sync_once(folder, road, now=town.clock.wall)
    assert install(town, folder).problem is None


@contextmanager
def keys_in_order(label: str = "town") -> Iterator[None]:
    """Keys follow from a label and their place, so that a story told again has the same hashes."""
    count = 0

    def generate(algorithm: Algorithm = Algorithm.EDDSA) -> PrivateKey:
        nonlocal count
        count += 1
        seed = hashlib.sha256(f"{label} {count} {algorithm}".encode()).digest()
        return PrivateKey(Ed25519PrivateKey.from_private_bytes(seed))

    kept = PrivateKey.generate
    PrivateKey.generate = generate  # type: ignore[method-assign]
    try:
        yield
    finally:
        PrivateKey.generate = kept  # type: ignore[method-assign]
