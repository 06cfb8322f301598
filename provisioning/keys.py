"""Who holds which key of the office, and how many of them must sign.

One private key per holder lies at ``keys/ROLE/HOLDER.pem`` (PKCS#8, mode 0600), its public half
beside it as ``HOLDER.pub``. A holder may take the private file away on a stick of their own: the
role still signs while enough others are here. A key that was replaced lies in ``retired/``: its
public half for ever, its private half only while the next root needs its signature. Roles and
thresholds: docs/spec/rights-ledger.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from card_codec.errors import CardCodecError
from card_codec.keys import PEM_BYTES_MAX, PrivateKey, PublicKey
from ledger.folder import write_whole
from provisioning.errors import ProvisioningError

RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class OfficeRole:
    """One duty, those who share it, and how many of them must sign.

    Attributes:
        name: as reports name it.
        folder: below ``keys/``.
        holders: who holds a key each.
        threshold: how many signatures count.
    """

    name: str
    folder: str
    holders: tuple[str, ...]
    threshold: int

    @property
    def tuf_name(self) -> str:
        """As the ledger names it."""
        return "targets" if self.name == "decree" else self.name


ROOT = OfficeRole("root", "root", ("dinsos", "diskominfosantik", "inspektorat"), 2)
DECREE = OfficeRole("decree", "decree", ("kepala-dinsos", "biro-hukum", "sekretaris-daerah"), 2)
VERDICT = OfficeRole("verdict", "verdict", ("issuer-check",), 1)
ISSUER = OfficeRole("issuer", "issuer", ("card-station",), 1)


def kecamatan_role(kecamatan: str) -> OfficeRole:
    """The two of a kecamatan who sign its changes together."""
    folder = f"kecamatan/{kecamatan}"
    return OfficeRole(f"changes-{kecamatan}", folder, ("camat", "kasi-kesra"), 2)


def office_roles(kecamatan: Sequence[str]) -> list[OfficeRole]:
    """Every role of an office that serves these kecamatan."""
    return [ROOT, DECREE, ISSUER, VERDICT, *(kecamatan_role(code) for code in kecamatan)]


class KeyRing:
    """The keys that lie in an office's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, role: OfficeRole) -> None:
        """Make a new key for every holder of a role."""
        directory = self.folder / role.folder
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for holder in role.holders:
            key = PrivateKey.generate()
            write_whole(directory / f"{holder}.pem", key.to_pem(), mode=0o600)
            write_whole(directory / f"{holder}.pub", key.public.to_pem().encode())

    def replace(self, role: OfficeRole, holder: str, new: PrivateKey | PublicKey) -> PublicKey:
        """Put a new key in the place of a holder's; the public half of the old one.

        Args:
            role: of the office.
            holder: one of the role's.
            new: the holder's new key; its public half alone where the private one stays away.

        Raises:
            ProvisioningError: the old public key cannot be read.
        """
        directory = self.folder / role.folder
        old = self._public(role, holder)
        name = f"{holder}.{old.kid.hex()}"
        retired = directory / RETIRED
        write_whole(retired / f"{name}.pub", old.to_pem().encode())
        private = directory / f"{holder}.pem"
        if private.is_file() and role == ROOT:
            # The next root must bear a threshold of those that counted until now.
            private.replace(retired / f"{name}.pem")
        private.unlink(missing_ok=True)
        if isinstance(new, PrivateKey):
            write_whole(private, new.to_pem(), mode=0o600)
        public = new.public if isinstance(new, PrivateKey) else new
        write_whole(directory / f"{holder}.pub", public.to_pem().encode())
        return old

    def retired(self, role: OfficeRole) -> list[PrivateKey]:
        """Private keys of a role that were replaced and are still here.

        Raises:
            ProvisioningError: one is damaged.
        """
        paths = sorted((self.folder / role.folder / RETIRED).glob("*.pem"))
        return [_read_private(path) for path in paths]

    def forget_retired(self, role: OfficeRole) -> None:
        """Take the replaced private keys away: what they were kept for is signed."""
        for path in (self.folder / role.folder / RETIRED).glob("*.pem"):
            path.unlink()

    def is_here(self, role: OfficeRole, holder: str) -> bool:
        """Whether that holder's private key lies in the office now."""
        return (self.folder / role.folder / f"{holder}.pem").is_file()

    def public(self, role: OfficeRole) -> dict[str, PublicKey]:
        """The public keys of a role by holder.

        Raises:
            ProvisioningError: one is missing or damaged.
        """
        return {holder: self._public(role, holder) for holder in role.holders}

    def signers(self, role: OfficeRole) -> list[PrivateKey]:
        """As many private keys of a role as its threshold asks for.

        Raises:
            ProvisioningError: too few of them are here, or one does not fit its public half.
        """
        here = [holder for holder in role.holders if self.is_here(role, holder)]
        if len(here) < role.threshold:
            raise ProvisioningError(
                f"the role {role.name} needs {role.threshold} of its {len(role.holders)} keys and "
                f"{len(here)} lie in {self.folder / role.folder}; bring another holder's key"
            )
        return [self.private(role, holder) for holder in here[: role.threshold]]

    def _public(self, role: OfficeRole, holder: str) -> PublicKey:
        path = self.folder / role.folder / f"{holder}.pub"
        try:
            return PublicKey.from_pem(path.read_bytes()[: PEM_BYTES_MAX + 1])
        except OSError as error:
            raise ProvisioningError(
                f"the public key {path} cannot be read: {error.strerror}; restore it from a copy"
            ) from error
        except CardCodecError as error:
            raise ProvisioningError(f"{path}: {error.detail}; restore it from a copy") from error

    def private(self, role: OfficeRole, holder: str) -> PrivateKey:
        """A holder's private key.

        Raises:
            ProvisioningError: it is not here, damaged, or does not fit its public half.
        """
        path = self.folder / role.folder / f"{holder}.pem"
        key = _read_private(path)
        if key.public != self._public(role, holder):
            raise ProvisioningError(
                f"{path} is not the key that {holder}.pub names; ask its holder for the right one"
            )
        return key


def _read_private(path: Path) -> PrivateKey:
    try:
        return PrivateKey.from_pem(path.read_bytes()[: PEM_BYTES_MAX + 1])
    except OSError as error:
        raise ProvisioningError(
            f"the key {path} cannot be read: {error.strerror}; ask its holder for it"
        ) from error
    except CardCodecError as error:
        raise ProvisioningError(f"{path}: {error.detail}; ask its holder for it") from error
