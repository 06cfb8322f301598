"""Where tests that wait for no disk keep their folders."""

import os
from pathlib import Path

_SHARED = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it

MEMORY: Path | None = _SHARED if os.access(_SHARED, os.W_OK) else None
"""A file system in memory, or None where the machine offers none."""
