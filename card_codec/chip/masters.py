"""The file of redeem masters: a JSON list of ``{"kecamatan", "generation", "key"}``.

The key is 32 hexadecimal digits; the kecamatan of the masters for redeeming away is ``000000``.
"""

import json
import re
from collections.abc import Mapping

from card_codec.errors import malformed

MASTERS_BYTES_MAX = 100_000
_HEX_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_KECAMATAN = re.compile(r"[0-9]{6}")
_GENERATION_MAX = 255

Masters = Mapping[tuple[str, int], bytes]
"""Masters of 16 bytes by kecamatan and generation."""


def read_masters(data: bytes) -> dict[tuple[str, int], bytes]:
    """Read a file of masters strictly.

    Raises:
        CardCodecError: `malformed`.
    """
    try:
        rows = json.loads(data.decode("utf-8")) if len(data) <= MASTERS_BYTES_MAX else None
    except (ValueError, RecursionError) as exc:
        raise malformed("this is not JSON") from exc
    if not isinstance(rows, list):
        raise malformed("this is not a list of masters")
    masters = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or row.keys() != {"kecamatan", "generation", "key"}:
            raise malformed(f"master {number} does not have kecamatan, generation and key alone")
        kecamatan, generation, key = row["kecamatan"], row["generation"], row["key"]
        if not isinstance(kecamatan, str) or not _KECAMATAN.fullmatch(kecamatan):
            raise malformed(f"master {number} has no kecamatan of six digits")
        if type(generation) is not int or not 1 <= generation <= _GENERATION_MAX:
            raise malformed(f"master {number} has no generation from 1 to {_GENERATION_MAX}")
        if not isinstance(key, str) or not _HEX_KEY.fullmatch(key):
            raise malformed(f"master {number} has no key of 32 hexadecimal digits")
        masters[kecamatan, generation] = bytes.fromhex(key)
    return masters


def write_masters(masters: Masters) -> bytes:
    """The file, as `read_masters` reads it; sorted, so that equal masters give equal bytes."""
    rows = [
        {
            "kecamatan": kecamatan,
            "generation": generation,
            "key": masters[kecamatan, generation].hex(),
        }
        for kecamatan, generation in sorted(masters)
    ]
    return json.dumps(rows, indent=1).encode("ascii") + b"\n"
