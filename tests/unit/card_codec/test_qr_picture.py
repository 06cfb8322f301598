import io
import re

import numpy as np
import pytest
from PIL import Image

from card_codec.errors import CardCodecError
from card_codec.qr.picture import png, svg
from card_codec.readers.scan import scan_picture
from tests.unit.card_codec.samples import FULL, card_text


def _modules_of_svg(data: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Draw the path of our SVG by hand."""
    text = data.decode("ascii")
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', text)
    assert box is not None
    assert box[1] == box[2]
    modules = np.zeros((int(box[1]), int(box[1])), np.bool_)
    for x, y, width, back in re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", text):
        assert width == back
        modules[int(y), int(x) : int(x) + int(width)] = True
    return modules


def test_png_and_svg_are_the_same_code_and_it_reads() -> None:
    text = card_text(FULL)
    with Image.open(io.BytesIO(png(text, module_px=3))) as image:
        pixels = ~np.asarray(image)
    modules = _modules_of_svg(svg(text))
    assert (pixels == modules.repeat(3, 0).repeat(3, 1)).all()
    assert scan_picture(png(text, module_px=3)) == (text,)


def test_quiet_zone_is_four_modules() -> None:
    modules = _modules_of_svg(svg(card_text()))
    assert not modules[:4].any()
    assert not modules[-4:].any()
    assert not modules[:, :4].any()
    assert not modules[:, -4:].any()
    assert modules[4, 4]


def test_smallest_card_is_version_8() -> None:
    assert _modules_of_svg(svg(card_text())).shape == (49 + 8, 49 + 8)


def test_higher_correction_needs_a_larger_code() -> None:
    sides = [_modules_of_svg(svg(card_text(), ecc=level)).shape[0] for level in "LMQH"]
    assert sides == sorted(set(sides))


@pytest.mark.parametrize("text", ["khb1abc", "", "KHB1é", "A" * 5_000])
def test_text_that_cannot_be_drawn_is_refused(text: str) -> None:
    for draw in (png, svg):
        with pytest.raises(CardCodecError):
            draw(text)


def test_unknown_correction_level_is_refused() -> None:
    with pytest.raises(CardCodecError):
        png("KHB1", ecc="X")
