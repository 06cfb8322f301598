"""The store is one and the same on SQLite and PostgreSQL, and refuses to forget."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from ledger.entry import Commit, Opened, Void
from sync_agent.errors import ProvinceError
from sync_agent.province import schema
from sync_agent.province.engine import NEWEST, append, bring_in_step, open_engine
from sync_agent.province.store import Store
from tests.issuer_check import begin
from tests.postgres import Server
from tests.sync_world import SyncWorld, batch_of

MIGRATIONS = Path(__file__).parents[3] / "sync_agent/province/migrations"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'province.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def another_url(request: pytest.FixtureRequest, store_url: str, tmp_path: Path) -> str:
    """An empty store of the same sort."""
    if store_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'another.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


def test_migrations_lead_to_the_tables_the_code_uses(store_url: str) -> None:
    engine = open_engine(store_url)
    with engine.execution_options(writing=True).begin() as db:
        bring_in_step(db)
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == NEWEST
    engine.dispose()


def test_newest_step_is_the_last_of_the_migrations() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == NEWEST


def test_store_of_an_earlier_step_knows_what_its_entries_are_about(
    world: SyncWorld, another_url: str
) -> None:
    begin(world, world.one, world.homes_1[0])
    world.record(world.one, Commit(1, 2, bytes(8)))
    world.record(world.one, Void(1, "wrong card", "AB"))
    world.province.take(batch_of(world.one), road="http")
    now = Store(world.province_folder.store_url)
    with now.reading() as db:
        entries = [tuple(row) for row in db.execute(select(schema.entry))]
        said = [tuple(row) for row in db.execute(select(schema.naming))]
    now.close()
    assert said == [(1, 1, 2, 1), (1, 1, 3, 1)]
    engine = open_engine(another_url).execution_options(writing=True)
    with engine.begin() as db:
        bring_in_step(db, to="0003")
        append(db, schema.entry, entries)
    with engine.begin() as db:
        bring_in_step(db)
        assert [tuple(row) for row in db.execute(select(schema.naming))] == said
    engine.dispose()


def test_store_that_is_open_is_opened_again_as_it_is(store_url: str) -> None:
    first = Store(store_url)
    Store(store_url).close()
    with first.reading() as db:
        assert db.execute(select(func.count()).select_from(schema.entry)).scalar_one() == 0
    first.close()


def test_log_cannot_be_changed_thinned_or_emptied(world: SyncWorld) -> None:
    world.record(world.one, Opened("pagi"))
    world.province.take(batch_of(world.one), road="http")
    store = Store(world.province_folder.store_url)
    on_sqlite = world.province_folder.store_url.startswith("sqlite")
    for table in schema.metadata.tables:
        statements = ["DELETE FROM {}", *([] if on_sqlite else ["TRUNCATE {}"])]
        for statement in statements:
            if on_sqlite and table not in {"entry", "acknowledgement"}:
                continue  # SQLite's triggers speak of rows, and there is none
            with pytest.raises(ProvinceError, match="only ever added to"), store.writing() as db:
                db.exec_driver_sql(statement.format(table))
    store.close()
    assert world.province.head(1, 1).seq == 1


def test_text_that_the_store_cannot_hold_is_still_taken(world: SyncWorld) -> None:
    """PostgreSQL refuses a NUL in a text; a terminal's signed entry may hold one."""
    world.record(world.one, world.redemption(world.homes_1[0]), officer="A\0B")
    assert world.province.take(batch_of(world.one), road="http").accepted == 1
    (listed,) = world.province.redemptions()
    assert listed.officer == "A\ufffdB"


def test_reader_can_write_nothing_on_postgresql(store_url: str) -> None:
    if store_url.startswith("sqlite"):
        return
    store = Store(store_url)
    with pytest.raises(ProvinceError, match="read-only"), store.reading() as db:
        db.exec_driver_sql("DELETE FROM entry")
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://khb:geheim@/khb?host=/nowhere",
        "sqlite:////nowhere/at/all/province.db",
        "sqlite+nothing:///x",
    ],
)
def test_store_that_cannot_be_opened_is_one_sentence_without_a_password(url: str) -> None:
    with pytest.raises(ProvinceError, match=r"^cannot open the store .*province\.toml$") as caught:
        Store(url)
    assert "geheim" not in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://khb:geheim@127.0.0.1:1/khb",
        "postgresql://khb@127.0.0.1:1/khb?password=geheim",
        "postgresql://khb:ge@heim:geheim@127.0.0.1:1/khb",
        "postgresql://khb:geheim/geheim@127.0.0.1:1/khb",
        "postgresql://khb:12/geheim@127.0.0.1:1/khb",
        "postgresql://khb:geheim@127.0.0.1:geheim/khb",
        "postgresql://khb:geheim@127.0.0.1:1/khb?nothing=geheim",
        "postgresql+geheim",
    ],
)
def test_password_is_never_shown(url: str) -> None:
    with pytest.raises(ProvinceError, match=r"store in province\.toml") as caught:
        Store(url)
    assert "geheim" not in caught.value.detail
    assert "heim" not in caught.value.detail
    assert "\n" not in caught.value.detail
