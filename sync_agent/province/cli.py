"""``betang-sync province``: the province's end from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ledger.errors import FolderError
from ledger.mac_verdict import FILE_SIZE_MAX
from sync_agent.province.accounts import Listed
from sync_agent.province.case_records import CaseRecord
from sync_agent.province.cases import Case
from sync_agent.province.complaints import complaint_data, complaint_line
from sync_agent.province.evidence import ChainCase
from sync_agent.province.evidence_commands import code, receipt
from sync_agent.province.folder import (
    KEY_NAMES,
    init_province,
    listen_address,
    open_province,
    rotate_key,
)
from sync_agent.province.mac_verdicts import MacCase, TakenVerdicts
from sync_agent.province.program import Config, Json, opened, say
from sync_agent.province.province import Province
from sync_agent.province.sticks import once_with
from sync_agent.province.words import words as words_in
from sync_agent.roads import open_stick

app = typer.Typer(no_args_is_help=True, help="The province's end of the road.")
for command in (code, receipt):
    app.command()(command)

REASONS = ("lost", "stolen", "damaged", "deceased", "fraud", "other")


@app.command()
def init(
    folder: Annotated[Path, typer.Option("--dir", help="the province's folder")],
    listen: Annotated[str | None, typer.Option(help="HOST:PORT; a free loopback port")] = None,
    as_json: Json = False,
) -> None:
    """Make the province's keys and its configuration."""
    province = init_province(folder, listen=listen)
    config = str(province.root / "province.toml")
    report = {"config": config, "url": f"http://{province.config.listen}"}
    say(report, f"give {province.root / 'public.json'} to the office; serve with {config}", as_json)


@app.command()
def release(
    config: Config,
    source: Annotated[Path, typer.Option("--from", help="the office's release folder")],
    as_json: Json = False,
) -> None:
    """Take the office's release, verified, and publish it."""
    with opened(config) as province:
        version = province.release(source)
        misnamed = province.misnamed_corrections()
    words = "\n".join([f"ledger {version} is published", *(one.words() for one in misnamed)])
    report = {"ledger_version": version, "corrections_of_others": list(map(asdict, misnamed))}
    say(report, words, as_json)


@app.command()
def rotate(
    config: Config,
    key: Annotated[str, typer.Option(help="online or log")],
    as_json: Json = False,
) -> None:
    """Make a new key; it takes the old one's place with the office's next release."""
    if key not in KEY_NAMES:
        raise FolderError(f"--key is one of {', '.join(KEY_NAMES)}")
    public = rotate_key(open_province(config), key)
    words = f"give {public} to the office; the old {key} key signs until its next release"
    say({"key": key, "public": str(public)}, words, as_json)


@app.command()
def block(
    config: Config,
    household: Annotated[str, typer.Option(help="16 hex digits")],
    issue: Annotated[int, typer.Option(help="number of the card", min=1, max=255)],
    reason: Annotated[str, typer.Option(help=", ".join(REASONS))],
    as_json: Json = False,
) -> None:
    """Block one card at once. A block is never cleared here."""
    if not re.fullmatch(r"[0-9a-f]{16}", household):
        raise FolderError("--household is not 16 hex digits (0-9, a-f)")
    if reason not in REASONS:
        raise FolderError(f"--reason is one of {', '.join(REASONS)}")
    with opened(config) as province:
        new = province.block(bytes.fromhex(household), issue, reason)
    words = "the card is blocked" if new else "the card was blocked already"
    say({"household": household, "issue": issue, "new": new}, words, as_json)


@app.command()
def serve(
    config: Config,
    host: Annotated[str | None, typer.Option(help="address; as configured")] = None,
    port: Annotated[
        int | None, typer.Option(help="port; as configured, 0 for a free one", min=0, max=65535)
    ] = None,
    as_json: Json = False,  # noqa: ARG001 - taken as everywhere; the line is JSON in any case
) -> None:
    """Serve the intake and the desk until SIGTERM; prints one JSON line when ready."""
    from sync_agent.province.server import Ready, prepare, run  # only this command needs the web

    def say_ready(ready: Ready) -> None:
        line = {"ready": True, "url": ready.url, "desk": ready.desk}
        say(line, "", as_json=True)  # whoever starts a server reads this line, asked or not

    with opened(config) as province:
        province.publish()
        own_host, own_port = listen_address(province.folder.config)
        server, listening = prepare(
            province,
            host=host or own_host,
            port=own_port if port is None else port,
            on_ready=say_ready,
        )
        run(server, listening)


@app.command()
def once(
    config: Config,
    where: Annotated[str, typer.Option("--with", help="folder or stick")],
    as_json: Json = False,
) -> None:
    """Take the batches of a stick and lay down what every terminal needs."""
    stick = open_stick(where)
    with opened(config) as province:
        province.publish()
        report = once_with(province, stick)
    words = f"{report.accepted} entries taken, offers laid for {report.terminals} terminals"
    words += "".join(f"\ncode of {head.number}: {head.code}" for head in report.heads)
    for refused in report.refused:
        typer.echo(f"{refused.file}: {refused.detail}", err=True)
    say(asdict(report), words, as_json)
    raise typer.Exit(1 if report.refused else 0)


@app.command()
def restored(config: Config, as_json: Json = False) -> None:
    """Say that this folder was put back from a copy: terminals follow again, and send anew."""
    with opened(config) as province:
        version = province.restored()
    words = f"published as ledger {version}; take the office's newest release once more"
    say({"ledger_version": version}, words, as_json)


@app.command()
def cases(config: Config, as_json: Json = False) -> None:
    """List every double with the record that counts, forks, missing entries, false signatures."""
    with opened(config) as province:
        found = _cases(province)
        chains = [_chain_case(case) for case in province.chain_cases()]
        macs = [_mac_case(case) for case in province.macs.cases()]
    words = [f"{c['right']}: {c['winner']} counts, not {c['losers']}" for c in found]
    words += [f"{c['terminal']}: {c['kind']}, entries {c['from']} to {c['to']}" for c in chains]
    words += [f"{c['number']}: {c['kind']}, by the issuer's verdict" for c in macs]
    found += [*chains, *macs]
    say(found, "\n".join(words) or "no case", as_json)


@app.command()
def complaints(config: Config, as_json: Json = False) -> None:
    """List the complaints of families about refusals, by kecamatan and terminal."""
    with opened(config) as province:
        said = words_in("en" if province.folder.config.language == "en" else "id")
        listed = province.complaints.listed(language=said.language)
    lines = [complaint_line(one, said) for one in listed]
    found = [complaint_data(one, said) for one in listed]
    say(found, "\n".join(lines) or "no complaint", as_json)


@app.command()
def reconcile(config: Config, as_json: Json = False) -> None:
    """Judge every right anew by the plain rule, and settle each window two weeks after its end."""
    with opened(config) as province:
        settled = [asdict(one) for one in province.settle()]
        found = _cases(province)
        report = {"redemptions": province.received(), "settled": settled, "cases": found}
    words = (
        f"{report['redemptions']} redemptions, {len(found)} cases, {len(settled)} windows settled"
    )
    say(report, words, as_json)


@app.command()
def archive(
    config: Config,
    check: Annotated[
        bool, typer.Option("--check", help="hold the segments against the log")
    ] = False,
    as_json: Json = False,
) -> None:
    """Seal what was accepted since the last time into Parquet segments."""
    with opened(config) as province:
        if check:
            _check_archive(province, as_json)
            return
        made = []
        while (one := province.seal_segment()) is not None:
            made.append(asdict(one))
    words = [f"segment {one['number']}: {one['entries']} entries, {one['hash']}" for one in made]
    say({"segments": made}, "\n".join(words) or "nothing new to seal", as_json)


def _check_archive(province: Province, as_json: bool) -> None:
    count, faults = province.check_segments()
    words = [f"segment {fault.number}: {fault.detail}" for fault in faults]
    report = {"segments": count, "faults": [asdict(fault) for fault in faults]}
    say(report, "\n".join(words) or f"{count} segments hold what the log holds", as_json)
    raise typer.Exit(1 if faults else 0)


@app.command("ask-macs")
def ask_macs(
    config: Config,
    out: Annotated[Path, typer.Option(help="folder for the files")],
    anew: Annotated[
        bool, typer.Option("--all", help="those, too, on which a verdict was taken")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the Transaction MACs of chips for the issuer, who checks them at the office."""
    with opened(config) as province:
        files = [str(path) for path in province.macs.ask(out.resolve(), anew=anew)]
    say({"files": files}, "\n".join(files) or "nothing of any chip is left to ask", as_json)


@app.command("take-verdicts")
def take_verdicts(
    config: Config,
    source: Annotated[Path, typer.Option("--from", help="what betang-provision check-tmac wrote")],
    as_json: Json = False,
) -> None:
    """Take the issuer's signed verdicts on Transaction MACs; exit 1 if any contradicts another."""
    try:
        with source.open("rb") as file:
            data = file.read(FILE_SIZE_MAX + 1)
    except OSError as error:
        raise FolderError(f"{source} cannot be read: {error.strerror}; name a file") from error
    with opened(config) as province:
        taken = province.macs.take(data)
    words = (
        f"{taken.new} new verdicts; {taken.valid} valid, {taken.invalid} invalid,"
        f" {taken.tmv_lost} lost in this file"
    )
    for sentence in _doubts(taken):
        typer.echo(sentence, err=True)
    say(asdict(taken), words, as_json)
    raise typer.Exit(1 if taken.contradicted else 0)


def _doubts(taken: TakenVerdicts) -> Iterator[str]:
    if taken.unknown:
        yield (
            f"verdicts on commits of which no entry has arrived: {taken.unknown}; they are kept"
            " and count when one does"
        )
    if taken.contradicted:
        yield (
            f"commits with verdicts that contradict each other: {taken.contradicted}; both are kept"
            " and neither counts: one file is false, so the office must find out which and revoke"
            " the key that signed it"
        )


@app.command()
def redemptions(config: Config, as_json: Json = False) -> None:
    """List every redemption received, the newest first."""
    with opened(config) as province:
        found = [_redemption(one) for one in province.redemptions()]
    words = [f"{r['number']} {r['programme']} {r['quantity']} {r['unit']}" for r in found]
    say(found, "\n".join(words) or "no redemption", as_json)


def _cases(province: Province) -> list[dict[str, object]]:
    cases = province.cases()
    records = province.records.evidence(cases)
    return [_case(case, own) for case, own in zip(cases, records, strict=True)]


def _case(case: Case, records: list[CaseRecord]) -> dict[str, object]:
    found = {
        claim.id.number(): claim.finding.name.lower()
        for claim in (*case.counted, *case.losers)
        if claim.finding is not None
    }
    told = {
        "kind": case.kind.value,
        "right": case.right.text(),
        "winner": case.winner,
        "losers": [claim.id.number() for claim in case.losers],
        "settled": case.settled,
        "why": case.why.value,
        "records": [asdict(record) for record in records],
    }
    return told | ({"signatures": found} if found else {})  # only the issuer's word is one


def _chain_case(case: ChainCase) -> dict[str, object]:
    return {
        "kind": case.kind.value,
        "terminal": case.name,
        "from": case.first,
        "to": case.last,
        "evidence": case.pieces,
        "told": case.told,
    }


def _mac_case(case: MacCase) -> dict[str, object]:
    return {"kind": case.kind.value, "number": case.id.number()}


def _redemption(one: Listed) -> dict[str, object]:
    return {
        "number": one.number,
        "at": one.at,
        "terminal": one.terminal,
        "point": one.point,
        "right": one.right.text(),
        "programme": one.programme,
        "quantity": one.quantity,
        "unit": one.unit,
        "paid": one.paid,
        "officer": one.officer,
        "void": one.voided,
    }
