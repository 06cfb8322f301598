"""Access: which road token belongs to which terminal. Rides beside the release, signed by nobody.

A road token opens the province's door and nothing else: entries are believed by the terminal's
key, the ledger by the office's. So the office hands over only hashes of the tokens it gave out.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Literal

import msgspec

from ledger.errors import RecordError

ACCESS_SIZE_MAX = 8 * 1024 * 1024


class Door(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One terminal's token, as its SHA-256 in lower-case hex (of the token's ASCII text)."""

    terminal: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    epoch: Annotated[int, msgspec.Meta(ge=1, le=0xFF)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every token that opens the door: ``access.json`` of a release."""

    form: Literal["khb-access-1"]
    terminals: tuple[Door, ...]

    def opens(self, token: str) -> Door | None:
        """Whose token this is; every hash is compared, each in constant time."""
        given = token_hash(token)
        found = None
        for door in self.terminals:
            if hmac.compare_digest(door.sha256, given):
                found = door
        return found


def token_hash(token: str) -> str:
    """SHA-256 of a token's text, in hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def write_access(access: Access) -> bytes:
    """The file, as JSON."""
    return msgspec.json.format(msgspec.json.encode(access), indent=1) + b"\n"


def read_access(data: bytes) -> Access:
    """Read ``access.json`` strictly.

    Raises:
        RecordError: not a list of road tokens.
    """
    if len(data) > ACCESS_SIZE_MAX:
        raise RecordError("access.json is too large")
    try:
        return msgspec.json.decode(data, type=Access)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not a list of road tokens: {error}") from error
