"""The exposure of a terminal as a plain table, to print and to take to the meeting."""

from __future__ import annotations

from collections.abc import Iterator

from terminal.exposure import Exposure


def exposure_table(found: Exposure) -> Iterator[str]:
    """Lines of the report."""
    rows = [
        ("given away or by exception, and no other terminal can know of it yet", found.given),
        (
            f"could still be given twice ({found.away_households} families of elsewhere)",
            found.twice,
        ),
        ("two officers could give twice by exception, in a day", found.by_exception),
        ("left to the families this terminal is home to", found.home),
        ("a thief of this terminal could give, until it is shut out", found.thief),
        ("counterfeit chips could take, were a redeem master stolen", found.chips),
    ]
    if found.event is not None:
        event = found.event
        who = ", ".join(f"T{ordinal:03d}" for ordinal in event.terminals)
        quota = f"{event.away_households} families of elsewhere"
        rows += [
            (
                f"event of {len(event.terminals)} ({who}): could be given twice ({quota})",
                event.twice,
            ),
            ("event: a thief of one of them could give", event.thief),
        ]
    width = max(len(what) for what, _ in rows)
    for what, worth in rows:
        yield f"{what.ljust(width)}  {rupiah(worth):>15}"
    yield ""
    yield "By programme, left at home / could be given twice:"
    for one in found.programmes:
        yield f"  {one.programme.ljust(24)}  {rupiah(one.home):>15}  {rupiah(one.away):>15}"
    yield ""
    yield "These are bounds: no more can happen, and every case is found once the roads are open."


def rupiah(amount: int) -> str:
    """An amount as it is written in Indonesia: Rp1.250.000."""
    return f"Rp{amount:,}".replace(",", ".")
