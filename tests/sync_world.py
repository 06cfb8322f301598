"""The tests' world with a province of its own: an office's release, road tokens, a real intake."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from card_codec.keys import PrivateKey
from ledger.access import Access, Door, token_hash, write_access
from ledger.clock import SystemClock
from ledger.element import Right
from ledger.entry import Basis, Content, Presented, Redemption, sign_head
from ledger.folder import TerminalFolder, open_folder
from ledger.install import Installed, now_here, take_in_box
from ledger.journal import open_journal
from ledger.repository import Repository, tuf_signer
from ledger.rights_file import MemberRight
from sync_agent.agent import Report, sync_once
from sync_agent.batch import Batch, write_batch
from sync_agent.province.folder import ProvinceFolder, init_province, open_province
from sync_agent.province.province import Province
from sync_agent.province.server import Ready, prepare, run
from sync_agent.roads import open_road
from tests.world import KEC_1, KEC_2, World

TOKEN = "road-token-of-terminal-{}"


def road_token(ordinal: int, epoch: int = 1) -> str:
    """The road token of a terminal and epoch."""
    return TOKEN.format(ordinal if epoch == 1 else f"{ordinal}-{epoch}")


class SyncWorld(World):
    """A world whose ledger is published by a province, not by the test."""

    one: TerminalFolder
    two: TerminalFolder
    homes_1: list[bytes]
    homes_2: list[bytes]
    province: Province
    province_folder: ProvinceFolder

    def prepare_province(self, *, store: str | None = None) -> Province:
        """Make the province with keys of its own and let the office know them."""
        folder = init_province(self.folder / "province")
        if store is not None:
            config = folder.root / "province.toml"
            config.write_text(config.read_text().replace("sqlite:///province.db", store))
            folder = open_province(config)
        self.online, self.log = folder.key("online"), folder.key("log")
        self.province_folder = folder
        self.province = self.reopened()
        return self.province

    def reopened(self) -> Province:
        """The province as after a restart."""
        return Province(self.province_folder, now=lambda: self.clock.wall)

    @property
    def repository(self) -> Repository:
        """The office's release: what the office alone signs."""
        return Repository(self.release_folder)

    @property
    def release_folder(self) -> Path:
        """What ``province release --from`` takes."""
        return self.folder / "office" / "release"

    def sign_release(self) -> Path:
        """Root, decree and kecamatan roles, their files, the road tokens' hashes."""
        repository, now = self.repository, self.clock.wall
        if not repository.versions("root"):
            self.sign_root()
        decree = [tuf_signer(k) for k in self.decree_keys[:2]]
        repository.sign(self.decree_targets(), "targets", signers=decree, now=now)
        for kecamatan, keys in self.kecamatan_keys.items():
            self.sign_changes(kecamatan, keys)
        doors = tuple(
            Door(t.ordinal, t.epoch, token_hash(road_token(t.ordinal, t.epoch)))
            for t in self.terminals
        )
        (self.release_folder / "access.json").write_bytes(
            write_access(Access("khb-access-1", doors))
        )
        return self.release_folder

    def enrol(self, name: str, *, home: str = KEC_1) -> TerminalFolder:
        """A terminal with a road token."""
        folder = self.terminal(name, home=home)
        folder.road_token.write_text(TOKEN.format(folder.config.ordinal))
        return folder

    def give_root(self, folder: TerminalFolder) -> None:
        if not folder.first_root.exists():
            shutil.copyfile(self.repository.metadata / "1.root.json", folder.first_root)

    @contextmanager
    def serving(self, province: Province | None = None) -> Iterator[Ready]:
        """The real server on a free loopback port."""
        listening = threading.Event()
        found: list[Ready] = []

        def ready(at: Ready) -> None:
            found.append(at)
            listening.set()

        server, socket = prepare(
            province or self.province, host="127.0.0.1", port=0, on_ready=ready
        )
        thread = threading.Thread(target=run, args=(server, socket))
        thread.start()
        try:
            assert listening.wait(20)
            yield found[0]
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()

    def take(self, folder: TerminalFolder, household: bytes, **changed: object) -> str:
        """Record one redemption in a terminal's journal, whatever the rules would say."""
        return self.record(folder, self.redemption(household, **changed))

    def redemption(self, household: bytes, **changed: object) -> Redemption:
        """One unit of the first programme, given at home."""
        values: dict[str, Any] = {
            "household": household, "issue": 1, "member": 0, "programme": 1, "window": 1,
            "quantity": 1, "paid": 0, "presented": Presented.TEXT, "basis": Basis.HOME,
        } | changed  # fmt: skip
        return Redemption(**values)

    def record(self, folder: TerminalFolder, content: Content, *, officer: str = "UJI") -> str:
        """Append one entry; its number."""
        journal = open_journal(folder.journal)
        try:
            moment = now_here(journal, self.clock.read())
            with journal.act() as act:
                entry, _ = act.append(
                    content, moment=moment, ledger=1, officer=officer, signer=folder.signer()
                )
            return entry.id.number()
        finally:
            journal.close()


def small_world(folder: Path, *, store: str | None = None) -> SyncWorld:
    """Two terminals, four households, a release taken, the first root given."""
    world = SyncWorld(folder)
    world.prepare_province(store=store)
    world.one = world.enrol("Loket 1", home=KEC_1)
    world.two = world.enrol("Loket 2", home=KEC_2)
    members = (MemberRight(2, 3, 6),)
    world.homes_1 = [world.household(f"a{i}", members=members) for i in range(3)]
    world.homes_2 = [world.household(f"b{i}", kecamatan=KEC_2) for i in range(2)]
    world.province.release(world.sign_release())
    for terminal in (world.one, world.two):
        world.give_root(terminal)
    return world


def sync(folder: TerminalFolder, where: str | Path, *, now: int | None = None) -> Report:
    """One run of the agent, as the command does it."""
    with closing(open_road(open_folder(folder.root), str(where))) as road:
        return sync_once(folder, road, now=SystemClock().read().wall if now is None else now)


def batch_of(
    folder: TerminalFolder, *, start: int = 1, count: int = 500, signer: PrivateKey | None = None
) -> bytes:
    """A batch of a terminal's journal as it travels, signed as the journal has it."""
    journal = open_journal(folder.journal, reading=True)
    entries, signature = journal.signed_run(start, count)
    me = journal.identity
    journal.close()
    if signer is not None:
        signature = sign_head(entries[-1].leaf, signer)
    return write_batch(Batch(me.terminal, me.epoch, start, tuple(entries), signature))


def install(world: SyncWorld, folder: TerminalFolder) -> Installed:
    """What the terminal's next act does with the in-box."""
    journal = open_journal(folder.journal)
    try:
        return take_in_box(folder, journal, world.clock.read())
    finally:
        journal.close()


def taken(folder: TerminalFolder, household: bytes) -> int:
    journal = open_journal(folder.journal, reading=True)
    try:
        return journal.known().taken(Right(household, 0, 1, 1)).total
    finally:
        journal.close()


def acknowledged(folder: TerminalFolder) -> int:
    journal = open_journal(folder.journal, reading=True)
    try:
        said = journal.acknowledged()
        return said.seq if said else 0
    finally:
        journal.close()
