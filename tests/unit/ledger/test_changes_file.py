"""Changes of a kecamatan: they take away, move and replace; they cannot give."""

from typing import Any

import msgspec
import pytest

from ledger.changes_file import (
    ChangesFile,
    Clearing,
    Correction,
    Lowering,
    Move,
    Removal,
    Replacement,
    Wanted,
    changes_path,
    make_changes,
    read_changes,
    write_changes,
)
from ledger.element import RedemptionId
from ledger.errors import RecordError, RightsError
from ledger.policy import ChangeBounds, ClassQuantity, HouseholdClass, Place, Policy
from ledger.record import compress, pack
from ledger.rights_file import (
    FLAG_CHIP,
    FLAG_DECEASED,
    FLAG_REMOVED,
    HouseholdRow,
    MemberRight,
    make_base,
    state_root,
)
from ledger.rights_in_force import check_not_dated_back, corrections_in_force, rights_in_force
from tests.unit.ledger.samples import POLICY

IDS = [bytes([n]) * 8 for n in range(1, 101)]
DESA_A, DESA_B, DESA_C = "6299012001", "6299012002", "6299012003"
BASE = make_base(
    "629901", period="2026-4", number=3, changes=4,
    rows=[
        HouseholdRow(id, DESA_A if n % 2 else DESA_B, 1 + n % 3, 2, FLAG_CHIP * (n % 5 == 0),
                     (MemberRight(2, 3, 6),) if n % 4 == 0 else ())
        for n, id in enumerate(IDS)
    ],
)  # fmt: skip
BOUNDS = ChangeBounds(5, 6, 7, 8, 9, 4, at_least=2)
RULES: Policy = msgspec.structs.replace(
    POLICY,
    classes=(
        HouseholdClass(1, (ClassQuantity(1, 1),)),
        HouseholdClass(2, (ClassQuantity(1, 2), ClassQuantity(2, 1))),
        HouseholdClass(3, (ClassQuantity(1, 1), ClassQuantity(2, 2))),
    ),
    places=tuple(Place(code, code, 1) for code in (DESA_A, DESA_B, DESA_C)),
    changes=BOUNDS,
)


def changes(number: int = 5, **wanted: Any) -> ChangesFile:
    return make_changes(BASE, number=number, wanted=Wanted(**wanted))


ALL = changes(
    removed={IDS[0]: FLAG_DECEASED, IDS[7]: FLAG_REMOVED},
    moved={IDS[3]: DESA_C, IDS[4]: DESA_A},
    replaced={IDS[8]: 9, IDS[9]: 2},
    lowered={IDS[10]: 1},
    cleared={(IDS[11], 1): 5, (IDS[2], 3): 1},
    corrected={(RedemptionId(2, 1, 9), IDS[5]): 5, (RedemptionId(1, 3, 40), b"has left"): 2},
)


def refused(file: ChangesFile) -> str:
    """The sentence with which changes are refused beside the base."""
    with pytest.raises(RightsError) as caught:
        rights_in_force(BASE, file, RULES)
    assert "\n" not in caught.value.detail
    return caught.value.detail


def test_changes_say_what_became_of_each_household_and_touch_no_other() -> None:
    before, after = list(BASE.rows()), list(rights_in_force(BASE, ALL, RULES).rows())
    at = {row.household: row for row in after}
    assert at[IDS[0]].flags == FLAG_CHIP | FLAG_DECEASED
    assert at[IDS[7]].flags == FLAG_REMOVED
    assert (at[IDS[3]].desa, at[IDS[4]].desa) == (DESA_C, DESA_A)
    assert (at[IDS[8]].issue, at[IDS[9]].issue) == (9, 2)
    assert at[IDS[10]].class_number == 1
    touched = {IDS[n] for n in (0, 3, 4, 7, 8, 9, 10)}
    assert [r for r in after if r.household not in touched] == [
        r for r in before if r.household not in touched
    ]
    assert [(r.household, r.members) for r in after] == [(r.household, r.members) for r in before]


def test_result_is_named_after_the_changes_in_it() -> None:
    result = rights_in_force(BASE, ALL, RULES)
    assert (result.changes, result.number, state_root(result)) == (5, 3, ALL.result)


def test_changes_read_back_as_they_were_written() -> None:
    assert read_changes(write_changes(ALL)) == ALL


def test_same_changes_in_any_order_give_the_same_bytes() -> None:
    one = changes(replaced={IDS[8]: 9, IDS[1]: 7}, cleared={(IDS[4], 2): 5, (IDS[4], 1): 5})
    other = changes(replaced={IDS[1]: 7, IDS[8]: 9}, cleared={(IDS[4], 1): 5, (IDS[4], 2): 5})
    assert write_changes(one) == write_changes(other)


def test_what_the_base_says_already_is_left_out() -> None:
    row = next(BASE.rows())
    same = changes(
        moved={row.household: row.desa},
        replaced={row.household: row.issue},
        lowered={row.household: row.class_number},
    )
    assert (same.moved, same.replaced, same.lowered) == ((), (), ())


def test_fifty_changes_are_a_few_hundred_bytes() -> None:
    rows = [HouseholdRow(n.to_bytes(8), DESA_A, 1, 2, 0) for n in range(1, 7_401)]
    base = make_base("629901", period="2026-4", number=1, rows=rows)
    fifty = {rows[n * 140].household: 2 for n in range(50)}
    file = make_changes(base, number=1, wanted=Wanted(replaced=fifty))
    assert len(write_changes(file)) < 600


# --- what a kecamatan cannot do ---


def test_household_that_the_decree_does_not_list_cannot_be_named() -> None:
    with pytest.raises(RightsError, match="only it can add one"):
        changes(replaced={b"newcomer": 2})


@pytest.mark.parametrize(
    "rows",
    [
        {"removed": (Removal(100, 2),)}, {"moved": (Move(100, DESA_A),)},
        {"replaced": (Replacement(2**32 - 1, 9),)}, {"lowered": (Lowering(100, 1),)},
    ],
)  # fmt: skip
def test_row_past_the_last_household_is_refused(rows: dict[str, Any]) -> None:
    told = refused(msgspec.structs.replace(changes(), **rows))
    assert "; the decree lists only those from 0 to 99" in told


def test_delta_that_adds_a_household_is_refused() -> None:
    """The result it names would hold one more; what its rows lead to does not."""
    more = make_base(
        "629901", period="2026-4", number=3, changes=5,
        rows=[*BASE.rows(), HouseholdRow(b"newcomer", DESA_A, 1, 2, 0)],
    )  # fmt: skip
    forged = msgspec.structs.replace(changes(), result=state_root(more))
    assert "do not lead to the rights they say" in refused(forged)


def test_card_remapped_to_another_household_is_refused() -> None:
    """One id put in the place of another: no row can say it, and the result tells of it."""
    ids = [b"thief..." if id == IDS[5] else id for id in BASE.ids()]
    swapped = msgspec.structs.replace(BASE, households=b"".join(ids), changes=5)
    forged = msgspec.structs.replace(changes(), result=state_root(swapped))
    assert "do not lead to the rights they say" in refused(forged)


def test_larger_quantity_is_refused() -> None:
    more = msgspec.structs.replace(
        BASE, changes=5, quantities=(9).to_bytes(4) + BASE.quantities[4:]
    )
    forged = msgspec.structs.replace(changes(), result=state_root(more))
    assert "do not lead to the rights they say" in refused(forged)


def test_chip_household_cannot_be_made_a_paper_one() -> None:
    paper = msgspec.structs.replace(BASE, changes=5, flags=bytes(BASE.count))
    forged = msgspec.structs.replace(changes(), result=state_root(paper))
    assert "do not lead to the rights they say" in refused(forged)


@pytest.mark.parametrize("class_number", [3, 9, 255])
def test_class_that_gives_more_of_anything_is_refused(class_number: int) -> None:
    raised = changes(lowered={IDS[10]: class_number})
    assert "a class that gives more" in refused(raised)


def test_older_card_is_never_brought_back() -> None:
    rows = (Replacement(BASE.ids().index(IDS[2]), 1),)
    told = refused(msgspec.structs.replace(changes(), replaced=rows))
    assert "bring back an older card" in told


@pytest.mark.parametrize("desa", ["6299022001", "6299012099"])
def test_move_out_of_the_kecamatan_or_to_no_place_is_refused(desa: str) -> None:
    assert "which is no desa" in refused(changes(moved={IDS[0]: desa}))


def test_changes_on_the_wrong_parent_are_refused() -> None:
    other = msgspec.structs.replace(BASE, number=4)
    with pytest.raises(RightsError, match="made on other rights than brought"):
        rights_in_force(other, ALL, RULES)


def test_changes_of_another_kecamatan_are_refused() -> None:
    told = refused(msgspec.structs.replace(ALL, kecamatan="629902"))
    assert told == "the changes of 629901 are those of 629902"


# --- older and newer than the decree ---


def test_changes_the_decree_has_taken_up_change_nothing_more() -> None:
    folded = msgspec.structs.replace(BASE, changes=5)
    assert rights_in_force(folded, ALL, RULES) is folded


def test_changes_older_than_the_decree_beside_them_are_refused() -> None:
    folded = msgspec.structs.replace(BASE, changes=6)
    with pytest.raises(RightsError, match=r"changes of 629901 \(5\) are older than the decree"):
        rights_in_force(folded, ALL, RULES)


def test_changes_kept_back_altogether_are_missed() -> None:
    with pytest.raises(RightsError, match=r"changes of 629901 \(0\) are older than the decree"):
        rights_in_force(BASE, None, RULES)
    first = msgspec.structs.replace(BASE, changes=0)
    assert rights_in_force(first, None, RULES) is first


# --- bounds ---


KINDS: dict[str, tuple[int, Any]] = {
    "removed": (5, lambda ids: dict.fromkeys(ids, FLAG_REMOVED)),
    "moved": (6, lambda ids: dict.fromkeys(ids, DESA_C)),
    "replaced": (7, lambda ids: dict.fromkeys(ids, 200)),
    "lowered": (8, lambda ids: dict.fromkeys(ids, 1)),
    "cleared": (9, lambda ids: {(id, 1): 5 for id in ids}),
    "corrected": (4, lambda ids: {(RedemptionId(1, 1, n), id): 5 for n, id in enumerate(ids, 1)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_changes_past_their_bound_are_refused_and_up_to_it_taken(kind: str) -> None:
    most, wanted = KINDS[kind]
    assert rights_in_force(BASE, changes(**{kind: wanted(IDS[:most])}), RULES).changes == 5
    told = refused(changes(**{kind: wanted(IDS[: most + 1])}))
    assert f"{most + 1} of 100 households; the policy allows {most} until the next decree" in told


def test_small_kecamatan_may_change_a_few_whatever_the_share() -> None:
    strict = msgspec.structs.replace(RULES, changes=ChangeBounds(0, 0, 0, 0, 0, 0, at_least=2))
    two = changes(removed=dict.fromkeys(IDS[:2], FLAG_REMOVED))
    assert rights_in_force(BASE, two, strict).changes == 5
    three = changes(removed=dict.fromkeys(IDS[:3], FLAG_REMOVED))
    with pytest.raises(RightsError, match="the policy allows 2"):
        rights_in_force(BASE, three, strict)


def test_blocks_cleared_under_an_earlier_decree_count_no_more() -> None:
    old = changes(cleared={(id, 1): 4 for id in IDS[:50]})
    assert rights_in_force(BASE, old, RULES).changes == 5


def test_redemptions_of_one_household_count_each_against_the_bound() -> None:
    five = {(RedemptionId(1, 1, n), IDS[0]): 5 for n in range(1, 6)}
    assert "take back redemptions of 5 of 100" in refused(changes(corrected=five))


def test_redemptions_taken_back_under_an_earlier_decree_count_no_more() -> None:
    old = changes(corrected={(RedemptionId(1, 1, n), IDS[n]): 4 for n in range(1, 50)})
    assert rights_in_force(BASE, old, RULES).changes == 5


# --- redemptions that are taken back ---


def correction(household: bytes, number: int = 5) -> Correction:
    return Correction(1, 1, 7, household, number)


def test_household_of_another_kecamatan_is_refused_by_its_number_and_its_id() -> None:
    file = msgspec.structs.replace(ALL, corrected=(correction(b"stranger"),))
    told = refused(file)
    assert told.startswith("the changes of 629901 take back T001-0007 of household")
    assert b"stranger".hex() in told
    with pytest.raises(RightsError, match="only it can add one"):
        changes(corrected={(RedemptionId(1, 1, 7), b"stranger"): 5})


def test_correction_of_a_household_that_has_left_since_is_passed_over() -> None:
    rows = (correction(IDS[3], 2), correction(b"has left", 2))
    assert corrections_in_force(BASE, rows) == [rows[0]]
    assert corrections_in_force(BASE, ()) == []


def test_correction_dated_back_to_changes_that_did_not_say_so_is_refused() -> None:
    known = (correction(IDS[3], 2), correction(IDS[4], 3))
    new = msgspec.structs.replace(ALL, corrected=(*known, correction(IDS[6], 5)))
    check_not_dated_back(new, heard=4, known=known)
    for row in (correction(IDS[6], 4), correction(IDS[6], 1), correction(IDS[3], 3)):
        with pytest.raises(RightsError, match=rf"T001-0007 was taken back in changes {row.number}"):
            check_not_dated_back(
                msgspec.structs.replace(ALL, corrected=(*known, row)), heard=4, known=known
            )


def test_reader_that_has_heard_nothing_yet_believes_the_file() -> None:
    check_not_dated_back(ALL, heard=0, known=())


# --- the file ---


@pytest.mark.parametrize(
    "rows",
    [
        {"removed": (Removal(3, 2), Removal(3, 4))}, {"moved": (Move(4, DESA_A), Move(3, DESA_A))},
        {"replaced": (Replacement(3, 4),) * 2}, {"lowered": (Lowering(3, 1), Lowering(1, 1))},
        {"cleared": (Clearing(IDS[3], 2, 1), Clearing(IDS[3], 1, 1))},
        {"cleared": (Clearing(IDS[3], 2, 1), Clearing(IDS[3], 2, 3))},
        {"corrected": (Correction(1, 1, 7, IDS[3], 1), Correction(1, 1, 7, IDS[3], 2))},
        {"corrected": (Correction(1, 2, 7, IDS[3], 1), Correction(1, 1, 9, IDS[3], 1))},
        {"corrected": (Correction(1, 1, 7, IDS[3], 1), Correction(1, 1, 7, IDS[2], 1))},
    ],
)  # fmt: skip
def test_rows_out_of_order_or_twice_are_refused(rows: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="out of order"):
        read_changes(write_changes(msgspec.structs.replace(ALL, **rows)))


def test_clearing_from_the_future_is_refused() -> None:
    early = msgspec.structs.replace(ALL, cleared=(Clearing(IDS[3], 2, 6),))
    with pytest.raises(RecordError, match="still to come"):
        read_changes(write_changes(early))


def test_correction_from_the_future_is_refused() -> None:
    early = msgspec.structs.replace(ALL, corrected=(correction(IDS[3], 6),))
    with pytest.raises(RecordError, match="still to come"):
        read_changes(write_changes(early))


@pytest.mark.parametrize("flag", [0, 1, 3, 16])
def test_removal_for_a_reason_that_is_none_is_refused(flag: int) -> None:
    spoilt = msgspec.structs.replace(ALL, removed=(Removal(3, flag),))  # type: ignore[arg-type]
    with pytest.raises(RecordError, match="not a ChangesFile"):
        read_changes(compress(pack(spoilt)))


def test_every_truncation_of_the_file_is_refused() -> None:
    data = write_changes(ALL)
    for length in range(len(data)):
        with pytest.raises(RecordError):
            read_changes(data[:length])
    with pytest.raises(RecordError):
        read_changes(data + b"\0")


def test_changes_that_inflate_without_end_are_refused() -> None:
    with pytest.raises(RecordError, match="too large"):
        read_changes(compress(bytes(9 * 1024 * 1024)))


@pytest.mark.parametrize(
    "names",
    [
        ["changes/629901/1.cbor.zst", "changes/629901/2.cbor.zst"], ["changes/629902/1.cbor.zst"],
        ["changes/629901/0.cbor.zst"], ["changes/629901/01.cbor.zst"], ["changes/629901/1.cbor"],
        ["rights/629901/base.cbor.zst"],
    ],
)  # fmt: skip
def test_role_that_names_anything_but_its_one_file_is_refused(names: list[str]) -> None:
    assert changes_path([], "629901") is None
    assert changes_path(["changes/629901/7.cbor.zst"], "629901") == "changes/629901/7.cbor.zst"
    with pytest.raises(RightsError, match="names other files"):
        changes_path(names, "629901")
