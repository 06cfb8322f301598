"""One record of each kind the ledger reads, and journal entries, for tests to damage."""

from card_codec.keys import PrivateKey
from card_codec.status import StatusList
from ledger.acknowledgement import Acknowledgement
from ledger.clock import Moment
from ledger.element import Element, RedemptionId, Right
from ledger.entry import (
    Basis,
    Closed,
    Complaint,
    Content,
    Entry,
    Handover,
    LookUp,
    Opened,
    Presented,
    Redemption,
    Refusal,
    Sealed,
    Void,
    make_entry,
)
from ledger.locked_key import LockedKey
from ledger.people_file import Family, NumberTag, PeopleFile, Person, Role
from ledger.policy import (
    ClassQuantity,
    FreshnessStep,
    HomeException,
    HouseholdClass,
    Place,
    Policy,
)
from ledger.record import Record
from ledger.rights_file import (
    HouseholdRow,
    MemberRight,
    StatusFile,
    make_base,
    state_root,
)
from ledger.roll import Roll, Terminal
from tests.world import NOW, programmes

HOUSEHOLD = bytes.fromhex("6299000011223344")
LEAF = bytes(range(8))
KEY = PrivateKey.generate()
MOMENT = Moment(NOW, NOW, NOW + 60, NOW - 900, NOW - 60, 4711, b"bootboot")

CONTENTS: tuple[Content, ...] = (
    Redemption(HOUSEHOLD, 1, 0, 1, 1, 2, 30_000, Presented.TEXT, Basis.HOME),
    Void(7, "salah ketik", "WK"),
    Handover(7),
    Refusal("revoked", HOUSEHOLD, 1, 3, 1, Presented.PICTURE),
    Refusal("malformed", None, 0, 0, 1, Presented.TEXT),
    LookUp(HOUSEHOLD, 3, ""),
    LookUp(None, 0, "look_up_unknown"),
    Complaint(4, "revoked", HOUSEHOLD, 3, 1, Presented.PICTURE),
    Complaint(7, "look_up_unknown", None, 0, 2, Presented.LOOK_UP),
    Closed(1, 12, 1, 3, 180_000, bytes.fromhex("010000000c0300000002")),
    Sealed("disk_full", 1, 41, bytes(range(32))),
    Opened("Balai Desa"),
)

ROWS = (
    HouseholdRow(HOUSEHOLD, "6299012001", 1, 1, 0, (MemberRight(2, 3, 6), MemberRight(3, 4, 1))),
    HouseholdRow(b"\x70" * 8, "6299012002", 2, 2, 1),
)
BASE = make_base("629901", period="2026-4", number=1, rows=ROWS)
POLICY = Policy(
    form="khb-policy-2", number=3, decree="SK 1/2026", audience="KHB26", programmes=programmes(),
    classes=(HouseholdClass(1, (ClassQuantity(1, 1),)),),
    places=(Place("6299012001", "Desa Satu", 1),),
    home_exceptions=(HomeException("6299012001", 3, 2),),
    freshness=(FreshnessStep(7, 100), FreshnessStep(30, 0)), quiet_days=30, complaints="0536-000",
)  # fmt: skip
ROLL = Roll(
    "khb-roll-1",
    1,
    (Terminal(1, 1, "Loket 1", "Balai", "629901", ("629901",), 5, KEY.public.spki, NOW, None),),
)
BITS = StatusList.from_indices(6, [1]).encode()
STATUS = StatusFile("khb-status-1", "629901", state_root(BASE), BITS)
ACKNOWLEDGEMENT = Acknowledgement("khb-ack-2", 1, 1, 7, bytes(32), NOW)

PEOPLE = PeopleFile(
    form="khb-people-1", desa="6299012001", period="2026-4", number=1, look_up_key=bytes(40),
    families=(
        Family(
            HOUSEHOLD, "Siti Aminah",
            (Person(1, "Siti Aminah", Role.HEAD, None), Person(3, "Rahmad", Role.CHILD, 2014)),
            (NumberTag(0, bytes(16)), NumberTag(1, bytes(range(16)))),
        ),
    ),
)  # fmt: skip
LOCKED = LockedKey("khb-locked-1", 64, 1, bytes(16), bytes(12), bytes(90))
RECORDS: tuple[Record, ...] = (BASE, POLICY, ROLL, STATUS, ACKNOWLEDGEMENT, PEOPLE, LOCKED)

ELEMENTS = tuple(
    Element(RedemptionId(2, 1, seq), LEAF, Right(HOUSEHOLD, 0, 1, 1), 1, NOW // 60)
    for seq in (4, 9, 300)
)


def entry(content: Content, *, seq: int = 1, prev: bytes = bytes(32)) -> Entry:
    """An entry of terminal 1, epoch 1."""
    return make_entry(
        id=RedemptionId(1, 1, seq), prev=prev, moment=MOMENT, ledger=5, officer="UJI",
        content=content,
    )  # fmt: skip
