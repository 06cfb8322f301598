"""The issuer's verdicts: asked for by files, found by the masters, brought back to the province.

The doubles of the cards know what they signed. What the office finds must be that; and once the
province has taken it, it decides every double before anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from card_codec.chip.diversify import NO_KECAMATAN
from card_codec.chip.record import RecordKind, decode_record, encode_record
from ledger.card_record import record_of
from ledger.element import RedemptionId
from ledger.entry import Commit, Entry, Pending
from ledger.mac_verdict import AskedCommit, Finding, MacVerdict, read_asked, write_verdicts
from provisioning.chip_masters import FileMasters, Master, Purpose
from provisioning.mac_check import check_commits
from sync_agent.province.mac_verdicts import MacCaseKind
from tests.simulation.chips import MAC_MASTER, Chip
from tests.simulation.witness import Named

if TYPE_CHECKING:
    from tests.simulation.story import Story

Held = Mapping[Named, Entry]
Signed = tuple[bytes, int, bytes, bytes]
"""UID, counter, record and value of a commit."""


def bring(story: Story, held: Held) -> dict[Named, int]:
    """Ask, check, bring back; what decides then is the card's own truth.

    Returns:
        Of each redemption by chip: 0 signed by a chip of its family, 2 told with a value that none
        of its family signed, 1 where nothing is known.
    """
    province, witness = story.town.province, story.witness
    verdicts = _verdicts(story)
    _whose(story, held, verdicts)
    genuine = {one for chip in _chips(story) for one in chip.signed}
    for said in verdicts:
        if said.finding is Finding.LOST:
            continue
        real = (said.uid, said.counter, said.record, said.value) in genuine
        witness.say(
            "the issuer's check tells counterfeits from chips",
            said.finding is (Finding.VALID if real else Finding.INVALID),
            f"commit {said.counter} of {said.uid.hex()} is said to be {said.finding}",
        )
        witness.found[f"Transaction MAC {said.finding.name.lower()}"] += 1
    file = write_verdicts(verdicts, story.town.verdict, at=story.town.clock.wall)
    first, second = province.macs.take(file), province.macs.take(file)
    witness.say(
        "verdicts are taken once",
        (first.new, second.new) == (len(verdicts), 0) and not second.contradicted,
        f"{len(verdicts)} were brought, {first.new} and then {second.new} were new",
    )
    asked = {(one.uid, one.counter, one.record, one.value) for one in verdicts}
    ranks = {name: _rank(name, held, genuine & asked) for name in held if _is_pending(held[name])}
    invalid = {id for (id, _), rank in ranks.items() if rank == 2}
    told = {case.id for case in province.macs.cases() if case.kind is MacCaseKind.INVALID}
    witness.say(
        "a case is opened of what no chip of the family signed, and of nothing else",
        told == invalid,
        f"{sorted(id.number() for id in told ^ invalid)[:3]}",
    )
    return ranks


def _verdicts(story: Story) -> list[MacVerdict]:
    out = story.folder / "asked"
    files = story.town.province.macs.ask(out)
    asked = [one for path in files for one in read_asked(path.read_bytes())]
    masters = FileMasters([Master(Purpose.TMAC, NO_KECAMATAN, 1, MAC_MASTER)])
    whose = {chip.uid: chip.household for chip in _chips(story)}
    enrolled = [(t.ordinal, t.epoch) for t in story.town.terminals]
    checked = check_commits(asked, masters, enrolled, whose.get, lambda _: None)
    found = list(dict.fromkeys(one.verdict for one in checked))
    story.witness.say(
        "what the province asks is what its log tells",
        {_signed(one) for one in asked} == {_signed(one) for one in found},
        f"{len(asked)} were asked, {len(found)} answered",
    )
    return found


def _signed(one: AskedCommit | MacVerdict) -> Signed:
    return one.uid, one.counter, one.record, one.value


def _chips(story: Story) -> Iterator[Chip]:
    yield from story.chips.values()
    yield from story.old_chips.values()


def _whose(story: Story, held: Held, verdicts: list[MacVerdict]) -> None:
    """Of every redemption the office says whose card the chip is as the pending entry does."""
    # By its chip, too: a fork has two entries under one id, and a counterfeit invents records.
    named = {
        (entry.id, entry.content.uid): entry.content.household
        for entry in held.values()
        if isinstance(entry.content, Pending)
    }
    for said in verdicts:
        record = decode_record(said.record)
        id = RedemptionId(record.terminal, record.epoch, record.seq)
        family = named.get((id, said.uid))
        story.witness.say(
            "the issuer's check says whose chip it is",
            family is None or said.household == family,
            f"commit {said.counter} of {said.uid.hex()} is said to be of another family's chip",
        )


def _is_pending(entry: Entry) -> bool:
    return isinstance(entry.content, Pending)


def _rank(name: Named, held: Held, genuine: set[Signed]) -> int:
    """By what the cards truly signed, of what any entry tells of."""
    entry = held[name]
    pending = entry.content
    assert isinstance(pending, Pending)
    at = entry.body.moment.early
    record = encode_record(record_of(entry.id, pending, kind=RecordKind.REDEMPTION, at=at))
    written = (pending.uid, pending.counter + 1, record)
    if any(one[:3] == written for one in genuine):
        return 0
    own = {
        (pending.uid, one.content.counter, record, one.content.value)
        for one in _commits(held, entry.id)
        if isinstance(one.content, Commit) and one.content.value
    }
    return 2 if own - genuine else 1


def _commits(held: Held, id: RedemptionId) -> Iterator[Entry]:
    """What its own terminal told of its commit."""
    for one in held.values():
        same = (one.id.terminal, one.id.epoch) == (id.terminal, id.epoch)
        if same and isinstance(one.content, Commit) and one.content.seq == id.seq:
            yield one
