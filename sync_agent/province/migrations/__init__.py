"""The store's steps from one version to the next, run by alembic when a store is opened."""
