"""What alembic runs: the steps that a store lacks, over the connection it was handed."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Run them inside the transaction that is open already."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


if __name__ == "env_py":  # the name alembic loads it by
    run()
