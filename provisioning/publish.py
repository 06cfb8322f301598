"""Publishing on one machine: the three steps in one, with the keys that lie in the office.

Prepare, sign with as many keys of each role as its threshold asks for, assemble. The office never
signs ``status``, ``usage``, snapshot or timestamp: those are the province's, and only with them
does a release become public. See docs/spec/rights-ledger.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Targets

from card_codec.keys import PrivateKey
from ledger.install import POLICY_PATH, ROLL_PATH
from ledger.policy import read_policy
from ledger.repository import Repository
from ledger.roll import read_roll
from provisioning.assemble import assemble
from provisioning.authority import authorities
from provisioning.changes import Change, enter_changes
from provisioning.errors import ProvisioningError
from provisioning.keys import DECREE, ROOT, KeyRing, OfficeRole, kecamatan_role
from provisioning.office import Office
from provisioning.prepare import prepare_changes, prepare_decree
from provisioning.province_keys import ProvinceChange
from provisioning.roles import last_changes, tuf_public
from provisioning.sign import add_signatures
from provisioning.signing_bundle import Content, SigningBundle, open_bundle

HERE = "the publication"


@dataclass(frozen=True, slots=True)
class Published:
    """What was signed.

    Attributes:
        release: the folder for the province.
        root: version of the root of trust.
        targets: version of the decree's role.
        policy: number of the policy.
    """

    release: Path
    root: int
    targets: int
    policy: int
    households: int
    kecamatan: int
    terminals: int


@dataclass(frozen=True, slots=True)
class PublishedChanges:
    """What a kecamatan's two signed.

    Attributes:
        number: of the changes its role names; 0 for none.
        version: of the role.
    """

    release: Path
    kecamatan: str
    number: int
    version: int


def publish(
    office: Office,
    *,
    now: int,
    province: Path | None = None,
    rotate_province: bool = False,
    online_stolen: bool = False,
) -> Published:
    """Sign everything anew, with a fresh time, and lay it in ``release/``.

    Args:
        office: the open office.
        now: Unix seconds.
        province: the province's ``public.json``; needed the first time.
        rotate_province: whether other keys than the last time are meant.
        online_stolen: whether what the last online key blocked and dated counts no more.

    Raises:
        WrongUseError: the province's file or the policy table is missing or wrong.
        ProvisioningError: the roster cannot be published, or too few keys are here.
    """
    kecamatan = list(office.roster.kecamatan())
    change = ProvinceChange(province, rotate=rotate_province, stolen=online_stolen)
    bundle = prepare_decree(office, now=now, province=change, renew=True)
    changes = [kecamatan_role(code) for code in kecamatan]
    assemble(office, [(HERE, _signed(office.keys, bundle, [ROOT, DECREE, *changes]))])
    repository = Repository(office.release)
    return Published(
        office.release,
        repository.versions("root")[-1],
        repository.versions("targets")[-1],
        read_policy(_file(repository, POLICY_PATH)).number,
        sum(office.roster.counts().values()),
        len(kecamatan),
        len(read_roll(_file(repository, ROLL_PATH)).terminals),
    )


def publish_changes(
    office: Office, kecamatan: str, changes: Sequence[Change], *, now: int
) -> PublishedChanges:
    """Enter changes and sign the kecamatan's role over all since the decree.

    Without changes the role is signed anew: its rights are young again.

    Raises:
        ProvisioningError: they cannot be entered, or a key is missing.
        RightsError: the policy does not allow as many.
    """
    with office.roster.db.atomic():
        enter_changes(office.roster, kecamatan, changes, now=now)
        bundle = prepare_changes(office, kecamatan, now=now)
        role = kecamatan_role(kecamatan)
        done = assemble(office, [(HERE, _signed(office.keys, bundle, [role]))])
    number = last_changes(Repository(office.release), kecamatan)
    return PublishedChanges(office.release, kecamatan, number, done.roles[role.name])


def _signed(keys: KeyRing, bundle: SigningBundle, roles: Sequence[OfficeRole]) -> Content:
    """A bundle signed with the keys that lie here."""
    content = open_bundle(bundle, HERE)
    awaited = [role for role in roles if role.tuf_name in content.roles]
    # Every signer first: a key that is missing must not leave half a publication.
    signers = [signer for role in awaited for signer in keys.signers(role)]
    if ROOT in awaited:
        signers += _signers_of_before(keys, content)
    for signer in signers:
        add_signatures(content, signer)
    return content


def _signers_of_before(keys: KeyRing, content: Content) -> list[PrivateKey]:
    """A new root needs a threshold of the root keys that counted until now."""
    before = next((a for a in authorities(content) if a.before), None)
    if before is None:
        return []
    here = [keys.private(ROOT, h) for h in ROOT.holders if keys.is_here(ROOT, h)]
    old = [k for k in (*here, *keys.retired(ROOT)) if tuf_public(k.public).keyid in before.keys]
    if len(old) < before.threshold:
        raise ProvisioningError(
            f"the new root needs {before.threshold} of the root keys that counted until now and"
            f" {len(old)} lie here; bring another, or let their holders sign a prepared bundle"
        )
    return old[: before.threshold]


def _file(repository: Repository, path: str) -> bytes:
    return repository.target_bytes(repository.load("targets", Targets), path)
