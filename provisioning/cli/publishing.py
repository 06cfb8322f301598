"""Commands that publish: on one machine, or with bundles that travel from holder to holder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.folder import write_whole
from provisioning.assemble import assemble
from provisioning.authority import authorities
from provisioning.bundle_check import check_content
from provisioning.changes import Change, ChangeKind, enter_changes, withdraw_correction
from provisioning.cli.program import Json, OfficeDir, app, household_id, report
from provisioning.errors import WrongUseError
from provisioning.office import open_office
from provisioning.prepare import prepare_changes, prepare_decree
from provisioning.province_keys import ProvinceChange
from provisioning.publish import publish, publish_changes
from provisioning.sign import read_private_key, sign_bundle
from provisioning.signing_bundle import (
    BUNDLE_SIZE_MAX,
    Content,
    open_bundle,
    read_bundle,
    write_bundle,
)
from provisioning.summary import summary

PublicJson = Annotated[
    Path | None,
    typer.Option("--province", help="The province's public.json; needed the first time."),
]
RotateProvince = Annotated[
    bool, typer.Option("--rotate-province", help="The province's keys were changed on purpose.")
]
OnlineStolen = Annotated[
    bool,
    typer.Option(
        "--online-stolen",
        help="The last online key was stolen: what it blocked and dated counts no more.",
    ),
]
Bundle = Annotated[Path, typer.Argument(help="The signing bundle.", metavar="BUNDLE")]
Replace = Annotated[
    list[str] | None, typer.Option(help="HOUSEHOLD: its next card is in force; repeat it.")
]
Move = Annotated[list[str] | None, typer.Option(help="HOUSEHOLD=DESA, 10 digits; repeat it.")]
Remove = Annotated[
    list[str] | None,
    typer.Option(help="HOUSEHOLD=moved, deceased or ended; =listed takes it back; repeat it."),
]
Lower = Annotated[
    list[str] | None, typer.Option(help="HOUSEHOLD=CLASS, one that gives less; repeat it.")
]
Clear = Annotated[
    list[str] | None, typer.Option(help="HOUSEHOLD=CARD: its block is taken off; repeat it.")
]
Correct = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER",
        help="T001-0017: this redemption of --household is taken back after its close; repeat it.",
    ),
]
Withdraw = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER",
        help="A correction for --household that was entered and not published; repeat it.",
    ),
]
Household = Annotated[
    str | None, typer.Option(help="The household whose redemptions --correct takes back.")
]


@app.command("publish")
def publish_command(
    office: OfficeDir,
    province: PublicJson = None,
    rotate_province: RotateProvince = False,
    online_stolen: OnlineStolen = False,
    as_json: Json = False,
) -> None:
    """Sign policy, roll, trust and rights, and lay them out for the province."""
    with open_office(office.resolve()) as opened:
        done = publish(
            opened,
            now=int(time.time()),
            province=province,
            rotate_province=rotate_province,
            online_stolen=online_stolen,
        )
    told = {
        "release": str(done.release),
        "root": done.root,
        "targets": done.targets,
        "policy": done.policy,
        "households": done.households,
        "kecamatan": done.kecamatan,
        "terminals": done.terminals,
    }
    words = (
        f"Decree {done.targets} signed: {done.households} households, {done.terminals} terminals"
    )
    report(told, f"{words}: {done.release}", as_json=as_json)


@app.command()
def change(
    *,
    office: OfficeDir,
    kecamatan: Annotated[str, typer.Option(help="Whose two sign.")],
    replace: Replace = None,
    move: Move = None,
    remove: Remove = None,
    lower: Lower = None,
    clear: Clear = None,
    correct: Correct = None,
    household: Household = None,
    as_json: Json = False,
) -> None:
    """Change a kecamatan's rights since the decree; without a change, sign its role anew."""
    changes = list(_changes(replace, move, remove, lower, clear))
    changes += _corrections(correct, household)
    with open_office(office.resolve()) as opened:
        done = publish_changes(opened, kecamatan, changes, now=int(time.time()))
    told = {
        "release": str(done.release),
        "kecamatan": kecamatan,
        "changes": done.number,
        "version": done.version,
    }
    words = f"Changes {done.number} of {kecamatan} signed, role {done.version}: {done.release}"
    report(told, words, as_json=as_json)


@app.command()
def prepare(
    *,
    office: OfficeDir,
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    kecamatan: Annotated[
        str | None, typer.Option(help="Only this kecamatan's changes; without it, the decree.")
    ] = None,
    replace: Replace = None,
    move: Move = None,
    remove: Remove = None,
    lower: Lower = None,
    clear: Clear = None,
    correct: Correct = None,
    withdraw: Withdraw = None,
    household: Household = None,
    province: PublicJson = None,
    rotate_province: RotateProvince = False,
    online_stolen: OnlineStolen = False,
    as_json: Json = False,
) -> None:
    """Gather what is to be signed into one file, and say what it changes."""
    changes = list(_changes(replace, move, remove, lower, clear))
    changes += _corrections(correct, household, withdraw)
    if (changes or withdraw) and kecamatan is None:
        raise WrongUseError("name the kecamatan whose households change with --kecamatan")
    now = int(time.time())
    with open_office(office.resolve()) as opened, opened.roster.db.atomic():
        if kecamatan is None:
            told_of = ProvinceChange(province, rotate=rotate_province, stolen=online_stolen)
            bundle = prepare_decree(opened, now=now, province=told_of)
        else:
            for number in withdraw or ():
                withdraw_correction(opened.roster, kecamatan, household_id(household or ""), number)
            enter_changes(opened.roster, kecamatan, changes, now=now)
            bundle = prepare_changes(opened, kecamatan, now=now)
        content = open_bundle(bundle, "the bundle")
        told, words = _told(content)
        write_whole(out, write_bundle(bundle))
    report({"bundle": str(out.resolve()), **told}, f"{words}\n{out}", as_json=as_json)


@app.command()
def show(bundle: Bundle, as_json: Json = False) -> None:
    """Say what a bundle changes and whose signatures it has; signs nothing."""
    told, words = _told(_read(bundle))
    report(told, words, as_json=as_json)


@app.command()
def sign(
    bundle: Bundle,
    key: Annotated[Path, typer.Option(help="The holder's private key (PEM).")],
    out: Annotated[
        Path | None, typer.Option(help="The signed bundle; without it, the same file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign a bundle with one holder's key, and say what was signed."""
    content = _read(bundle)
    _told(content)  # nobody signs what no terminal would take
    done = sign_bundle(content, read_private_key(key))
    target = out or bundle
    write_whole(target, write_bundle(done.content.with_roles()))
    told, words = _told(done.content)
    told |= {"bundle": str(target.resolve()), "holder": done.holder, "signed": list(done.roles)}
    report(told, f"{words}\nSigned by {done.holder}: {target}", as_json=as_json)


@app.command("assemble")
def assemble_command(
    office: OfficeDir,
    bundles: Annotated[list[Path], typer.Argument(help="The signed bundles.", metavar="BUNDLE")],
    as_json: Json = False,
) -> None:
    """Join signed bundles and lay what they hold out for the province."""
    with open_office(office.resolve()) as opened:
        done = assemble(opened, [(str(path), _read(path)) for path in bundles])
        release = opened.release
    told = {"release": str(release), "roles": done.roles, "fingerprint": done.content.fingerprint}
    words = ", ".join(f"{role} {version}" for role, version in done.roles.items())
    report(told, f"Laid out: {words}: {release}", as_json=as_json)


def _read(path: Path) -> Content:
    with path.open("rb") as file:
        data = file.read(BUNDLE_SIZE_MAX + 1)
    return read_bundle(data, str(path))


def _told(content: Content) -> tuple[dict[str, Any], str]:
    """What a bundle is, as JSON and in words."""
    lines = summary(content, check_content(content))
    needs = [
        {
            "role": authority.role,
            "threshold": authority.threshold,
            "signed": sorted(content.holder_of(k) for k in authority.keys if k in signed),
            "waits": sorted(content.holder_of(k) for k in authority.keys if k not in signed),
        }
        for authority in authorities(content)
        for signed in [content.roles[authority.role].signatures]
    ]
    told = {"fingerprint": content.fingerprint, "summary": lines, "needs": needs}
    words = [*lines, f"Fingerprint: {content.fingerprint}", *_needs_in_words(needs)]
    return told, "\n".join(words)


def _needs_in_words(needs: list[dict[str, Any]]) -> Iterator[str]:
    waiting = [need for need in needs if len(need["signed"]) < need["threshold"]]
    for need in waiting[:8]:
        count = need["threshold"] - len(need["signed"])
        yield f"{need['role']} waits for {count} of: {', '.join(need['waits'])}"
    if len(waiting) > 8:
        yield f"and {len(waiting) - 8} more roles"


def _changes(
    replace: list[str] | None,
    move: list[str] | None,
    remove: list[str] | None,
    lower: list[str] | None,
    clear: list[str] | None,
) -> Iterator[Change]:
    for text in replace or ():
        yield Change(household_id(text), ChangeKind.REPLACE)
    for kind, texts in (
        (ChangeKind.MOVE, move), (ChangeKind.STATE, remove), (ChangeKind.LOWER, lower),
        (ChangeKind.CLEAR, clear),
    ):  # fmt: skip
        for text in texts or ():
            id, _, value = text.partition("=")
            if not value:
                raise WrongUseError(f"{text!r} is not HOUSEHOLD=VALUE; see --help")
            yield Change(household_id(id), kind, value)


def _corrections(
    correct: list[str] | None, household: str | None, withdraw: list[str] | None = None
) -> Iterator[Change]:
    if bool(correct or withdraw) != bool(household):
        raise WrongUseError(
            "a correction names a redemption and whose it is: --correct T001-0017 --household ID"
        )
    for number in correct or ():
        yield Change(household_id(household or ""), ChangeKind.CORRECT, number)
