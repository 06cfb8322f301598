"""The picture of a text: one alphanumeric segment, quiet zone of four modules.

Lower case would fall into byte mode and need a larger code, so it is refused, not changed.
"""

import io
import re

import qrcode  # type: ignore[import-untyped]
from qrcode import constants
from qrcode.exceptions import DataOverflowError  # type: ignore[import-untyped]
from qrcode.util import MODE_ALPHA_NUM, QRData  # type: ignore[import-untyped]

from card_codec.errors import malformed

QUIET_MODULES = 4

_ECC = {
    "L": constants.ERROR_CORRECT_L,
    "M": constants.ERROR_CORRECT_M,
    "Q": constants.ERROR_CORRECT_Q,
    "H": constants.ERROR_CORRECT_H,
}
_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")


def png(text: str, *, module_px: int = 8, ecc: str = "M") -> bytes:
    """The code as a black and white PNG.

    Args:
        text: upper-case text (QR alphanumeric alphabet).
        module_px: side of one module in pixels.
        ecc: error correction level, L, M, Q or H.

    Raises:
        CardCodecError: `malformed`, if the text is not of that alphabet or too long.
    """
    from PIL import Image  # only this form of picture needs Pillow

    matrix = _matrix(text, ecc)
    side = len(matrix)
    image = Image.new("1", (side, side), 1)
    image.putdata([0 if dark else 1 for line in matrix for dark in line])
    image = image.resize((side * module_px, side * module_px), Image.Resampling.NEAREST)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def svg(text: str, *, module_px: int = 8, ecc: str = "M") -> bytes:
    """The code as an SVG with one path; the same arguments and error as `png`."""
    matrix = _matrix(text, ecc)
    side = len(matrix)
    path = "".join(
        f"M{x} {y}h{width}v1h-{width}z" for y, line in enumerate(matrix) for x, width in _runs(line)
    )
    pixels = side * module_px
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{pixels}" height="{pixels}" '
        f'viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{path}"/></svg>\n'
    ).encode("ascii")


def _matrix(text: str, ecc: str) -> list[list[bool]]:
    if ecc not in _ECC:
        raise malformed("the error correction level is not one of L, M, Q, H")
    if _ALPHANUMERIC.fullmatch(text) is None:
        raise malformed("a card's code is written in capital letters and digits only")
    code = qrcode.QRCode(error_correction=_ECC[ecc], border=QUIET_MODULES)
    code.add_data(QRData(text.encode("ascii"), mode=MODE_ALPHA_NUM), optimize=0)
    try:
        code.make(fit=True)
    except (DataOverflowError, ValueError) as exc:
        raise malformed("the text is too long for one QR code") from exc
    return [[bool(dark) for dark in line] for line in code.get_matrix()]


def _runs(line: list[bool]) -> list[tuple[int, int]]:
    """Start and length of each run of dark modules."""
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(line):
        if not dark:
            continue
        if runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((x, 1))
    return runs
