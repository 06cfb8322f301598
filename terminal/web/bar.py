"""What stands beside the verdicts: the clock, the day's numbers, and how far the road is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from terminal.counter import CounterState
from terminal.words import Words

_HEAD_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """The counter's state in words.

    Attributes:
        texts: text of each place in the page, by its name.
        sent: everything recorded has been acknowledged: the ring is filled.
        notices: sentences that stay until their cause is gone.
    """

    texts: dict[str, str]
    sent: bool
    notices: tuple[str, ...]

    def as_json(self, state: CounterState) -> dict[str, object]:
        """For the page's script, with the bare figures for a page that frames it."""
        return {
            "texts": self.texts,
            "sent": self.sent,
            "notices": list(self.notices),
            "state": asdict(state),
        }


def make_bar(state: CounterState, words: Words, *, mean_seconds: float | None) -> Bar:
    """Say a counter's state."""
    sent = state.waiting == 0 and state.ledger_version is not None
    last, away = state.last, state.away_left
    texts = {
        "date": words.date(state.at),
        "time": words.time(state.at),
        "served": words.number(state.served_today),
        "refused": words.number(state.refused_today),
        "away_left": "–" if away is None else words.number(away),
        "twice": words.money(state.twice_rupiah),
        "mean": ""
        if mean_seconds is None
        else words.say("page.mean", s=words.number(mean_seconds)),
        "last": ""
        if last is None
        else words.say("scan.last_no", no=last.number, t=words.time(last.at)),
        "road": words.say("status.synced" if sent else "status.offline"),
        "waiting": "" if sent else words.say("page.waiting", n=words.number(state.waiting)),
        "data": _data(state, words),
        "head": words.say("page.head", n=words.number(state.seq), head=state.head[:_HEAD_DIGITS]),
    }
    return Bar(texts, sent, _notices(state, words))


def _data(state: CounterState, words: Words) -> str:
    if state.ledger_time is None:
        return words.say("page.no_data")
    day = words.short_day(state.ledger_time)
    if not state.age_days:
        return words.say("page.data", d=day)
    return words.say("page.age", d=day, n=words.number(state.age_days))


def _notices(state: CounterState, words: Words) -> tuple[str, ...]:
    told = []
    if state.asks_handover and state.last is not None:
        last = f"{state.last.number}, {words.time(state.last.at)}"
        told.append(words.say("e.power", s=last))
    if state.unfinished:
        told.append(words.say("e.waits_for_card", no=", ".join(state.unfinished)))
    if state.clock_wrong:
        told.append(words.say("e.clock"))
    if state.problem is not None:
        told.append(words.say("e.not_installed"))
    if state.newer.ledger is not None:
        told.append(words.say("page.newer_ledger", n=state.newer.ledger))
    if state.newer.software is not None:
        told.append(words.say("page.newer_software", v=state.newer.software))
    return tuple(told)
