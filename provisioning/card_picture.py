"""What is printed: the code, and under it in words whose card it is.

The words are for people only; a scanner reads the code alone. A sample says so in the largest
letters of all. Black on white, so that any printer carries it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from card_codec.credential import CardKind
from card_codec.qr import picture

MODULE_PX = 6
TITLES = {
    CardKind.CARD: "KARTU HUMA BETANG",
    CardKind.SAMPLE: "KARTU CONTOH",
    CardKind.TRAINING: "KARTU LATIHAN",
}
NOTES = {
    CardKind.CARD: "Tunjukkan di loket. Bukan kartu ATM.",
    CardKind.SAMPLE: "Tidak dapat ditukar.",
    CardKind.TRAINING: "Hanya untuk pelatihan.",
}
SIZES_PX = (34, 30, 22, 22)
"""Heights of title, name, place and number, note."""
SIZE_MIN_PX = 14
GLYPH_WIDTH = 0.55
"""Of a letter, as a part of its height, on average."""
LINE_SPACE = 1.35


@dataclass(frozen=True, slots=True)
class Label:
    """The words under the code."""

    kind: CardKind
    name: str
    desa_name: str
    household: bytes
    issue: int

    @property
    def lines(self) -> tuple[str, str, str, str]:
        """Title, name, place and number, note."""
        digits = self.household.hex().upper()
        groups = " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))
        number = f"{groups} / {self.issue}"
        place = f"{self.desa_name}   {number}" if self.desa_name else number
        return TITLES[self.kind], self.name, place, NOTES[self.kind]


def png_card(text: str, label: Label) -> bytes:
    """The card as a black and white PNG."""
    with Image.open(io.BytesIO(picture.png(text, module_px=MODULE_PX))) as opened:
        code = opened.convert("1")
    width, margin = code.width, MODULE_PX * picture.QUIET_MODULES
    card = Image.new("1", (width, code.height + _label_px()), 1)
    card.paste(code, (0, 0))
    draw = ImageDraw.Draw(card)
    top = float(code.height)
    for line, size in zip(label.lines, SIZES_PX, strict=True):
        fits, font = _fitting(line, size, width - 2 * margin)
        draw.text((margin, top), fits, fill=0, font=font)
        top += size * LINE_SPACE
    out = io.BytesIO()
    card.save(out, "PNG", optimize=True, dpi=(300, 300))
    return out.getvalue()


def svg_card(text: str, label: Label) -> bytes:
    """The same card as SVG."""
    code = picture.svg(text, module_px=MODULE_PX).decode("ascii")
    side = _side(code)
    margin = MODULE_PX * picture.QUIET_MODULES
    height = side + _label_px()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{height}" '
        f'viewBox="0 0 {side} {height}"><rect width="{side}" height="{height}" fill="#fff"/>',
        code,
    ]
    top = float(side)
    for line, size in zip(label.lines, SIZES_PX, strict=True):
        # A reader of SVG has fonts of its own: a long line is told how wide it may be.
        room = side - 2 * margin
        squeezed = f' textLength="{room}" lengthAdjust="spacingAndGlyphs"'
        parts.append(
            f'<text x="{margin}" y="{top + size:.0f}" font-family="sans-serif" font-size="{size}"'
            f"{squeezed if len(line) * size * GLYPH_WIDTH > room else ''}>{escape(line)}</text>"
        )
        top += size * LINE_SPACE
    return "".join([*parts, "</svg>\n"]).encode()


def _label_px() -> int:
    return round(sum(SIZES_PX) * LINE_SPACE) + MODULE_PX * picture.QUIET_MODULES


def _side(svg: str) -> int:
    """Width of a code's picture in pixels, as it says itself."""
    return int(svg.split('width="', 1)[1].split('"', 1)[0])


def _fitting(
    line: str, size: int, width: int
) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """The line in that height or the largest below it in which it fits; cut if in none."""
    font = ImageFont.load_default(size)
    while font.getlength(line) > width and size > SIZE_MIN_PX:
        size -= 1
        font = ImageFont.load_default(size)
    fits = line
    while font.getlength(fits) > width:
        fits = f"{fits.rstrip('…')[:-1]}…"
    return fits, font
