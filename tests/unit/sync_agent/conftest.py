from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import postgres
from tests.issuer_check import IssuerCheck
from tests.sync_world import SyncWorld, small_world


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A real server, started for whoever asks first and stopped at the end."""
    with ExitStack() as stack:
        if postgres.binaries() is None:
            pytest.skip("no PostgreSQL server")
        yield stack.enter_context(postgres.running())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A file that says ``ON_BOTH_STORES = True`` runs on SQLite, and on a real PostgreSQL."""
    if "store_url" in metafunc.fixturenames and getattr(metafunc.module, "ON_BOTH_STORES", False):
        stores = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
        metafunc.parametrize("store_url", stores, indirect=True)


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str | None:
    """The store of the province; None for its own SQLite file."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    server: postgres.Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def world(tmp_path: Path, store_url: str | None) -> Iterator[SyncWorld]:
    """Two terminals and a province with a release; nothing has been taken yet."""
    with pytest.MonkeyPatch.context() as patch:
        # Making a world is not what is tested here, and a slow disk would wait 40 times for it.
        patch.setattr("os.fsync", lambda _handle: None)
        made = small_world(tmp_path, store=store_url)
    yield made
    made.province.close()


@pytest.fixture
def issuer(world: SyncWorld) -> IssuerCheck:
    """The office that checks what the chips of that world signed."""
    return IssuerCheck(world)
