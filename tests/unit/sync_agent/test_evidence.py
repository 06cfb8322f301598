"""A second branch, and entries that never arrived, are found by whoever can show a signed piece."""

import msgspec
import pytest

from ledger.element import RedemptionId
from ledger.entry import Opened
from ledger.folder import TerminalFolder
from ledger.head_code import head_code
from ledger.journal import Identity, create_journal, open_journal
from ledger.receipt import write_receipt
from sync_agent.errors import IntakeRefusedError
from sync_agent.province.evidence import ChainCase, ChainKind, Shown
from tests.sync_world import SyncWorld, batch_of

ON_BOTH_STORES = True


def days(world: SyncWorld, folder: TerminalFolder, *names: str) -> None:
    for name in names:
        world.record(folder, Opened(name))


def begun_anew(folder: TerminalFolder) -> None:
    """The journal is gone, and the terminal goes on as if nothing had been."""
    for file in folder.root.glob("journal.db*"):
        file.unlink()
    config = folder.config
    identity = Identity(config.ordinal, config.epoch, folder.signer().public)
    create_journal(folder.journal, identity).close()


def slip(folder: TerminalFolder) -> str:
    journal = open_journal(folder.journal, reading=True)
    entries, signature = journal.signed_run(1)
    journal.close()
    return write_receipt(entries[-1], signature)


def shown(world: SyncWorld, text: str) -> tuple[Shown, str]:
    """What a slip shows, and its number."""
    what, entry = world.province.show_slip(text)
    return what, entry.id.number()


def test_slip_that_is_in_the_log_opens_nothing(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    world.province.take(batch_of(world.one), road="http")
    assert shown(world, slip(world.one)) == (Shown.HELD, "T001-0001")
    assert world.province.chain_cases() == []


def test_slip_of_a_branch_that_was_lost_is_a_fork(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    text = slip(world.one)
    begun_anew(world.one)
    days(world, world.one, "lain")
    world.province.take(batch_of(world.one), road="http")
    assert shown(world, text) == (Shown.FORK, "T001-0001")
    (case,) = world.province.chain_cases()
    assert (case.kind, case.name, case.first) == (ChainKind.FORK, "T001", 1)


def test_slip_that_never_arrived_names_the_terminal_that_owes_entries(world: SyncWorld) -> None:
    days(world, world.one, "satu")
    world.province.take(batch_of(world.one), road="http")
    days(world, world.one, "dua")
    world.take(world.one, world.homes_1[0])
    for _ in range(3):
        assert shown(world, slip(world.one)) == (Shown.MISSING, "T001-0003")
    assert world.province.chain_cases() == [ChainCase(ChainKind.MISSING, 1, 1, 2, 3, 1)]
    world.province.take(batch_of(world.one), road="http")
    assert world.province.chain_cases() == [], "it arrived"


def test_slip_that_is_answered_by_another_entry_becomes_a_fork(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    assert world.province.show_slip(slip(world.one))[0] is Shown.MISSING
    begun_anew(world.one)
    days(world, world.one, "lain")
    world.province.take(batch_of(world.one), road="http")
    (case,) = world.province.chain_cases()
    assert (case.kind, case.first, case.last) == (ChainKind.FORK, 1, 1)


def test_batch_by_hand_beyond_what_is_held_opens_a_case(world: SyncWorld) -> None:
    days(world, world.one, "satu", "dua", "tiga")
    with pytest.raises(IntakeRefusedError, match="0 entries are held"):
        world.province.take(batch_of(world.one, start=3), road="stick")
    assert world.province.chain_cases() == [ChainCase(ChainKind.MISSING, 1, 1, 1, 3, 1)]


def test_stick_of_a_terminal_that_is_shut_out_is_kept_as_evidence_and_not_taken(
    world: SyncWorld,
) -> None:
    days(world, world.one, "satu")
    world.province.take(batch_of(world.one), road="http")
    world.take(world.one, world.homes_1[0])
    data, held = batch_of(world.one), batch_of(world.one, count=1)
    world.terminals[0] = msgspec.structs.replace(world.terminals[0], shut_out=world.clock.wall)
    world.province.release(world.sign_release())
    for road in ("http", "stick"):
        forged = batch_of(world.one, signer=world.two.signer())
        for refused in (data, held, forged):
            with pytest.raises(IntakeRefusedError, match="shut out") as told:
                world.province.take(refused, road=road)
            assert told.value.code == "shut_out"
        assert world.province.head(2, 1).seq == 0
        kept = [ChainCase(ChainKind.MISSING, 1, 1, 2, 2, 1)] if road == "stick" else []
        assert world.province.chain_cases() == kept, "what a thief sends by network is not kept"
    assert world.province.received() == 0
    assert world.province.cases() == []


def test_slip_of_a_terminal_that_is_shut_out_still_counts(world: SyncWorld) -> None:
    import msgspec

    world.take(world.one, world.homes_1[0])
    world.terminals[0] = msgspec.structs.replace(world.terminals[0], shut_out=world.clock.wall)
    world.province.release(world.sign_release())
    assert world.province.show_slip(slip(world.one))[0] is Shown.MISSING


@pytest.mark.parametrize("text", ["", "KHR1AAAA", "KHB1ABCD", "x" * 3_000])
def test_what_is_no_slip_is_refused(world: SyncWorld, text: str) -> None:
    with pytest.raises(IntakeRefusedError, match="no slip"):
        world.province.show_slip(text)
    assert world.province.chain_cases() == []


def head_of(folder: TerminalFolder) -> tuple[RedemptionId, str]:
    """What a terminal's officer reads out: the number and the code of its newest entry."""
    journal = open_journal(folder.journal, reading=True)
    head, me = journal.head(), journal.identity
    journal.close()
    id = RedemptionId(me.terminal, me.epoch, head.seq)
    return id, head_code(id, head.leaf)


def test_code_of_what_is_held_opens_nothing(world: SyncWorld) -> None:
    days(world, world.one, "satu", "dua")
    world.province.take(batch_of(world.one), road="stick")
    assert world.province.tell_code(*head_of(world.one)) is Shown.HELD
    assert world.province.chain_cases() == []


def test_code_of_what_never_arrived_names_who_owes_which_entries(world: SyncWorld) -> None:
    days(world, world.one, "satu")
    world.province.take(batch_of(world.one), road="stick")
    days(world, world.one, "dua", "tiga")
    for _ in range(3):
        assert world.province.tell_code(*head_of(world.one)) is Shown.MISSING
    assert world.province.chain_cases() == [ChainCase(ChainKind.MISSING, 1, 1, 2, 3, 1, told=1)]
    world.province.take(batch_of(world.one), road="stick")
    assert world.province.chain_cases() == []


def test_code_that_is_not_that_of_the_entry_accuses_nobody_of_a_fork(world: SyncWorld) -> None:
    days(world, world.one, "satu")
    id, code = head_of(world.one)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert world.province.tell_code(id, wrong) is Shown.MISSING
    world.province.take(batch_of(world.one), road="stick")
    assert world.province.tell_code(id, wrong) is Shown.CODE
    assert world.province.chain_cases() == [ChainCase(ChainKind.CODE, 1, 1, 1, 1, 1, told=1)]
    assert world.province.tell_code(id, code) is Shown.HELD


def test_code_of_a_terminal_nobody_enrolled_is_refused(world: SyncWorld) -> None:
    with pytest.raises(IntakeRefusedError, match="not in the roll"):
        world.province.tell_code(RedemptionId(77, 1, 1), "0000-0000")
    assert world.province.chain_cases() == []


def test_misheard_code_is_withdrawn_and_accuses_nobody(world: SyncWorld) -> None:
    days(world, world.one, "satu")
    world.province.take(batch_of(world.one), road="http")
    misheard = RedemptionId(1, 1, 9999)
    assert world.province.tell_code(misheard, "0000-0000") is Shown.MISSING
    (case,) = world.province.chain_cases()
    assert (case.last, case.pieces, case.told) == (9999, 1, 1)
    assert not world.province.withdraw_code(misheard, "0000-0001")
    assert len(world.province.chain_cases()) == 1
    for _ in range(2):
        assert world.province.withdraw_code(misheard, "0000-0000")
        assert world.province.chain_cases() == []


def test_withdrawn_code_takes_no_signed_proof_with_it(world: SyncWorld) -> None:
    days(world, world.one, "satu")
    world.take(world.one, world.homes_1[0])
    id, code = head_of(world.one)
    world.province.tell_code(id, code)
    world.province.show_slip(slip(world.one))
    (both,) = world.province.chain_cases()
    assert (both.pieces, both.told) == (2, 1)
    assert world.province.withdraw_code(id, code)
    (signed,) = world.province.chain_cases()
    assert (signed.pieces, signed.told) == (1, 0)
