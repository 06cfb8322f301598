"""Keys of the office in a test: whose they are, new ones, and what somebody signs with them."""

from __future__ import annotations

from tuf.api.metadata import Root, Targets

from card_codec.keys import PrivateKey
from ledger.repository import tuf_signer
from provisioning.keys import KeyRing, OfficeRole, kecamatan_role
from provisioning.office import open_office
from provisioning.rotate import rotate
from tests.unit.provisioning.played import KEC_1
from tests.unit.provisioning.served import Served

CAMAT = kecamatan_role(KEC_1)


def rotated(served: Served, role: OfficeRole, *holders: str, stolen: bool = False) -> None:
    with open_office(served.office) as opened:
        rotate(opened, role, holders, now=served.now, stolen=stolen)


def private_keys(served: Served, role: OfficeRole) -> list[PrivateKey]:
    ring = KeyRing(served.office / "keys")
    return [ring.private(role, holder) for holder in role.holders]


def refused(served: Served, words: str) -> None:
    """What was brought is refused, and what was installed stands."""
    before = served.folder.rights.read_bytes()
    problem = served.bring().problem
    assert problem is not None
    assert words in problem
    assert served.folder.rights.read_bytes() == before


def forged(served: Served, role: str, content: Root | Targets, *keys: PrivateKey) -> None:
    """Somebody with these keys signs a role; a province that was fooled makes it public."""
    repository = served.province.repository
    signers = [tuf_signer(key) for key in keys]
    repository.sign(content, role, signers=signers, now=served.now)
    repository.publish(tuf_signer(served.province.online), now=served.now)
