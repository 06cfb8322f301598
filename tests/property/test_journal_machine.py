"""Two journals that give, void, fail, reopen and tell each other, against a model of sets."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from card_codec.keys import PrivateKey
from ledger.element import Element, RedemptionId, Right
from ledger.entry import Basis, Content, Presented, Redemption, Void
from ledger.fsck import check_journal
from ledger.journal import Identity, Journal, create_journal, open_journal
from ledger.usage_file import write_usage
from tests.memory import MEMORY
from tests.unit.ledger.samples import MOMENT

KEYS = [PrivateKey.generate() for _ in range(2)]
RIGHTS = (Right(b"keluarga", 0, 1, 1), Right(b"keluarga", 2, 3, 1), Right(b"tetangga", 0, 1, 1))
WHICH = st.integers(0, 1)


class BrokenError(Exception):
    """Something of ours went wrong in the middle of an act."""


class Journals(RuleBasedStateMachine):
    """What each knows is a set of elements, its own voids, and a set of corrections."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="khb-journals-", dir=MEMORY))
        self.journals: list[Journal] = [
            create_journal(self.folder / f"{n}.db", Identity(n + 1, 1, KEYS[n].public))
            for n in range(2)
        ]
        self.known: list[set[Element]] = [set(), set()]
        self.voided: list[set[RedemptionId]] = [set(), set()]
        self.corrected: list[set[tuple[RedemptionId, bytes]]] = [set(), set()]
        self.length = [0, 0]

    def teardown(self) -> None:
        if not hasattr(self, "journals"):
            return
        for n, journal in enumerate(self.journals):
            checked = check_journal(journal.path, terminal=n + 1, epoch=1, key=KEYS[n].public)
            assert checked.faults == ()
            assert checked.entries == self.length[n]
            journal.close()
        shutil.rmtree(self.folder)

    @rule(n=WHICH, right=st.sampled_from(RIGHTS), quantity=st.integers(1, 3))
    def give(self, n: int, right: Right, quantity: int) -> None:
        entry = self.commit(n, redemption(right, quantity))
        assert entry is not None
        self.known[n].add(entry)

    @precondition(lambda self: hasattr(self, "journals"))
    @rule(n=WHICH, data=st.data())
    def void(self, n: int, data: st.DataObject) -> None:
        mine = sorted(e.id for e in self.known[n] if e.id.terminal == n + 1)
        if mine:
            id = data.draw(st.sampled_from(mine))
            self.commit(n, Void(id.seq, "salah", "WK"))
            self.voided[n].add(id)

    @rule(n=WHICH, terminal=WHICH, seq=st.integers(1, 4), right=st.sampled_from(RIGHTS))
    def correct(self, n: int, terminal: int, seq: int, right: Right) -> None:
        """What a kecamatan's two signed, before or after the redemption is known here."""
        said = RedemptionId(terminal + 1, 1, seq), right.household
        with self.journals[n].act() as act:
            act.known.correct([said])
        self.corrected[n].add(said)

    @rule(n=WHICH, right=st.sampled_from(RIGHTS))
    def break_off_an_act(self, n: int, right: Right) -> None:
        try:
            with self.journals[n].act() as act:
                act.append(
                    redemption(right, 1), moment=MOMENT, ledger=1, officer="", signer=KEYS[n]
                )
                raise BrokenError
        except BrokenError:
            return

    @rule(n=WHICH, data=st.data())
    def tell_the_other(self, n: int, data: st.DataObject) -> None:
        """Any part of what one knows, any number of times, by the road of usage."""
        told = sorted(self.known[n], key=lambda e: (e.id, e.right.text()))
        if not told:
            return
        some = data.draw(st.lists(st.sampled_from(told), max_size=6))
        other = 1 - n
        with self.journals[other].act() as act:
            number = len(act.known.segments("629901")) + 1
            new = act.known.take_segment(write_usage("629901", number, some))
        assert new == len(set(some) - self.known[other])
        self.known[other] |= set(some)

    @rule(n=WHICH)
    def reopen(self, n: int) -> None:
        path = self.journals[n].path
        self.journals[n].close()
        self.journals[n] = open_journal(path)

    @invariant()
    def what_is_taken_is_the_sum_of_the_set(self) -> None:
        for n, journal in enumerate(getattr(self, "journals", ())):
            for right in RIGHTS:
                standing = [
                    e
                    for e in self.known[n]
                    if e.right == right
                    and e.id not in self.voided[n]
                    and (e.id, right.household) not in self.corrected[n]
                ]
                taken = journal.known().taken(right)
                assert taken.total == sum(e.quantity for e in standing)
                assert set(journal.known().elements(right)) == set(standing)
                assert (taken.latest is None) is (not standing)
            assert journal.head().seq == self.length[n]

    def commit(self, n: int, content: Content) -> Element | None:
        with self.journals[n].act() as act:
            entry, _ = act.append(content, moment=MOMENT, ledger=1, officer="", signer=KEYS[n])
        self.length[n] += 1
        return entry.element()


def redemption(right: Right, quantity: int) -> Redemption:
    return Redemption(
        right.household, 1, right.member, right.programme, right.window, quantity, 0,
        Presented.TEXT, Basis.HOME,
    )  # fmt: skip


TestJournals = Journals.TestCase
TestJournals.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
