"""`betang-provision`: the office at the command line."""

from provisioning.cli import keys, office, publishing, station
from provisioning.cli.program import app, main

__all__ = ["app", "keys", "main", "office", "publishing", "station"]
