"""The redeem masters that a terminal may hold, sealed to it: those of the kecamatan it serves.

Masters for redeeming away are for terminals with a hardware key alone and are not given here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.card_keys import seal_masters
from ledger.folder import write_whole
from provisioning.chip_masters import FileMasters, Purpose
from provisioning.enrol import find_terminal
from provisioning.errors import ProvisioningError
from provisioning.office import Office
from provisioning.policy_table import generation_in_force, read_policy_table

REDEEM_KEYS = Path("keys") / "redeem.sealed"
"""Below the terminal's folder."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a terminal was given.

    Attributes:
        ordinal: of the terminal.
        kecamatan: whose chips it can open.
        masters: how many.
    """

    ordinal: int
    kecamatan: tuple[str, ...]
    masters: int


def give_redeem_keys(
    office: Office, terminal: Path, held: FileMasters, *, generations: int = 1
) -> Given:
    """Seal to an enrolled terminal the masters of the kecamatan whose rights it holds.

    Who steals a terminal has what it holds: the generation in force, and not those that its cards
    go on with when that one is retired.

    Args:
        office: the office.
        terminal: its folder.
        held: the office's masters.
        generations: how many, from the oldest that the policy table lets count; two while the
            next one takes over.

    Raises:
        ProvisioningError: it is not enrolled, has no sealing key, or no master of its is here.
        WrongUseError: the policy table is wrong.
    """
    ordinal, epoch = find_terminal(office, terminal)
    row = office.roster.db.execute(
        "SELECT recipient FROM terminal_sealing WHERE ordinal = ? AND epoch = ?", (ordinal, epoch)
    ).fetchone()
    if row is None:
        raise ProvisioningError(
            f"terminal {ordinal} has no sealing key; make one with `betang-terminal init` and take"
            " it with `betang-provision seal-to`"
        )
    rows = office.roster.db.execute(
        "SELECT kecamatan FROM terminal_holds WHERE ordinal = ? AND epoch = ? ORDER BY kecamatan",
        (ordinal, epoch),
    )
    kecamatan = tuple(code for (code,) in rows)
    table = read_policy_table(office.policy_table)
    first = {code: generation_in_force(table, code) for code in kecamatan}
    masters = {
        (m.kecamatan, m.generation): m.key
        for m in held.masters
        if m.purpose is Purpose.REDEEM and m.kecamatan in first
        if 0 <= m.generation - first[m.kecamatan] < generations
    }
    lacking = [f"{code} generation {first[code]}" for code in kecamatan
               if (code, first[code]) not in masters]  # fmt: skip
    if lacking:
        raise ProvisioningError(
            f"no redeem master of {', '.join(lacking)} is held here; `betang-provision"
            " chip-masters` makes what is missing"
        )
    write_whole(terminal / REDEEM_KEYS, seal_masters(masters, str(row[0])), mode=0o600)
    return Given(ordinal, tuple(sorted({code for code, _ in masters})), len(masters))
