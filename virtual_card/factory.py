"""Cards as they come out of the box, and as the card station leaves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from virtual_card.desfire import DesfireCard
from virtual_card.memory import (
    EV3,
    FREE,
    FULL,
    LIGHT,
    MAC,
    NOBODY,
    PLAIN,
    Application,
    CyclicFile,
    DataFile,
    MacFile,
    Memory,
    Rights,
    new_light,
)

# Profile KHB-1 as docs/spec/chip-profile.md §4 says it, written down a second time.
NAME = bytes.fromhex("f04b48422d31")
AID = bytes.fromhex("484bf0")


@dataclass(frozen=True)
class Making:
    """What the card station puts on a KHB-1 card.

    Attributes:
        keys: the five keys of the application, 16 bytes each.
        mac_key: key of the Transaction MAC.
        credential_file: all 256 bytes.
        opening: the records it starts with; each counts as one commit.
    """

    keys: Sequence[bytes]
    mac_key: bytes
    credential_file: bytes
    opening: Sequence[bytes]


def blank(uid: bytes, *, make: int = EV3) -> DesfireCard:
    """A card as delivered."""
    return DesfireCard(new_light(uid) if make == LIGHT else Memory(uid, make))


def khb1(
    uid: bytes,
    making: Making,
    *,
    make: int = EV3,
    random: Callable[[int], bytes] | None = None,
) -> DesfireCard:
    """A KHB-1 card, without the way that leads to one."""
    light = make == LIGHT
    slots = (1,) if light else (1, 2, 3, 4)
    records = CyclicFile(
        FULL, [Rights(slot, slot, NOBODY, 0 if slot == 1 else NOBODY) for slot in slots]
    )
    records.most = 5 if light else 17
    mac_file = MacFile(
        MAC,
        [Rights(slot, NOBODY, slot, 0 if slot == 1 else NOBODY) for slot in slots],
        key=making.mac_key,
    )
    for record in making.opening:
        records.add(record)
        mac_file.counter += 1
    credential = DataFile(PLAIN, [Rights(FREE, 0, NOBODY, 0)], bytearray(making.credential_file))
    application = Application(
        NAME,
        b"\x01\xf1",
        0x0B,
        list(making.keys),
        [0] * len(making.keys),
        {0x00: credential, 0x01: records, 0x0F: mac_file},
        renamed=light,
    )
    memory = Memory(uid, make, {b"" if light else AID: application})
    return DesfireCard(memory) if random is None else DesfireCard(memory, random=random)


def clone_of(card: DesfireCard, uid: bytes) -> DesfireCard:
    """All that anyone can read of a card, on another chip: the keys are not among it."""
    memory = card.memory.copy()
    memory.uid = uid
    for application in memory.applications.values():
        application.keys = [bytes([number + 1] * 16) for number in range(len(application.keys))]
    return DesfireCard(memory)
