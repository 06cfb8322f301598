"""A batch is taken whole or not at all, whatever it says and however often it comes."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from card_codec.keys import PrivateKey
from ledger.acknowledgement import read_acknowledgement
from ledger.element import RedemptionId
from ledger.entry import Entry, Handover, Opened, Redemption, Void, make_entry, sign_head
from ledger.folder import TerminalFolder
from ledger.journal import Identity, create_journal, open_journal
from ledger.record import compress, inflate, pack, unpack
from sync_agent.batch import BATCH_SIZE_MAX, Batch, BatchFile, read_batch, write_batch
from sync_agent.columns import ColumnWriter
from sync_agent.errors import IntakeRefusedError, ProvinceError
from sync_agent.messages import HeadAnswer
from sync_agent.province import schema
from sync_agent.province.store import Store
from tests.sync_world import SyncWorld, batch_of

ON_BOTH_STORES = True
TABLES = list(schema.metadata.tables.values())


def counts(world: SyncWorld) -> dict[str, int]:
    """Rows of every table: what is stored, in full."""
    store = Store(world.province_folder.store_url)
    with store.reading() as db:
        found = {
            t.name: db.execute(select(func.count()).select_from(t)).scalar_one() for t in TABLES
        }
    store.close()
    return found


def refused(world: SyncWorld, data: bytes, code: str) -> IntakeRefusedError:
    """The refusal of a batch, after which the store is as it was."""
    before = counts(world)
    with pytest.raises(IntakeRefusedError) as caught:
        world.province.take(data, road="http")
    assert caught.value.code == code
    after = counts(world)
    kept = {name: after[name] for name in ("fork", "evidence_published")}
    assert before | kept == after
    return caught.value


def changed(data: bytes, **fields: object) -> bytes:
    """A batch with other fields, well formed."""
    file = unpack(data, BatchFile, size_max=BATCH_SIZE_MAX)
    return pack(msgspec.structs.replace(file, **fields))


def with_entries(data: bytes, *entries: Entry, start: int = 1) -> bytes:
    """A batch of terminal 1 with other entries."""
    batch = read_batch(data)
    return write_batch(Batch(1, 1, start, entries, batch.signature))


def some_entries(world: SyncWorld, folder: TerminalFolder, count: int) -> None:
    for number in range(count):
        world.record(folder, Opened(f"hari {number}"))


def restored(world: SyncWorld, folder: TerminalFolder) -> TerminalFolder:
    """The same terminal with its journal put back to the beginning."""
    for file in folder.root.glob("journal.db*"):
        file.unlink()
    config = folder.config
    identity = Identity(config.ordinal, config.epoch, folder.signer().public)
    create_journal(folder.journal, identity).close()
    return folder


def test_batch_is_taken_and_acknowledged_by_the_log_key(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    world.record(world.one, Handover(1))
    taken = world.province.take(batch_of(world.one), road="http")
    assert (taken.accepted, taken.seq) == (2, 2)
    said = read_acknowledgement(taken.acknowledgement, world.trust())
    journal = open_journal(world.one.journal, reading=True)
    assert (said.terminal, said.epoch, said.seq, said.head) == (1, 1, 2, journal.leaf(2))
    assert said.at == world.clock.wall
    journal.close()
    assert world.province.head(1, 1) == HeadAnswer(2, said.head.hex())


def test_same_batch_a_hundred_times_gives_the_same_acknowledgement(world: SyncWorld) -> None:
    some_entries(world, world.one, 3)
    batch = batch_of(world.one)
    first = world.province.take(batch, road="http")
    before = counts(world)
    for _ in range(100):
        world.clock.pass_time(60)
        again = world.province.take(batch, road="stick")
        assert again.acknowledgement == first.acknowledgement
        assert again.accepted == 0
    assert counts(world) == before


def test_repetition_gives_the_same_acknowledgement_after_more_has_come(world: SyncWorld) -> None:
    some_entries(world, world.one, 2)
    early = batch_of(world.one)
    first = world.province.take(early, road="http")
    some_entries(world, world.one, 2)
    world.province.take(batch_of(world.one, start=3), road="http")
    assert world.province.take(early, road="http").acknowledgement == first.acknowledgement


def test_batch_that_overlaps_brings_only_what_is_new(world: SyncWorld) -> None:
    some_entries(world, world.one, 3)
    world.province.take(batch_of(world.one), road="http")
    some_entries(world, world.one, 2)
    taken = world.province.take(batch_of(world.one, start=2), road="http")
    assert (taken.accepted, taken.seq) == (2, 5)
    assert counts(world)["entry"] == 5


def test_batch_within_what_is_held_is_answered_by_what_covers_it(world: SyncWorld) -> None:
    some_entries(world, world.one, 5)
    whole = world.province.take(batch_of(world.one), road="http")
    part = world.province.take(batch_of(world.one, start=2, count=2), road="http")
    assert (part.accepted, part.seq) == (0, 5)
    assert part.acknowledgement == whole.acknowledgement


def test_gap_is_refused_with_where_to_go_on(world: SyncWorld) -> None:
    some_entries(world, world.one, 5)
    error = refused(world, batch_of(world.one, start=3), "gap")
    assert (error.status, error.size) == (416, 0)
    world.province.take(batch_of(world.one, count=2), road="http")
    assert refused(world, batch_of(world.one, start=4), "gap").size == 2


def test_wrong_signature_is_refused(world: SyncWorld) -> None:
    some_entries(world, world.one, 2)
    good = batch_of(world.one)
    stranger = batch_of(world.one, signer=PrivateKey.generate())
    other_terminal = batch_of(world.one, signer=world.two.signer())
    of_an_earlier_entry = changed(
        good, signature=read_batch(batch_of(world.one, count=1)).signature
    )
    for data in (stranger, other_terminal, of_an_earlier_entry):
        assert refused(world, data, "bad_signature").status == 400


def test_terminal_that_is_not_in_the_roll_is_refused(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    for fields in ({"terminal": 9}, {"epoch": 2}):
        assert refused(world, changed(batch_of(world.one), **fields), "not_enrolled").status == 403


def test_terminal_that_is_shut_out_is_refused(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    shut = msgspec.structs.replace(world.terminals[0], shut_out=world.clock.wall)
    world.terminals[0] = shut
    world.province.release(world.sign_release())
    refused(world, batch_of(world.one), "shut_out")


def test_batch_through_another_terminals_door_is_refused(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    before = counts(world)
    with pytest.raises(IntakeRefusedError, match="another terminal"):
        world.province.take(batch_of(world.one), road="http", sender=world.terminals[1])
    assert counts(world) == before


def test_entries_of_another_terminal_in_a_batch_are_refused(world: SyncWorld) -> None:
    some_entries(world, world.two, 1)
    batch = batch_of(world.two)
    refused(world, with_entries(batch, *read_batch(batch).entries), "malformed")
    refused(world, changed(batch, terminal=1), "bad_signature")


def test_entries_out_of_order_are_refused(world: SyncWorld) -> None:
    some_entries(world, world.one, 3)
    good = batch_of(world.one)
    first, second, third = read_batch(good).entries
    refused(world, with_entries(good, first, third, second), "malformed")
    refused(world, with_entries(good, first, third), "malformed")
    refused(world, with_entries(good, first, second, third, start=2), "malformed")
    refused(world, changed(good, start=2), "bad_signature")


def test_chain_broken_inside_a_batch_is_refused_though_signed(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    first = open_and_read(world.one)[0]
    loose = make_entry(
        id=RedemptionId(1, 1, 2), prev=b"\1" * 32, moment=first.body.moment, ledger=1,
        officer="UJI", content=Opened("lepas"),
    )  # fmt: skip
    signature = sign_head(loose.leaf, world.one.signer())
    refused(world, write_batch(Batch(1, 1, 1, (first, loose), signature)), "broken_chain")


def open_and_read(folder: TerminalFolder):
    journal = open_journal(folder.journal, reading=True)
    entries, _ = journal.signed_run(1)
    journal.close()
    return entries


def test_entry_of_an_unknown_form_is_refused(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    columns = ColumnWriter()
    columns.numbers([0])
    columns.numbers([0])
    columns.strings([b"\xf6"])
    whole = {"shapes": (), "texts": (), "pool": columns.pool}
    data = changed(batch_of(world.one), columns=compress(columns.finish()), **whole)
    refused(world, data, "malformed")


def test_other_history_is_a_fork_kept_whole_and_nothing_accepted(world: SyncWorld) -> None:
    some_entries(world, world.one, 3)
    world.province.take(batch_of(world.one), road="http")
    restored(world, world.one)
    world.record(world.one, Opened("cerita lain"))
    some_entries(world, world.one, 4)
    branch = batch_of(world.one)
    error = refused(world, branch, "fork")
    assert error.status == 409
    assert "entry 1" in error.detail
    assert counts(world)["fork"] == 1
    store = Store(world.province_folder.store_url)
    with store.reading() as db:
        kept = db.execute(select(schema.fork)).one()
    store.close()
    assert (kept.batch, kept.seq, kept.terminal) == (branch, 1, 1)
    for _ in range(5):
        refused(world, branch, "fork")
    assert counts(world)["fork"] == 1


def test_branch_that_begins_where_the_log_ends_is_a_fork(world: SyncWorld) -> None:
    some_entries(world, world.one, 3)
    world.province.take(batch_of(world.one), road="http")
    restored(world, world.one)
    world.record(world.one, Opened("cerita lain"))
    some_entries(world, world.one, 4)
    error = refused(world, batch_of(world.one, start=4), "fork")
    assert "entry 3" in error.detail


def test_fork_without_the_terminals_signature_is_no_evidence(world: SyncWorld) -> None:
    some_entries(world, world.one, 2)
    world.province.take(batch_of(world.one), road="http")
    restored(world, world.one)
    world.record(world.one, Opened("cerita lain"))
    refused(world, batch_of(world.one, signer=PrivateKey.generate()), "bad_signature")
    assert counts(world)["fork"] == 0


def test_double_is_taken_as_evidence(world: SyncWorld) -> None:
    household = world.homes_1[0]
    one, two = world.take(world.one, household), world.take(world.two, household)
    for folder in (world.two, world.one):
        assert world.province.take(batch_of(folder), road="http").accepted == 1
    (case,) = world.province.cases()
    assert (case.winner, [c.id.number() for c in case.losers]) == (one, [two])
    assert counts(world)["redemption"] == 2


def test_redemption_of_nothing_the_ledger_knows_is_taken_and_judged_by_nobody(
    world: SyncWorld,
) -> None:
    for folder in (world.one, world.two):
        world.take(folder, b"unlisted", programme=77, window=9, quantity=500)
        assert world.province.take(batch_of(folder), road="http").accepted == 1
    assert world.province.cases() == []
    assert len(world.province.redemptions()) == 2


def test_void_of_the_same_terminal_takes_a_claim_out(world: SyncWorld) -> None:
    household = world.homes_1[0]
    world.take(world.one, household)
    world.take(world.two, household)
    world.record(world.two, Void(1, "salah ambil", "PW"))
    world.record(world.two, Void(1, "dua kali", "PW"))
    for folder in (world.one, world.two):
        world.province.take(batch_of(folder), road="http")
    assert world.province.cases() == []
    assert [r.voided for r in world.province.redemptions()] == [False, True]


def test_restarted_province_goes_on_where_it_was(world: SyncWorld) -> None:
    some_entries(world, world.one, 2)
    first = world.province.take(batch_of(world.one), road="http")
    world.province.close()
    world.province = world.reopened()
    assert world.province.head(1, 1).seq == 2
    again = world.province.take(batch_of(world.one), road="http")
    assert again.acknowledgement == first.acknowledgement


def test_store_that_fails_in_the_middle_keeps_nothing_of_the_batch(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take(world.one, world.homes_1[0])
    before = counts(world)

    def fail(*_arguments: object) -> bytes:
        raise IntegrityError("insert", {}, Exception("disk I/O error"))

    monkeypatch.setattr("sync_agent.province.intake.write_acknowledgement", fail)
    with pytest.raises(ProvinceError, match="disk I/O error"):
        world.province.take(batch_of(world.one), road="http")
    assert counts(world) == before
    monkeypatch.undo()
    assert world.province.take(batch_of(world.one), road="http").accepted == 1


def test_log_cannot_be_changed_or_thinned(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    world.province.take(batch_of(world.one), road="http")
    store = Store(world.province_folder.store_url)
    for table in ("entry", "acknowledgement"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET seq = 9"):
            with pytest.raises(ProvinceError, match="only ever added to"), store.writing() as db:
                db.exec_driver_sql(statement)
    store.close()
    assert counts(world)["entry"] == 1


def test_batch_before_any_release_is_told_to_wait(world: SyncWorld) -> None:
    some_entries(world, world.one, 1)
    world.province_folder.rights.unlink()
    with pytest.raises(ProvinceError, match="no release was taken yet"):
        world.province.take(batch_of(world.one), road="http")


def test_batch_cut_at_every_byte_stores_nothing(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0])
    some_entries(world, world.one, 1)
    batch = batch_of(world.one)
    before = counts(world)
    for length in range(len(batch)):
        with pytest.raises(IntakeRefusedError):
            world.province.take(batch[:length], road="http")
    assert counts(world) == before


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_a_named_refusal_and_store_nothing(world: SyncWorld, data) -> None:
    if world.province.head(1, 1).seq == 0 and not open_and_read(world.one):
        world.take(world.one, world.homes_1[0])
    good = batch_of(world.one)
    plain = bytearray(good)
    columns = bytearray(inflate(unpack(good, BatchFile, size_max=BATCH_SIZE_MAX).columns))
    for changing in (plain, columns):
        at = data.draw(st.integers(0, len(changing) - 1))
        changing[at] ^= data.draw(st.integers(1, 255))
    inside = changed(good, columns=compress(bytes(columns)))
    before = counts(world)
    for hostile in (bytes(plain), inside, data.draw(st.binary(max_size=200))):
        code = None
        try:
            world.province.take(hostile, road="http")
        except IntakeRefusedError as refused:
            code = refused.code
        if code is None:  # another spelling of the very same signed entries: the terminal's own
            own = open_and_read(world.one)
            assert world.province.head(1, 1).head == own[-1].leaf.hex()
            before = counts(world)
        else:
            assert code in {"malformed", "not_enrolled", "broken_chain", "bad_signature", "gap"}
            assert counts(world) == before


def test_redemption_carries_its_paid_sum_and_officer(world: SyncWorld) -> None:
    world.take(world.one, world.homes_1[0], programme=2, paid=15_000)
    world.province.take(batch_of(world.one), road="http")
    (listed,) = world.province.redemptions()
    assert (listed.paid, listed.officer, listed.point) == (15_000, "UJI", "Balai Loket 1")
    assert isinstance(open_and_read(world.one)[0].content, Redemption)
