"""Whether the roster fits the policy: what a decree must not sign, found before it is made."""

from __future__ import annotations

from datetime import UTC, datetime

from card_codec.credential import HOUSEHOLD_BYTES, ISSUE_MAX
from ledger.policy import Limit, MemberRule, Policy, Programme, Scope
from ledger.rights_file import HouseholdRow
from provisioning.errors import ProvisioningError
from provisioning.policy_table import WIB
from provisioning.roster import Roster

MEMBER_RIGHTS_MAX = 255
QUANTITY_MAX = 0xFFFFFF
AGE_MAX = 255
"""This age_max of a rule stands for none."""


def check_row(row: HouseholdRow, classes: set[int]) -> None:
    """A household is of a class of the policy, and its numbers are within their bounds.

    Raises:
        ProvisioningError: it is not.
    """
    if row.class_number not in classes:
        raise ProvisioningError(
            f"household {row.household.hex()} is of class {row.class_number}, which the policy "
            "table does not list; add the class or correct the roster"
        )
    fits = (
        len(row.household) == HOUSEHOLD_BYTES
        and 1 <= row.issue <= ISSUE_MAX
        and len(row.members) <= MEMBER_RIGHTS_MAX
        and all(1 <= m.member <= 255 and 1 <= m.quantity <= QUANTITY_MAX for m in row.members)
    )
    if not fits:
        raise ProvisioningError(
            f"household {row.household.hex()} has an id, an issue number or rights of persons out "
            "of their bounds (docs/spec/rights-ledger.md); correct the roster"
        )


def check_persons(roster: Roster, policy: Policy) -> None:
    """Every right of a person is one that the policy allows this person.

    Raises:
        ProvisioningError: one is not; it names the first.
    """
    for programme in policy.programmes:
        if programme.scope is Scope.PERSON and programme.limit is Limit.ONCE:
            _check_once(roster, programme)
        if programme.members is not None:
            _check_members(roster, programme, programme.members)


def _check_once(roster: Roster, programme: Programme) -> None:
    row = roster.db.execute(
        "SELECT household, member FROM person_right WHERE programme = ? AND quantity > 1 LIMIT 1",
        (programme.id,),
    ).fetchone()
    if row is not None:
        raise ProvisioningError(
            f"household {row[0].hex()} gives member {row[1]} more than one of {programme.id!r},"
            " which is given once; correct the roster"
        )


def _check_members(roster: Roster, programme: Programme, rule: MemberRule) -> None:
    opens = min(window.opens for window in programme.windows)
    year = (datetime.fromtimestamp(opens, UTC) + WIB).year
    aged = rule.age_min > 0 or rule.age_max < AGE_MAX
    marks = ", ".join("?" * len(rule.roles))
    of_role = f"m.role IN ({marks})" if rule.roles else "1"
    of_age = "m.born IS NOT NULL AND ? - m.born BETWEEN ? AND ?" if aged else "1"
    row = roster.db.execute(
        "SELECT p.household, p.member, m.role, m.born FROM person_right p"  # noqa: S608 - own text
        " LEFT JOIN member m ON m.household = p.household AND m.number = p.member"
        f" WHERE p.programme = ? AND NOT (m.number IS NOT NULL AND {of_role} AND {of_age}) LIMIT 1",
        (programme.id, *rule.roles, *((year, rule.age_min, rule.age_max) if aged else ())),
    ).fetchone()
    if row is not None:
        id, member, role, born = row
        raise ProvisioningError(
            f"household {id.hex()} gives member {member} ({role or 'not listed'}, born"
            f" {born or 'unknown'}) a right by {programme.id!r}, which the policy gives only"
            f" {_who(rule, year)}; correct the roster"
        )


def _who(rule: MemberRule, year: int) -> str:
    words = [f"to a {' or '.join(rule.roles)}"] if rule.roles else []
    if rule.age_min > 0 or rule.age_max < AGE_MAX:
        up_to = f" to {rule.age_max}" if rule.age_max < AGE_MAX else " and over"
        words.append(f"to who is {rule.age_min}{up_to} in {year}")
    return " and ".join(words) or "to members it lists"
