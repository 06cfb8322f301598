"""New keys in the place of old ones: routine, lost, or stolen.

A new key counts from the next publication. Of a root the terminals walk the chain; a decree's or a
kecamatan's keys are named by the next root and decree; a card issuer's and the verdict key by the
next trust list. One
stolen key of a role under its threshold signs nothing, and is replaced all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from card_codec.keys import PrivateKey, PublicKey
from card_codec.trust import KeyUse
from provisioning.errors import ProvisioningError, WrongUseError
from provisioning.keys import ISSUER, VERDICT, OfficeRole
from provisioning.office import Office

_TRUSTED = {ISSUER: KeyUse.ISSUER, VERDICT: KeyUse.VERDICT}
"""Roles whose keys the trust list names."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """One holder's key before and now, by their kids."""

    holder: str
    before: bytes
    now: bytes


def rotate(
    office: Office,
    role: OfficeRole,
    holders: Sequence[str],
    *,
    now: int,
    new: Callable[[], PrivateKey | PublicKey] = PrivateKey.generate,
    stolen: bool = False,
) -> list[Rotated]:
    """Give holders of a role new keys.

    Args:
        office: the open office.
        role: whose keys.
        holders: of the role; none for all of them.
        now: Unix seconds.
        new: makes a key, or is the public half of one that was made elsewhere.
        stolen: of a card issuer or the verdict key: nothing its old key signed counts any more.
            Otherwise what it signed until now stays good.

    Raises:
        WrongUseError: no such holder.
        ProvisioningError: a key cannot be read, or one of its short name is listed already.
    """
    for holder in holders:
        if holder not in role.holders:
            raise WrongUseError(
                f"{holder!r} holds no key of {role.name}; its holders are {', '.join(role.holders)}"
            )
    done = []
    with office.roster.db.atomic():
        for holder in holders or role.holders:
            key = new()
            public = key.public if isinstance(key, PrivateKey) else key
            _check_new(office, role, public)
            old = office.keys.public(role)[holder]
            if role in _TRUSTED:
                _list_trusted(office, old, (public, _TRUSTED[role]), now=now, stolen=stolen)
            office.keys.replace(role, holder, key)
            done.append(Rotated(holder, old.kid, public.kid))
    return done


def _check_new(office: Office, role: OfficeRole, key: PublicKey) -> None:
    """No holder signs twice, and no trust list holds two keys of one kid."""
    if key in office.keys.public(role).values():
        raise ProvisioningError(
            f"this key is one of {role.name} already; make a new one with `betang-provision key`"
        )
    spkis = office.roster.db.execute(
        "SELECT spki FROM terminal UNION ALL SELECT spki FROM public_key"
    )
    if any(PublicKey.from_spki(spki).kid == key.kid for (spki,) in spkis):
        raise ProvisioningError(
            f"the short name {key.kid.hex()} of this key is another key's already; make a new one"
        )


def _list_trusted(
    office: Office, old: PublicKey, new: tuple[PublicKey, KeyUse], *, now: int, stolen: bool
) -> None:
    column, (key, use) = "revoked_at" if stolen else "valid_until", new
    office.roster.db.execute(
        f"UPDATE public_key SET {column} = ? WHERE spki = ?",  # noqa: S608 - our own names
        (now, old.spki),
    )
    row = (key.spki, use.value, office.config.issuer, now, None, None)
    office.roster.insert_all("public_key", [row])


def cards_of_stolen_keys(office: Office) -> int:
    """Cards that were issued before the newest issuer's key was stolen: all are to be made anew."""
    (revoked,) = office.roster.db.execute(
        "SELECT max(revoked_at) FROM public_key WHERE use = ?", (KeyUse.ISSUER.value,)
    ).fetchone()
    (count,) = office.roster.db.execute(
        "SELECT count(DISTINCT household) FROM card WHERE at <= ? AND kind = 'card'",
        (revoked or 0,),
    ).fetchone()
    return int(count)
