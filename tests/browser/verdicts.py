"""Every way a screen can end, and how to come there: for the tests and for `docs/screens`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card_codec.reason import Reason
from ledger.policy import DAY
from terminal.counter import Presentation, Request
from tests.browser.screen import Screen
from tests.browser.town import KK, NOBODYS, PUPIL_NIK, Opened


@dataclass(frozen=True)
class Way:
    """A screen by name.

    Attributes:
        word: the verdict, in Indonesian.
        card: name of the card in `Cards`.
        tone: its colour.
        shape: what is drawn.
        programme: the service in which it is met.
        before: what happened before.
        after: keys that a person presses once the card was judged.
        number: digits typed instead of showing a card.
    """

    name: str
    word: str
    card: str
    tone: str
    shape: str
    programme: str = "pasar-murah"
    before: Callable[[Opened], object] = lambda _: None
    after: tuple[str, ...] = ()
    number: str = ""

    def walk(self, screen: Screen) -> None:
        """Come there."""
        self.before(screen.opened)
        page, url = screen.page, screen.page.url
        port = page.evaluate("location.port")
        name = f"betang-{port}-service"
        page.context.add_cookies([{"name": name, "value": self.programme, "url": url}])
        page.reload()
        page.wait_for_selector("body[data-live]")
        if self.number:
            screen.look_up(self.number)
        else:
            screen.show(getattr(screen.opened.cards, self.card))
        for key in self.after:
            screen.press(key)
            page.wait_for_timeout(300)


def _taken_earlier(opened: Opened) -> None:
    opened.one.redeem(Presentation(opened.cards.plain), Request("pasar-murah"))
    opened.town.clock.pass_time(2 * DAY + 1_740)


def _away_used(opened: Opened) -> None:
    for number in range(5):
        household = opened.cards.more_away[number]
        opened.one.redeem(Presentation(household), Request("pasar-murah"))


def _open_day(opened: Opened) -> None:
    opened.open_day()


def _looked_up_often(opened: Opened) -> None:
    opened.open_day()
    for _ in range(opened.town.villagers.look_up.per_day):
        opened.one.look_up(NOBODYS)


def _later(days: int) -> Callable[[Opened], None]:
    return lambda opened: opened.town.clock.pass_time(days * DAY)


WAYS = (
    Way("approved", "BERHAK", "plain", "paper", "tick"),
    Way("approved_away", "BERHAK", "away", "paper", "tick"),
    Way("choose_member", "Untuk siapa?", "children", "paper", "ask", programme="klinik"),
    Way("done", "SELESAI", "plain", "green", "tick", after=("Enter",)),
    Way("done_away", "SELESAI", "away", "green", "tick", after=("Enter",)),
    Way(Reason.ALREADY_REDEEMED, "SUDAH DIAMBIL", "plain", "amber", "loop", before=_taken_earlier),
    Way(Reason.SAMPLE_CARD, "KARTU CONTOH", "sample", "purple", "tag"),
    Way(Reason.TRAINING_CARD, "KARTU LATIHAN", "training", "purple", "tag"),
    Way(Reason.REVOKED, "KARTU DIBLOKIR", "blocked", "black", "hand"),
    Way(Reason.REPLACED, "KARTU SUDAH DIGANTI", "old_issue", "black", "hand"),
    Way(Reason.BAD_SIGNATURE, "KARTU TIDAK SAH", "altered", "black", "hand"),
    Way(Reason.UNKNOWN_ISSUER, "KARTU TIDAK SAH", "foreign_issuer", "black", "hand"),
    Way(Reason.RIGHT_NOT_HERE, "DATA TIDAK ADA DI SINI", "not_here", "amber", "heed"),
    Way(Reason.NOT_ENTITLED, "BELUM TERDAFTAR DI SK", "not_listed", "red", "cross"),
    Way(Reason.HOUSEHOLD_MOVED, "DATA: PINDAH DOMISILI", "moved", "amber", "heed"),
    Way(Reason.HOUSEHOLD_DECEASED, "DATA: MENINGGAL DUNIA", "deceased", "amber", "heed"),
    Way(Reason.USE_CHIP, "TEMPELKAN CIP KARTU", "chip", "amber", "heed"),
    Way(Reason.EXPIRED, "KARTU KEDALUWARSA", "expired", "red", "cross"),
    Way(Reason.WRONG_AUDIENCE, "BUKAN UNTUK LAYANAN INI", "other_audience", "amber", "heed"),
    Way(Reason.MALFORMED, "KARTU TIDAK TERBACA", "damaged", "grey", "wave"),
    Way(Reason.NOT_OUR_CARD, "BUKAN KARTU HUMA BETANG", "website", "grey", "wave"),
    Way(Reason.WINDOW_NOT_OPEN, "BELUM WAKTUNYA", "plain", "amber", "heed", programme="pangan-5"),
    Way(
        Reason.WINDOW_CLOSED, "MASA PENGAMBILAN BERAKHIR", "plain", "red", "cross",
        programme="pangan-3",
    ),
    Way(
        Reason.AWAY_QUOTA_USED, "BUKAN LOKASI PENGAMBILAN", "away", "amber", "heed",
        before=_away_used,
    ),
    Way("match", "Cocok?", "", "paper", "ask", before=_open_day, number=KK),
    Way("approved_by_kk", "BERHAK", "", "paper", "tick", before=_open_day, number=KK,
        after=("Enter",)),
    Way("choose_member_by_name", "Untuk siapa?", "children", "paper", "ask", programme="klinik",
        before=_open_day),
    Way("match_nik", "Cocok?", "", "paper", "ask", before=_open_day, number=PUPIL_NIK),
    Way(Reason.LOOK_UP_UNKNOWN, "BELUM DITEMUKAN", "", "amber", "heed", before=_open_day,
        number=NOBODYS),
    Way(Reason.LOOK_UP_CLOSED, "HARI BELUM DIBUKA", "", "grey", "wave", number=KK),
    Way(Reason.LOOK_UP_QUOTA_USED, "BATAS CEK TERCAPAI", "", "grey", "wave",
        before=_looked_up_often, number=KK),
    Way(Reason.LEDGER_STALE, "DATA USANG", "away", "grey", "clock", before=_later(20)),
    Way(Reason.LEDGER_TOO_OLD, "DATA USANG", "plain", "grey", "clock", before=_later(40)),
)  # fmt: skip
