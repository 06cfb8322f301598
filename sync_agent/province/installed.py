"""The release in force, as the intake asks it: roll, policy, rights and road tokens.

A release may be taken by another process while the intake serves; it is noticed at the next act.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.access import ACCESS_SIZE_MAX, Access, Door, read_access
from ledger.element import Right
from ledger.errors import RecordError, RightsError
from ledger.in_box import read_brought
from ledger.rights import Rights
from ledger.roll import Terminal
from sync_agent.errors import IntakeRefusedError, ProvinceError
from sync_agent.province.folder import ProvinceFolder


@dataclass(frozen=True, slots=True)
class Installed:
    """One release, opened for reading."""

    rights: Rights
    access: Access

    def terminal(self, ordinal: int, epoch: int) -> Terminal:
        """An enrolled terminal that may come.

        Raises:
            IntakeRefusedError: not in the roll, or shut out.
        """
        terminal = self.listed(ordinal, epoch)
        if terminal.shut_out is not None:
            raise shut_out(terminal)
        return terminal

    def listed(self, ordinal: int, epoch: int) -> Terminal:
        """An enrolled terminal, also one that is shut out.

        Raises:
            IntakeRefusedError: not in the roll.
        """
        terminal = self.rights.roll.terminal(ordinal, epoch)
        if terminal is None:
            raise IntakeRefusedError(
                403, "not_enrolled", f"terminal {ordinal}, epoch {epoch}, is not in the roll"
            )
        return terminal

    def door(self, token: str) -> Door:
        """Whose road token this is.

        Raises:
            IntakeRefusedError: nobody's.
        """
        door = self.access.opens(token)
        if door is None:
            raise IntakeRefusedError(
                401, "unknown_token", "this road token opens no door here; enrol the terminal again"
            )
        return door

    def kecamatan(self, households: Sequence[bytes], terminal: Terminal) -> list[str]:
        """Whose usage feed carries each: its own, or the terminal's home if it is unknown."""
        listed = self.rights.kecamatan_of(households)
        return [listed.get(household, terminal.home) for household in households]

    def quantity(self, right: Right) -> int | None:
        """What a right holds in its window; None when the ledger in force does not list it."""
        listed = self.rights.household(right.household)
        return self.rights.quantity(listed, right) if listed else None

    def home_terminal(self, right: Right) -> int | None:
        """The one home terminal of household and programme: by policy, never by a record."""
        listed = self.rights.household(right.household)
        if listed is None:
            return None
        return self.rights.policy.home_terminal(listed.row.desa, right.programme)


def shut_out(terminal: Terminal) -> IntakeRefusedError:
    """What whoever comes from a terminal that is shut out is told."""
    which = f"terminal {terminal.ordinal}, epoch {terminal.epoch}"
    return IntakeRefusedError(403, "shut_out", f"{which}, is shut out; ask the office")


class ReleaseInForce:
    """The newest release taken, reopened when it changes."""

    def __init__(self, province: ProvinceFolder) -> None:
        self._province = province
        self._lock = threading.Lock()
        self._mark: tuple[int, int, int, int] | None = None
        self._installed: Installed | None = None
        self._opened: list[Installed] = []

    def now(self) -> Installed:
        """The release in force.

        Raises:
            ProvinceError: none was taken yet, or its files are damaged.
        """
        with self._lock:
            mark = self._read_mark()
            if self._installed is None or mark != self._mark:
                self._installed, self._mark = self._open(), mark
                # One that was replaced may still be read by another thread: all close at the end.
                self._opened.append(self._installed)
            return self._installed

    def close(self) -> None:
        """Close every release that was opened."""
        for installed in self._opened:
            installed.rights.close()
        self._opened, self._installed = [], None

    def _read_mark(self) -> tuple[int, int, int, int]:
        try:
            rights, access = os.stat(self._province.rights), os.stat(self._province.access)
        except OSError as error:
            raise ProvinceError(
                "no release was taken yet; run betang-sync province release --from RELEASE"
            ) from error
        return rights.st_ino, rights.st_mtime_ns, access.st_ino, access.st_mtime_ns

    def _open(self) -> Installed:
        data = read_brought(self._province.root, "access.json", size_max=ACCESS_SIZE_MAX)
        try:
            return Installed(Rights(self._province.rights), read_access(data or b""))
        except (RightsError, RecordError) as error:
            raise ProvinceError(f"the release is damaged: {error}; take it again") from error
