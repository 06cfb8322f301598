"""The others, played by the tests: a province that makes a release public, and its readers."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.metadata import Targets
from tuf.ngclient import Updater, UpdaterConfig

from card_codec.keys import PrivateKey
from ledger.in_box import BASE_URL, InBoxFetcher
from ledger.install import POLICY_PATH, ROLL_PATH, TRUST_PATH
from ledger.repository import Repository, online_role, tuf_signer
from provisioning.demo import make_demo_office
from provisioning.enrol import Enrolled, Enrolment, enrol
from provisioning.office import open_office
from provisioning.publish import Published, publish

NOW = 1_790_000_000  # 21 September 2026
KEC_1, KEC_2 = "629901", "629902"
PATHS = (
    POLICY_PATH,
    ROLL_PATH,
    TRUST_PATH,
    f"rights/{KEC_1}/base.cbor.zst",
    f"rights/{KEC_2}/base.cbor.zst",
)


@dataclass
class Province:
    """Holds the online key; signs status, usage, snapshot and timestamp over a release."""

    folder: Path
    online: PrivateKey = field(default_factory=PrivateKey.generate)
    log: PrivateKey = field(default_factory=PrivateKey.generate)

    @property
    def public(self) -> Path:
        """``public.json``, written anew."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "public.json"
        keys = {"online": self.online.public.to_pem(), "log": self.log.public.to_pem()}
        path.write_text(json.dumps(keys), encoding="utf-8")
        return path

    @property
    def repository(self) -> Repository:
        return Repository(self.folder / "repository")

    def take(self, release: Path, *, now: int = NOW) -> int:
        """Make a release public, with empty usage and status."""
        shutil.copytree(release, self.repository.folder, dirs_exist_ok=True)
        repository = Repository(release)
        for role in [r for r in repository.roles() if r.startswith("changes-")]:
            role = online_role(role.removeprefix("changes-"))
            self.repository.sign(Targets(), role, signers=[tuf_signer(self.online)], now=now)
        return self.repository.publish(tuf_signer(self.online), now=now)


def open_ledger(repository: Repository, trusted: Path, first_root: bytes | None = None) -> Updater:
    """A reader of that repository that knows its first root and nothing else."""
    trusted.mkdir(parents=True, exist_ok=True)
    updater = Updater(
        str(trusted),
        f"{BASE_URL}metadata/",
        target_dir=str(trusted),
        target_base_url=f"{BASE_URL}targets/",
        fetcher=InBoxFetcher(repository.folder),
        config=UpdaterConfig(max_delegations=400),
        bootstrap=first_root or (repository.metadata / "1.root.json").read_bytes(),
    )
    # As ledger.install does: expiry is judged by a time that was given, not by the wall clock.
    updater._trusted_set.reference_time = datetime.fromtimestamp(NOW, UTC)
    return updater


def read_ledger(repository: Repository, trusted: Path) -> dict[str, bytes]:
    """Refresh, walk every delegation, and read every file of the decree."""
    updater = open_ledger(repository, trusted)
    updater.refresh()
    files = {}
    for path in PATHS:
        info = updater.get_targetinfo(path)
        assert info is not None, path
        files[path] = Path(updater.download_target(info)).read_bytes()
    for kecamatan in (KEC_1, KEC_2):
        assert updater.get_targetinfo(f"status/{kecamatan}/list.cbor") is None
        assert updater.get_targetinfo(f"usage/{kecamatan}/1.cbor") is None
        assert updater.get_targetinfo(f"changes/{kecamatan}/1.cbor.zst") is None
    return files


def make_office(root: Path, *, households: int = 40, seed: int = 1) -> Path:
    """A small office of two kecamatan."""
    make_demo_office(root, households=households, kecamatan=2, seed=seed, now=NOW)
    return root


def publish_office(
    root: Path, province: Province | None = None, *, now: int = NOW, rotate: bool = False
) -> Published:
    """Publish as the command does."""
    with open_office(root) as office:
        public = province.public if province else None
        return publish(office, now=now, province=public, rotate_province=rotate)


def enrol_terminal(
    office: Path,
    terminal: Path,
    *,
    home: str = KEC_1,
    holds: tuple[str, ...] = (KEC_1, KEC_2),
    again: int | None = None,
) -> Enrolled:
    """Enrol a folder that has its keys already."""
    enrolment = Enrolment(
        name="Loket 1",
        point='Balai Desa "Satu"',
        home=home,
        holds=holds,
        away=5,
        province_url="http://127.0.0.1:1",
        officer="BR",
        again=again,
    )
    with open_office(office) as opened:
        return enrol(opened, terminal, enrolment, now=NOW, randomness=secrets.token_bytes)
