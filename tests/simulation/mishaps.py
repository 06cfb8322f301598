"""Mishaps: everything that goes wrong in a story, each at least once."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api.metadata import Root

from card_codec.keys import PrivateKey
from ledger.backup import back_up
from ledger.folder import open_folder
from ledger.policy import DAY
from ledger.repository import tuf_key, tuf_signer
from ledger.restore import bring_back
from sync_agent.errors import ProvinceError, StickError
from sync_agent.province.sticks import once_with
from sync_agent.stick import Stick
from tests.simulation import branches
from tests.simulation.chip_mishaps import (
    RETIRED,
    STOLEN,
    WEEKS,
    chip_void,
    counterfeits,
    keys_rotated,
    master_stolen,
    replaced_chip,
    weeks_pass,
)
from tests.simulation.disk import Disk
from tests.simulation.machine import Machine
from tests.simulation.witness import committed
from tests.world import FakeClock

if TYPE_CHECKING:
    from tests.simulation.story import Story


def planned(chance: random.Random, redemptions: int, *, theft: bool) -> list[tuple[int, str]]:
    """(after how many redemptions, which mishap), in order; each once, the frequent ones often.

    Args:
        theft: whether a redeem master is stolen.
    """
    names = [name for name in MISHAPS if name not in {*LATER, *OF_THEFT, WEEKS}]
    plan = [(chance.randrange(20, redemptions - 60), name) for name in names]
    plan = [one for one in plan if one[1] != "chip void"]
    plan.append((chance.randrange(20, 150), "chip void"))  # while something is left
    if theft:
        at = sorted(chance.randrange(60, redemptions - 60) for _ in range(4))
        plan = [one for one in plan if one[1] != RETIRED]
        plan += [*zip(at, (STOLEN, "counterfeits", RETIRED, "counterfeits"), strict=True)]
    for name, times in (
        ("power cut", 12),
        ("disk full", 3),
        ("clock jump", 3),
        ("replaced card", 2),
        ("replaced chip", 2),
    ):
        plan += [(chance.randrange(10, redemptions), name) for _ in range(times)]
    for name, before in LATER.items():
        first = chance.randrange(10, redemptions // 2)
        plan = [one for one in plan if one[1] != before]
        plan += [(first, before), (first + chance.randrange(40, redemptions // 3), name)]
    plan.append((chance.randrange(redemptions // 2, redemptions * 4 // 5), WEEKS))
    plan.append((chance.randrange(20, redemptions // 2), "replaced chip"))
    return sorted(plan)


def power_cut(story: Story) -> None:
    """The power goes during one of the next acts of a machine, or between two."""
    machine = story.chance.choice(story.serving())
    faults = machine.disk.faults
    faults.cut_at = faults.calls + story.chance.randrange(1, 60)
    for _ in range(30):
        if machine.was_cut or machine.gone:
            break
        story.family_comes(machine)
    story.after(machine)


def disk_full(story: Story) -> None:
    """No room for a while: nothing is given that was not recorded; with room it goes on."""
    machine = story.chance.choice(story.serving())
    first = not any(one.seen["disk full"] for one in story.machines)
    if first:  # a log that was long once is written over for a long time before it grows
        machine.stop()
        machine.start()
    machine.disk.faults.room = story.chance.randrange(0, 40_000)
    machine.silent = first or story.chance.random() < 0.7
    story.faults["disk nearly full"] += not machine.silent
    before = machine.seen["disk full"]
    for _ in range(40):
        story.family_comes(machine)
        if machine.seen["disk full"] > before + 2 or machine.was_cut or not machine.silent:
            break
    machine.disk.faults.room = None
    machine.silent = True
    story.after(machine)
    machine.stop()
    machine.start()
    story.witness.look_at(machine)


def clock_jump(story: Story) -> None:
    """A wall clock goes somewhere else: an empty battery, a hand."""
    machine = story.chance.choice(story.serving())
    by = story.chance.choice((-400 * DAY, -2 * DAY, -3600, 3600, DAY))
    if story.chance.random() < 0.5:
        machine.stop()
        machine.clock.reboot(wall=machine.clock.wall + by)
    else:
        machine.clock.wall += by
    for _ in range(4):
        story.family_comes(machine)
    story.after(machine)
    if story.chance.random() < 0.7:
        machine.clock.wall = story.town.clock.wall
    story.faults["clock jump"] += 1


def stolen(story: Story) -> None:
    """A thief takes a machine, serves friends with it, and brings it near no road until the end."""
    machine = honest(story)
    machine.start()
    for _ in range(12):
        story.family_comes(machine)
    machine.stop()
    machine.gone = machine.stolen = True
    story.town.shut_out(*machine.whose)
    story.replace(machine.whose[0])
    story.faults["stolen"] += 1


def cloned(story: Story) -> None:
    """Somebody copies a machine, keys and all, and serves with both."""
    machine = honest(story)
    twin_folder = machine.image(story.folder / f"twin-of-{machine.name}")
    twin = story.add_machine(twin_folder, f"twin of {machine.name}")
    twin.views = {right: dict(known) for right, known in machine.views.items()}
    twin.known = set(machine.known)
    twin.voided = set(machine.voided)
    twin.printed, twin.early = dict(machine.printed), machine.early
    twin.clock = replace_clock(machine)
    machine.shared = twin.shared = True
    for _ in range(6):
        story.family_comes(twin)
        story.family_comes(machine)
        story.after(twin)
        story.after(machine)
    story.faults["cloned"] += 1


def image_taken(story: Story) -> None:
    """Somebody makes an image of a machine's disk."""
    machine = honest(story)
    folder = machine.image(story.folder / f"image-of-{machine.name}")
    story.images[machine.name] = (folder, machine.early)


def rolled_back(story: Story) -> None:
    """The image is put back, and the machine serves on as if nothing had been."""
    for name, (image, early) in sorted(story.images.items()):
        machine = next(one for one in story.machines if one.name == name)
        if machine.gone:
            continue
        story.witness.look_at(machine)
        machine.stop()
        shutil.rmtree(machine.folder.root)
        shutil.copytree(image.root, machine.folder.root, symlinks=True)
        left = committed(machine.entries())
        machine.printed = {s: leaf for s, leaf in machine.printed.items() if s in left}
        machine.forgets()
        machine.early, machine.shared = early, True
        story.witness.look_at(machine)
        for _ in range(8):
            story.family_comes(machine)
            story.after(machine)
        story.faults["rolled back"] += 1
        return
    image_taken(story)
    rolled_back(story)


def backup_made(story: Story) -> None:
    """Somebody copies a journal to a stick, as the handbook says, while it is served."""
    machine = honest(story)
    machine.stop()
    if not machine.entries():
        for _ in range(6):
            story.family_comes(machine)
            story.after(machine)
        machine.stop()
    to = story.folder / f"backup-of-{machine.name}"
    back_up(machine.folder.journal, to)
    story.backups[machine.name] = to


def disk_dead(story: Story) -> None:
    """A disk dies; the copy is brought back in a new epoch, and the old chain handed in."""
    for name, copy in sorted(story.backups.items()):
        machine = next(one for one in story.machines if one.name == name)
        if machine.gone or machine.shared:
            continue
        story.witness.look_at(machine)
        machine.stop()
        machine.gone = machine.stolen = True  # nothing of it will ever be seen again
        folder = story.town.new_epoch(machine.whose[0])
        for file in folder.root.glob("journal.db*"):
            file.unlink()
        bring_back(folder, copy, signer=folder.signer(), now=machine.clock.read())
        story.release()
        after = story.add_machine(folder)
        story.witness.brought_back(after, copy / "journal.db")
        old = open_folder(folder.root / "former" / str(machine.whose[1]))
        story.drives.plug(old, Disk(story.chance))
        story.formers.append(old)
        story.hand_in_former(old)
        story.faults["backup restored"] += 1
        return
    backup_made(story)
    disk_dead(story)


def province_saved(story: Story) -> None:
    """The province's nightly copy."""
    story.town.province.close()
    shutil.copytree(story.town.province_folder.root, story.folder / "province-copy")
    story.town.province = story.town.reopened()


def province_restored(story: Story) -> None:
    """The province's server burns; the copy is put back."""
    held = story.witness.province_holds(story.town.province)
    story.once_held |= held
    story.once_shown |= branches.redemptions(story, held)
    story.town.province.close()
    shutil.rmtree(story.town.province_folder.root)
    shutil.copytree(story.folder / "province-copy", story.town.province_folder.root)
    story.town.province = story.town.reopened()
    story.town.province.restored()
    story.release()
    story.faults["province restored"] += 1


def replaced_card(story: Story) -> None:
    """A family loses its card and gets the next one; the old one turns up all the same."""
    household = story.chance.choice([one for one in story.households if one not in story.chips])
    for rows in story.town.rows.values():
        if household in rows:
            rows[household] = replace(rows[household], issue=rows[household].issue + 1)
            issue = rows[household].issue
            story.issue[household] = issue
            story.cards[household, issue] = story.town.card(household, issue=issue)
    story.release()
    machine = story.chance.choice(story.serving())
    for _ in range(3):
        story.family_comes(machine, household)
    story.sync(machine)
    for _ in range(3):
        if not machine.gone:
            story.family_comes(machine, household)
            story.after(machine)
    story.faults["replaced card"] += 1


def key_rotation(story: Story) -> None:
    """A new card issuer, and new keys of the root, signed by the old ones too."""
    town = story.town
    town.old_issuers.append(town.issuer)
    town.issuer = PrivateKey.generate()
    for household in story.households[::3]:
        issue = story.issue[household]
        story.cards[household, issue] = town.card(household, issue=issue)
    root = town.repository.load("root", Root)
    new = [PrivateKey.generate() for _ in range(3)]
    for keyid in list(root.roles["root"].keyids):
        root.revoke_key(keyid, "root")
    for key in new:
        root.add_key(tuf_key(key), "root")
    signers = [tuf_signer(key) for key in (*town.root_keys[:2], *new[:2])]
    town.repository.sign(root, "root", signers=signers, now=town.clock.wall)
    town.root_keys = new
    story.release()
    story.faults["key rotation"] += 1


def blocked(story: Story) -> None:
    """A card is reported lost."""
    household = story.chance.choice(story.households)
    story.town.province.block(household, story.issue[household], "hilang")
    story.faults["blocked card"] += 1


def late_arrivals(story: Story) -> None:
    """What was held up on the way arrives."""
    story.network.deliver_late()


MISHAPS: dict[str, Callable[[Story], None]] = {
    "power cut": power_cut,
    "disk full": disk_full,
    "clock jump": clock_jump,
    "stolen": stolen,
    "cloned": cloned,
    "image taken": image_taken,
    "rolled back": rolled_back,
    "backup made": backup_made,
    "backup restored": disk_dead,
    "province saved": province_saved,
    "province restored": province_restored,
    "replaced card": replaced_card,
    "key rotation": key_rotation,
    "blocked card": blocked,
    "late arrivals": late_arrivals,
    "replaced chip": replaced_chip,
    "chip void": chip_void,
    WEEKS: weeks_pass,
    STOLEN: master_stolen,
    "counterfeits": counterfeits,
    RETIRED: keys_rotated,
}
OF_THEFT = {STOLEN, "counterfeits"}
"""In stories alone in which a redeem master is stolen."""
LATER = {
    "rolled back": "image taken",
    "backup restored": "backup made",
    "province restored": "province saved",
}
"""The second follows the first, some time after."""


def honest(story: Story) -> Machine:
    """A machine that nobody has copied, and that is not the only one left."""
    copied = {*story.images, *story.backups}
    found = [one for one in story.serving() if not one.shared and one.name not in copied]
    return story.chance.choice(found or story.serving())


def replace_clock(machine: Machine) -> FakeClock:
    """The clock of a copy: it was switched on just now."""
    clock = FakeClock(machine.clock.wall)
    clock.boot_id = machine.clock.boot_id
    clock.reboot(wall=clock.wall)
    return clock


def damage(story: Story, stick: Path) -> None:
    """A file of the stick is cut short, lost, or doubled under another name."""
    files = sorted(path for path in stick.rglob("*") if path.is_file())
    if not files or story.chance.random() < 0.6:
        return
    victim = story.chance.choice(files)
    what = story.chance.choice(("truncated", "lost", "doubled"))
    data = victim.read_bytes()
    if what == "truncated":
        victim.write_bytes(data[: len(data) // 2])
    elif what == "lost":
        victim.unlink()
    else:
        victim.with_name(f"{victim.name}.copy").write_bytes(data)
    story.faults[f"stick {what}"] += 1


def carry(story: Story, stick: Stick) -> None:
    """The stick comes to the province."""
    try:
        report = once_with(story.town.province, stick)
        story.faults["stick refused"] += len(report.refused)
    except (StickError, ProvinceError):
        story.faults["stick failed"] += 1
