"""`betang-provision`: the office at the command line."""

from provisioning.cli import office, publishing, station
from provisioning.cli.program import app, main

__all__ = ["app", "main", "office", "publishing", "station"]
