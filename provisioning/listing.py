"""What the roster says of households, for people who pick cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.policy import Policy, Programme, Scope
from provisioning.errors import ProvisioningError
from provisioning.office import Office
from provisioning.policy_table import make_policy, read_policy_table
from provisioning.roster import RosterHousehold


def list_households(
    office: Office, *, desa: str | None = None, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Households with their people and what each is owed, as JSON objects.

    Raises:
        ProvisioningError: no such desa.
        WrongUseError: the policy table is wrong.
    """
    policy = make_policy(read_policy_table(office.policy_table), number=0, places=())
    known = office.roster.db.execute("SELECT 1 FROM desa WHERE code = ?", (desa,)).fetchone()
    if desa is not None and known is None:
        raise ProvisioningError(f"the roster does not list desa {desa}; check the code")
    for household in list(office.roster.households(desa=desa, limit=limit)):
        yield _described(office, policy, household)


def _described(office: Office, policy: Policy, household: RosterHousehold) -> dict[str, Any]:
    listed = policy.class_numbered(household.class_number)
    return {
        "household": household.id.hex(),
        "name": household.name,
        "desa": household.desa,
        "desa_name": household.desa_name,
        "kecamatan": household.kecamatan,
        "issue": household.issue,
        "class": household.class_number,
        "chip": household.chip,
        "members": _members(office, policy, household.id),
        "programmes": [
            owed
            for programme in policy.programmes
            if programme.scope is Scope.HOUSEHOLD and listed and listed.quantity(programme.number)
            for owed in _owed(programme, listed.quantity(programme.number))
        ],
    }


def _members(office: Office, policy: Policy, household: bytes) -> list[dict[str, Any]]:
    rights: dict[int, list[dict[str, Any]]] = {}
    for member, id, quantity in office.roster.db.execute(
        "SELECT member, programme, quantity FROM person_right WHERE household = ?"
        " ORDER BY member, programme",
        (household,),
    ):
        programme = policy.programme(id)
        if programme is not None:
            rights.setdefault(member, []).extend(_owed(programme, quantity))
    rows = office.roster.db.execute(
        "SELECT number, name FROM member WHERE household = ? ORDER BY number", (household,)
    )
    return [{"member": n, "name": name, "programmes": rights.get(n, [])} for n, name in rows]


def _owed(programme: Programme, quantity: int) -> list[dict[str, Any]]:
    return [
        {
            "id": programme.id,
            "window": window.number,
            "quantity": quantity,
            "unit": programme.unit.id,
        }
        for window in programme.windows
    ]
