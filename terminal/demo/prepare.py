"""Making the demo's world: an office, a province, two counters, and a drawer of cards.

Every step is a command that an office, a province or a technician would give.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ledger.folder import write_whole
from terminal.demo.make_chips import make_chips
from terminal.demo.programs import call
from terminal.errors import DemoError

HOUSEHOLDS = 300
KECAMATAN = 2
AWAY_HOUSEHOLDS = 5
PIN_FILE, PIN = "pin", "620000"
"""Opens the day at both counters; a real terminal's PIN lies in no file beside it."""
UNFINISHED = "being-made"
"""Stands in the folder until everything of the demo is made."""
FORM = 4
"""Rises when a demo made by older software cannot be served any more."""
POINTS = ("Balai Desa", "Puskesmas")
Say = Callable[[str], None]
Report = dict[str, Any]


def prepare(folder: Path, *, seed: int | None, say: Say) -> Report:
    """Make everything without serving; returns the report of the interface.

    Raises:
        DemoError: the folder holds something else, or a program failed.
    """
    folder = folder.resolve()
    made = folder / "demo.json"
    if made.exists():
        return _kept(made, seed)
    seed = 1 if seed is None else seed
    _clear_unfinished(folder)
    write_whole(folder / UNFINISHED, b"")
    say("province and office: making keys and a roster")
    province = call("betang-sync", "province", "init", "--dir", folder / "province", "--json")
    office = _office(folder, seed)
    say("counters: enrolling two terminals")
    terminals = _enrol(folder, office, province["url"])
    say("cards: issuing twelve")
    chosen = _issue(office, _choose(_households(office)), folder / "cards", seed=seed)
    say("chips: making three")
    chips = make_chips(folder, office, terminals, _others(office, chosen))
    _tag(office, chosen)
    _publish(office, folder)
    _first_release(folder, province["config"], chosen)
    _first_stick(folder, province["config"], terminals)
    trust = folder / "trust.khb"
    call("betang-provision", "trust", "--office", office, "--out", trust, "--json")
    report = {
        "cards": [card["report"] for card in chosen],
        "chips": [_chip(chip) for chip in chips],
        "terminals": terminals,
        "province": {"config": province["config"], "url": province["url"]},
        "office": str(office),
        "trust": str(trust),
    }
    kept = {"report": report, "form": FORM, "seed": seed, **_drawers(office, chosen, chips)}
    write_whole(made, json.dumps(kept, indent=1).encode())
    (folder / UNFINISHED).unlink()
    return report


def _drawers(office: Path, chosen: list[Report], chips: list[Report]) -> Report:
    """What the page shows of the cards, and the homes they belong to."""
    drawer = [{"text": c["report"]["text"], **c["drawer"]} for c in chosen]
    chip_drawer = [{"uid": chip["uid"], **_label(chip["of"], "ok")} for chip in chips]
    homes = _homes(_households(office))
    for card in (*drawer, *chip_drawer):
        home = card["kecamatan"]
        card["home"] = f"counter {list(homes).index(home) + 1}" if home in homes else ""
    return {
        "drawer": drawer + _not_ours(drawer),
        "chips": chip_drawer,
        "homes": list(homes.values()),
    }


def _kept(made: Path, seed: int | None) -> Report:
    """The report of a folder that is there, if it is what was asked for."""
    try:
        kept = json.loads(made.read_text(encoding="utf-8"))
        report: Report = kept["report"]
        moved = Path(report["office"]).parent != made.parent
        form, old_seed = kept.get("form"), kept["seed"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DemoError(f"{made} is damaged; delete the folder and start again") from error
    if form != FORM:
        raise DemoError(f"{made.parent} was made by another version; delete it and start again")
    if moved:
        raise DemoError(
            f"{made.parent} was moved from where it was made; delete it or move it back"
        )
    if seed not in {None, old_seed}:
        raise DemoError(f"{made.parent} holds the demo of seed {old_seed}; choose another folder")
    return report


def is_used(folder: Path) -> bool:
    """Whether a counter of this demo has served already."""
    return any(folder.glob("counter*/journal.db"))


def _clear_unfinished(folder: Path) -> None:
    """Begin anew where a demo was cut off while it was made; leave anything else alone."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"{folder} is not a folder; choose another one")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / UNFINISHED).exists():
        raise DemoError(f"{folder} is not empty and holds no demo; choose another folder")
    for part in folder.iterdir():
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink()


def drawer(folder: Path) -> list[Report]:
    """The cards of the drawer, as the page shows them."""
    kept: Report = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    cards: list[Report] = kept["drawer"]
    return cards


def _homes(households: list[Report]) -> dict[str, str]:
    """The desa of each kecamatan, as the page names it."""
    desa: dict[str, list[str]] = {}
    for household in households:
        names = desa.setdefault(household["kecamatan"], [])
        if household["desa_name"] not in names:
            names.append(household["desa_name"])
    return {code: ", ".join(names) for code, names in sorted(desa.items())}


def _publish(office: Path, folder: Path) -> None:
    public = folder / "province" / "public.json"
    call("betang-provision", "publish", "--office", office, "--province", public, "--json")


def _office(folder: Path, seed: int) -> Path:
    """The office, and meanwhile the keys of the counters: a PIN is slow on purpose."""
    office = folder / "office"
    write_whole(folder / PIN_FILE, f"{PIN}\n".encode(), mode=0o600)
    with ThreadPoolExecutor(2) as pool:
        made = pool.submit(
            call, "betang-provision", "demo", "--households", str(HOUSEHOLDS), "--kecamatan",
            str(KECAMATAN), "--seed", str(seed), "--dir", office, "--json",
        )  # fmt: skip
        keys = [
            pool.submit(call, "betang-terminal", "init", "--dir", folder / f"counter{number}",
                        "--pin-file", folder / PIN_FILE, "--json")
            for number in range(1, KECAMATAN + 1)
        ]  # fmt: skip
        for one in (made, *keys):
            one.result()
    _publish(office, folder)
    return office


def _enrol(folder: Path, office: Path, url: str) -> list[Report]:
    """Two terminals: each home to one kecamatan, both holding the rights of both."""
    codes = sorted({h["kecamatan"] for h in _households(office)})
    holds = [word for code in codes for word in ("--holds", code)]
    terminals = []
    for number, home in enumerate(codes, 1):
        root = folder / f"counter{number}"
        place = next(h["desa_name"] for h in _households(office) if h["kecamatan"] == home)
        call("betang-provision", "enrol", "--office", office, "--terminal", root,
             "--name", f"Loket {number}", "--point", f"{POINTS[number - 1]} {place}",
             "--home", home, *holds, "--away", str(AWAY_HOUSEHOLDS), "--province-url", url,
             "--officer", f"P{number}", "--json")  # fmt: skip
        terminals.append({"id": f"T{number:03d}", "config": str(root / "terminal.toml")})
    return terminals


def _tag(office: Path, chosen: list[Report]) -> None:
    """The families of the drawer can be found by their made-up KTP and KK too."""
    listed = {c["report"]["household"] for c in chosen if c["drawer"]["kecamatan"]}
    words = [word for id in sorted(listed) for word in ("--household", id)]
    call("betang-provision", "look-up", "--office", office, *words, "--json")


def _households(office: Path) -> list[Report]:
    listed: list[Report] = call("betang-provision", "households", "--office", office, "--json")
    return listed


def _choose(households: list[Report]) -> list[Report]:
    """Nine households for the drawer: which, follows from the roster, and so from the seed."""
    codes = sorted({h["kecamatan"] for h in households})
    here = [h for h in households if h["kecamatan"] == codes[0] and not h["chip"]]
    there = [h for h in households if h["kecamatan"] == codes[-1] and not h["chip"]]
    used: set[str] = set()

    def pick(among: list[Report], wanted: Callable[[Report], bool], why: str) -> Report:
        for household in among:
            if household["household"] not in used and wanted(household):
                used.add(household["household"])
                return household
        raise DemoError(f"the roster holds no household {why}; try another --seed")

    def both(h: Report) -> bool:
        return len(h["programmes"]) >= 2

    def person(programme: str) -> Callable[[Report], bool]:
        return lambda h: any(programme in _ids(m["programmes"]) for m in h["members"])

    return [
        {"of": pick(here, both, "with two rights"), "do": "ok"},
        {"of": pick(here, person("seragam"), "with a pupil"), "do": "ok"},
        {"of": pick(here, person("klinik"), "with a patient"), "do": "ok"},
        {"of": pick(there, both, "of the other kecamatan"), "do": "ok"},
        {"of": pick(there, person("klinik"), "with a patient there"), "do": "ok"},
        {"of": pick(here, both, "with a new card"), "do": "replace"},
        {"of": pick(here, both, "with a blocked card"), "do": "revoked"},
    ]


def _others(office: Path, chosen: list[Report]) -> list[Report]:
    """Households that have no card in the drawer."""
    taken = {card["report"]["household"] for card in chosen}
    return [one for one in _households(office) if one["household"] not in taken]


def _chip(chip: Report) -> Report:
    """What the interface says of a chip card."""
    told = {name: value for name, value in chip.items() if name != "of"}
    return {**told, "programmes": _programmes(chip["of"])}


def _ids(programmes: Iterable[Any]) -> set[str]:
    return {p["id"] if isinstance(p, dict) else p for p in programmes}


def _issue(office: Path, chosen: list[Report], out: Path, *, seed: int) -> list[Report]:
    """Issue the cards; the household whose card is replaced gets two."""
    out.mkdir(exist_ok=True)
    orders: list[tuple[Report, str, list[str]]] = []
    for choice in chosen:
        household = choice["of"]
        if choice["do"] == "replace":
            old = _card(office, out, household, "replaced", [])
            new = _card(office, out, household, "ok", ["--replace"])
            orders += [(old, "replaced", []), (new, "ok", [])]
            continue
        orders.append((household, choice["do"], ["--household", household["household"]]))
    for status, kind in (("sample", "sample"), ("not_here", "card")):
        elsewhere = hashlib.sha256(f"{status} {seed}".encode()).hexdigest()[:16]
        words = ["--kind", kind, "--unlisted", "--household", elsewhere]
        orders.append(({}, status, words))

    def make(order: tuple[Report, str, list[str]]) -> Report:
        household, status, words = order
        return household if not words else _card(office, out, household, status, words)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(make, orders))


def _card(office: Path, out: Path, household: Report, status: str, words: list[str]) -> Report:
    if household and "--household" not in words:
        words = [*words, "--household", household["household"]]
    card = call("betang-provision", "card", "--office", office, *words, "--out", out, "--json")
    sample = status == "sample"
    report = {
        **{name: card[name] for name in ("household", "card", "image", "text")},
        "kind": "sample" if sample else "card",
        "status": "ok" if sample else status,
        "programmes": [] if not household else _programmes(household),
    }
    return {"report": report, "issue": card.get("issue", 1), "drawer": _label(household, status)}


def _programmes(household: Report) -> list[Report]:
    """What the interface says of a household's rights, all of them untouched."""
    rows = [(None, p) for p in household["programmes"]]
    rows += [(m["member"], p) for m in household["members"] for p in m["programmes"]]
    return [
        {"id": p["id"], "window": p["window"], "member": member, "unit": p["unit"],
         "left": p["quantity"]}
        for member, p in rows
    ]  # fmt: skip


def _label(household: Report, status: str) -> Report:
    """What stands on the card in the drawer."""
    what = {
        "replaced": "old card",
        "revoked": "blocked card",
        "sample": "shows, gives nothing",
        "not_here": "not listed here",
    }.get(status)
    rights = [p["id"] for p in _programmes(household)] if household else []
    name = household.get("name") or {"sample": "Sample card"}.get(status, "Family from afar")
    return {
        "name": name,
        "note": what or ", ".join(dict.fromkeys(rights)),
        "kecamatan": household.get("kecamatan"),
        "status": status,
    }


def _not_ours(drawer: list[Report]) -> list[Report]:
    """Two that are no good cards: one with a changed letter, one of somebody else."""
    text = drawer[0]["text"]
    letter = "A" if text[40] != "A" else "B"
    damaged = text[:40] + letter + text[41:]
    return [
        {"name": "Damaged card", "note": "one letter changed", "text": damaged,
         "kecamatan": None, "status": "malformed"},
        {"name": "Not our card", "note": "a menu's QR", "text": "HTTPS://EXAMPLE.ID/MENU/17",
         "kecamatan": None, "status": "not_our_card"},
    ]  # fmt: skip


def _first_release(folder: Path, config: str, chosen: list[Report]) -> None:
    release = folder / "office" / "release"
    call("betang-sync", "province", "release", "--config", config, "--from", release, "--json")
    for card in chosen:
        if card["report"]["status"] == "revoked":
            call("betang-sync", "province", "block", "--config", config, "--household",
                 card["report"]["household"], "--issue", str(card["issue"]),
                 "--reason", "lost", "--json")  # fmt: skip


def _first_stick(folder: Path, config: str, terminals: list[Report]) -> None:
    """The first ledger comes by USB stick, as it would to a village without a signal."""
    stick = folder / "stick"
    stick.mkdir(exist_ok=True)
    call("betang-sync", "province", "once", "--config", config, "--with", stick, "--json")
    for terminal in terminals:
        call("betang-sync", "once", "--config", terminal["config"], "--with", stick, "--json")
