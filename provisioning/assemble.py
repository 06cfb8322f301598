"""Assembling a release from signed bundles: the last of the three steps, done at the office.

The bundles are the same one, carried to different holders. Nothing is written before every
signature holds and every threshold is reached. Files come first and ``N.targets.json`` last, so a
release that was cut off leaves the last one standing and is simply assembled again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tuf.api.metadata import Targets

from ledger.changes_file import ChangesFile
from ledger.folder import write_whole
from ledger.repository import Repository
from ledger.rights_file import RightsBase
from provisioning.authority import check_signatures, check_thresholds
from provisioning.bundle_check import Checked, check_content
from provisioning.changes import check_not_withdrawn, mark_published, mark_taken_up
from provisioning.errors import ProvisioningError
from provisioning.keys import ROOT
from provisioning.office import Office
from provisioning.roles import last_changes
from provisioning.signing_bundle import Content


@dataclass(frozen=True, slots=True)
class Assembled:
    """What was laid into the release: the joined bundle, and the version of each of its roles."""

    content: Content
    roles: dict[str, int]


def assemble(office: Office, contents: Iterable[tuple[str, Content]]) -> Assembled:
    """Join signed bundles and lay what they hold into the release.

    Args:
        office: the open office.
        contents: each bundle with its name, for the words of an error.

    Raises:
        ProvisioningError: they are different bundles, a signature is wrong or a stranger's, some
            are missing, or something was published since it was prepared.
    """
    joined = _join(list(contents))
    check_signatures(joined)
    checked = check_content(joined)
    check_thresholds(joined)
    repository = Repository(office.release)
    _check_newest(repository, joined, checked)
    for file in checked.new.values():
        if isinstance(file, ChangesFile):
            check_not_withdrawn(office.roster, file)
    with office.roster.db.atomic():
        _mark(office, repository, joined, checked)
        _lay(office, repository, joined)
    if "root" in joined.roles:
        office.keys.forget_retired(ROOT)
    return Assembled(
        joined, {role: metadata.signed.version for role, metadata in joined.roles.items()}
    )


def _join(contents: list[tuple[str, Content]]) -> Content:
    (first, joined), *others = contents
    for name, content in others:
        if content.fingerprint != joined.fingerprint:
            raise ProvisioningError(
                f"{name} is another bundle than {first}: their fingerprints are"
                f" {content.fingerprint} and {joined.fingerprint}"
            )
        for role, metadata in content.roles.items():
            for keyid, signature in metadata.signatures.items():
                joined.roles[role].signatures.setdefault(keyid, signature)
    return joined


def _check_newest(repository: Repository, content: Content, checked: Checked) -> None:
    """Nothing was published since the bundle was prepared."""
    expected = {role: m.signed.version - 1 for role, m in content.roles.items()}
    expected |= {role: m.signed.version for role, m in content.standing.items()}
    for role, version in expected.items():
        last = (repository.versions(role) or [0])[-1]
        if last != version:
            raise ProvisioningError(
                f"{role} {last} was published since this bundle was prepared, which follows"
                f" {version}; prepare it again"
            )
    for path, file in checked.new.items():
        if isinstance(file, RightsBase) and file.changes != last_changes(
            repository, file.kecamatan
        ):
            raise ProvisioningError(
                f"{file.kecamatan} has published changes since this bundle was prepared, and {path}"
                " does not hold them; prepare it again"
            )


def _mark(office: Office, repository: Repository, content: Content, checked: Checked) -> None:
    """What the bundle carries is pending no more."""
    new = {f.kecamatan: f.number for f in checked.new.values() if isinstance(f, ChangesFile)}
    for kecamatan, number in new.items():
        mark_published(office.roster, kecamatan, number, up_to=content.bundle.mark)
    if "targets" in content.roles:
        for kecamatan in office.roster.kecamatan():
            number = last_changes(repository, kecamatan)
            mark_taken_up(office.roster, kecamatan, number, up_to=content.bundle.mark)


def _lay(office: Office, repository: Repository, content: Content) -> None:
    bundle = content.bundle
    for file in bundle.files:
        repository.lay(file.path, file.data)
    if bundle.access:
        write_whole(office.release / "access.json", bundle.access)
    for role, metadata in content.roles.items():
        repository.write(role, metadata)
    if bundle.province:
        write_whole(office.province_keys, bundle.province)
    _prune(repository)


def _prune(repository: Repository) -> None:
    """Take superseded files away; every root stays, since terminals walk the chain of them."""
    named = set()
    for role in repository.roles():
        versions = repository.versions(role)
        for version in versions[:-1]:
            (repository.metadata / f"{version}.{role}.json").unlink()
        for path, file in repository.load(role, Targets).targets.items():
            directory, _, name = path.rpartition("/")
            named.add(repository.targets / directory / f"{file.hashes['sha256']}.{name}")
    for found in repository.targets.rglob("*"):
        if found.is_file() and found not in named:
            found.unlink()
