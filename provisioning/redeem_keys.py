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


def give_redeem_keys(office: Office, terminal: Path, held: FileMasters) -> Given:
    """Seal to an enrolled terminal every generation of the kecamatan whose rights it holds.

    Raises:
        ProvisioningError: it is not enrolled, has no sealing key, or no master of its is here.
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
    masters = {
        (m.kecamatan, m.generation): m.key
        for m in held.masters
        if m.purpose is Purpose.REDEEM and m.kecamatan in kecamatan
    }
    if not masters:
        raise ProvisioningError(
            f"no redeem master of {', '.join(kecamatan)} is held here; `betang-provision"
            " chip-masters` makes what is missing"
        )
    write_whole(terminal / REDEEM_KEYS, seal_masters(masters, str(row[0])), mode=0o600)
    return Given(ordinal, tuple(sorted({code for code, _ in masters})), len(masters))
