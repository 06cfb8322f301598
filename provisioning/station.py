"""The card station: one chip after another becomes a card of a household.

    find       what lies on the reader; only a blank chip, or one begun here, is gone on with
    enter      chip and card into the log, before anything is written on the chip
    make       whatever is still missing on it (card_codec.chip.khb1_making)
    check      everything read back under every key, and the credential's signature
    finish     the log says that it is a good card

A chip that stops answering stays begun. Laid down again, here or after the power came back, it is
finished as the same card; whether it had been whole already is found by the same check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from card_codec.chip.apdu import CardLink
from card_codec.chip.diversify import NO_KECAMATAN, KeyName
from card_codec.chip.errors import ChipError, ChipLinkError
from card_codec.chip.foreign import ForeignCard
from card_codec.chip.khb1_files import AWAY_KEY, HOME_KEYS, MAC_KEY, MASTER_KEY, ChipContent
from card_codec.chip.khb1_making import BlankChip, CardPlan, check_card, find, make_card
from card_codec.chip.profile import PresentCard
from card_codec.chip.record import CardRecord, RecordKind, day_of
from card_codec.chip.tmac import reader_id
from card_codec.credential import CardKind, Credential, issue_credential, verify_credential
from card_codec.keys import PrivateKey
from card_codec.refusal import Refused
from card_codec.trust import TrustList
from provisioning import chip_log
from provisioning.cards import YEAR
from provisioning.changes import Change, ChangeKind, enter_changes
from provisioning.chip_log import LoggedChip, Progress
from provisioning.chip_masters import ChipMasters, Purpose
from provisioning.errors import ProvisioningError
from provisioning.office import Office
from provisioning.policy_table import generation_in_force, read_policy_table
from provisioning.roster import RosterHousehold

READER_ID = reader_id(0, 0)
"""By which the issuer knows a commit of a card station."""
_MASTER_GENERATION = 1
_SEQ_MASK = 0xFF_FFFF


class Done(StrEnum):
    """What became of a chip that is a good card now."""

    MADE = "made"
    FINISHED = "finished"
    """It had been begun before."""


class Rejected(StrEnum):
    """Why a card on the reader was not gone on with."""

    FOREIGN_CARD = "foreign_card"
    ALREADY_PERSONALISED = "already_personalised"
    OTHER_STATION = "other_station"
    ABANDONED = "abandoned"
    LOG_DISAGREES = "log_disagrees"
    NOT_AS_WRITTEN = "not_as_written"
    TOO_MANY_RECORDS = "too_many_records"
    NOBODY_WAITS = "nobody_waits"
    PULLED = "pulled"


@dataclass(frozen=True, slots=True)
class Tap:
    """One card on the reader, and what became of it.

    Attributes:
        outcome: what was done, or why not.
        words: one sentence for who stands there.
        uid: of the chip, where it told one.
        chip: its line of the log, where it has one.
    """

    outcome: Done | Rejected
    words: str
    uid: bytes | None = None
    chip: LoggedChip | None = None

    @property
    def is_done(self) -> bool:
        """Whether it is a good card now."""
        return isinstance(self.outcome, Done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Who makes the cards, and with what.

    Attributes:
        office: the open office.
        masters: derive the keys of chips.
        signer: the card issuer's key.
        trust: to check what was signed as a counter does.
        audience: programme family the cards are for.
        known: redemptions of open windows, by household; a card begins with them.
        replaces: whether each card takes the place of the one the family holds.
        now: Unix seconds.
        draw: gives that many random bytes.
    """

    office: Office
    masters: ChipMasters
    signer: PrivateKey = field(repr=False)
    trust: TrustList
    audience: str
    known: Mapping[bytes, Sequence[CardRecord]]
    replaces: bool
    now: Callable[[], int]
    draw: Callable[[int], bytes]

    def tap(self, link: CardLink, queue: list[bytes], *, atr: bytes = b"") -> Tap:
        """Go on with whatever lies on the reader.

        Args:
            link: the card.
            queue: households that wait for a card; the first is taken off for a blank chip.
            atr: what the reader said about the card.

        Raises:
            ProvisioningError: the office cannot make this card at all: a master is missing.
        """
        try:
            found = find(link, atr=atr)
        except ChipLinkError as error:
            return Tap(Rejected.PULLED, f"{error.detail}; lay it down again")
        except ChipError as error:
            return Tap(Rejected.NOT_AS_WRITTEN, f"the card is set aside: {error.detail}")
        if isinstance(found, ForeignCard):
            words = f"this is not a blank card but {found.name}; nothing was written on it"
            return Tap(Rejected.FOREIGN_CARD, words)
        chip = chip_log.chip_of(self.office.roster, found.uid)
        rejected = _rejected(found, chip)
        if rejected is not None:
            return rejected
        if chip is not None:
            return self._go_on(link, chip, Done.FINISHED)
        assert isinstance(found, BlankChip)  # _rejected took all others
        begun = self._begin(found, queue)
        return begun if isinstance(begun, Tap) else self._go_on(link, begun, Done.MADE)

    def _begin(self, blank: BlankChip, queue: list[bytes]) -> LoggedChip | Tap:
        """Enter the next household's card into the log, on this chip."""
        if not queue:
            words = "nobody waits for a new card; lay down the one that is unfinished"
            return Tap(Rejected.NOBODY_WAITS, words, blank.uid)
        holder = self.office.roster.household(queue[0])
        if holder is None:
            raise ProvisioningError(f"household {queue[0].hex()} is not in the roster")
        records = self._records(holder)
        if len(records) > blank.kept:  # none of them may be pushed out
            words = (
                f"household {holder.id.hex()} took {len(records) - 1} things in open windows and"
                f" this chip has room for {blank.kept - 1}; take a DESFire EV2 or EV3"
            )
            return Tap(Rejected.TOO_MANY_RECORDS, words, blank.uid)
        roster = self.office.roster
        with roster.db.atomic():
            issue = holder.issue
            if self.replaces:
                replaced = Change(holder.id, ChangeKind.REPLACE)
                enter_changes(roster, holder.kecamatan, [replaced], now=self.now())
                issue += 1
            for old in chip_log.chips_of(roster, holder.id):
                if old.progress is Progress.BEGUN:
                    assert self.replaces  # the queue leaves it out otherwise
                    chip_log.abandon(roster, old.number)
            chip = LoggedChip(
                chip_log.next_number(roster), blank.uid, holder.id, issue, blank.silicon,
                self._content(blank, holder, issue), records, Progress.BEGUN,
            )  # fmt: skip
            self.plan(chip)  # a master that is missing stops here, before anything is begun
            chip_log.enter(roster, chip, now=self.now())
        queue.pop(0)
        return chip

    def _go_on(self, link: CardLink, chip: LoggedChip, done: Done) -> Tap:
        plan = self.plan(chip)
        try:
            make_card(link, plan, self.draw)
            check_card(link, plan, self.draw)
        except ChipLinkError as error:
            return Tap(Rejected.PULLED, f"{error.detail}; lay it down again", chip.uid, chip)
        except ChipError as error:
            words = f"the card is set aside and is no good one: {error.detail}"
            return Tap(Rejected.NOT_AS_WRITTEN, words, chip.uid, chip)
        verified = verify_credential(chip.content.credential, self.trust)
        if isinstance(verified, Refused):
            raise ProvisioningError(
                "the credential does not verify against the office's own trust list; check the"
                " issuer's key"
            )
        with self.office.roster.db.atomic():
            chip_log.finish(self.office.roster, chip, now=self.now())
        made = replace(chip, progress=Progress.MADE)
        words = f"card {chip.issue} of household {chip.household.hex()} is {done}"
        return Tap(done, words, chip.uid, made)

    def _content(self, blank: BlankChip, holder: RosterHousehold, issue: int) -> ChipContent:
        now = self.now()
        credential = Credential(
            household=holder.id,
            issue=issue,
            kind=CardKind.CARD,
            issuer=self.office.config.issuer,
            audience=self.audience,
            issued_at=now,
            expires_at=now + self.office.config.card_years * YEAR,
            name=holder.name,
            chip_uid=blank.uid,
        )
        return ChipContent(
            holder.kecamatan,
            self._generation(holder.kecamatan),
            self._newest(Purpose.AWAY, NO_KECAMATAN),
            blank.slots,
            issue_credential(credential, self.signer),
        )

    def _records(self, holder: RosterHousehold) -> tuple[CardRecord, ...]:
        """The station's mark last: whoever commits next finds who had the commit before."""
        number = chip_log.next_number(self.office.roster) & _SEQ_MASK
        mark = CardRecord(RecordKind.PERSONALISED, 0, 0, number, 0, 0, 0, 0, day_of(self.now()))
        return (*self.known.get(holder.id, ()), mark)

    def _generation(self, kecamatan: str) -> int:
        """The one in force, which terminals hold; the card has the two that follow as well."""
        first = generation_in_force(read_policy_table(self.office.policy_table), kecamatan)
        wanted = set(range(first, first + len(HOME_KEYS)))
        lacking = sorted(wanted - set(self.masters.generations(Purpose.REDEEM, kecamatan)))
        if lacking:
            raise ProvisioningError(
                f"redeem masters of kecamatan {kecamatan}, generation {lacking[0]}, are not held"
                f" here; `betang-provision chip-masters --generations {max(wanted)}` makes them"
            )
        return first

    def _newest(self, purpose: Purpose, kecamatan: str) -> int:
        held = self.masters.generations(purpose, kecamatan)
        if not held:
            raise ProvisioningError(
                f"no master {purpose} is held here; `betang-provision chip-masters` makes what is"
                " missing"
            )
        return held[-1]

    def plan(self, chip: LoggedChip) -> CardPlan:
        """All that shall be on a chip of the log.

        Raises:
            ProvisioningError: a master is missing.
        """
        content, uid = chip.content, chip.uid
        names = [KeyName(uid, MASTER_KEY, NO_KECAMATAN, _MASTER_GENERATION)]
        for number in HOME_KEYS:
            generation = content.generation + number - HOME_KEYS[0]
            names.append(KeyName(uid, number, content.kecamatan, generation))
        names.append(KeyName(uid, AWAY_KEY, NO_KECAMATAN, content.away_generation))
        return CardPlan(
            chip=BlankChip(uid, chip.silicon),
            content=content,
            keys=tuple(self.masters.derive(name) for name in names),
            mac_key=self.masters.derive(KeyName(uid, MAC_KEY, NO_KECAMATAN, _MASTER_GENERATION)),
            records=chip.records,
            reader_id=READER_ID,
        )


def _rejected(found: BlankChip | PresentCard, chip: LoggedChip | None) -> Tap | None:
    """Why a chip is not gone on with, by the log alone."""
    if chip is None:
        if isinstance(found, BlankChip):
            return None
        words = "this card was made, or begun, by another card station; nothing was written on it"
        return Tap(Rejected.OTHER_STATION, words, found.uid)
    if chip.progress is Progress.MADE and isinstance(found, BlankChip):
        words = "the log calls this chip a card, and it is blank: somebody wiped it; set it aside"
        return Tap(Rejected.LOG_DISAGREES, words, found.uid, chip)
    if chip.progress is Progress.MADE:
        words = f"this is already card {chip.issue} of household {chip.household.hex()}"
        return Tap(Rejected.ALREADY_PERSONALISED, words, found.uid, chip)
    if chip.progress is Progress.ABANDONED:
        words = "this chip was left unfinished and its household has another card; destroy it"
        return Tap(Rejected.ABANDONED, words, found.uid, chip)
    return None
