import hashlib
import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from PIL import Image

from card_codec.errors import CardCodecError
from card_codec.qr.picture import png
from card_codec.qr.text import write_text
from card_codec.readers import scan
from card_codec.readers.scan import Effort, available_decoders, scan_frame, scan_picture
from tests.unit.card_codec import pictures

# As long as a card's text, and the same in every run.
TEXT = write_text(b"".join(hashlib.sha256(bytes([n])).digest() for n in range(4))[:125])


def _is_card(text: str) -> bool:
    return text.startswith("KHB1")


DISTORTIONS: dict[str, Callable[[int], pictures.Grey]] = {
    "still": lambda n: pictures.on_table(pictures.code(TEXT, 4)),
    "small": lambda n: pictures.noisy(pictures.on_table(pictures.code(TEXT, 2)), 4, n),
    "blur": lambda n: pictures.blurred(pictures.on_table(pictures.code(TEXT, 4)), 1.4),
    "rotation": lambda n: pictures.rotated(pictures.on_table(pictures.code(TEXT, 4)), 37 * n + 8),
    "perspective": lambda n: pictures.tilted(pictures.on_table(pictures.code(TEXT, 5)), 0.45),
    "noise": lambda n: pictures.noisy(pictures.on_table(pictures.code(TEXT, 5)), 40, n),
    "low contrast": lambda n: pictures.noisy(
        pictures.dim(pictures.on_table(pictures.code(TEXT, 5)), 0.2, 20), 5, n
    ),
    "dark mode": lambda n: np.invert(pictures.on_table(pictures.code(TEXT, 4))),
    "all at once": lambda n: pictures.noisy(
        pictures.blurred(
            pictures.tilted(
                pictures.rotated(pictures.on_table(pictures.code(TEXT, 5)), 10 * n), 0.2
            ),
            1.0,
        ),
        8,
        n,
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("distort", DISTORTIONS.values(), ids=DISTORTIONS)
def test_distorted_picture_is_read(distort: Callable[[int], pictures.Grey], seed: int) -> None:
    data = pictures.file_of(distort(seed), ".jpg")
    assert scan_picture(data, accept=_is_card) == (TEXT,)


def test_slow_stages_read_dirt_that_fast_ones_do_not() -> None:
    fast = still = 0
    for seed in range(12):
        dirty = pictures.stained(pictures.code(TEXT, 5), 8, 9, seed)
        frame = pictures.noisy(pictures.on_table(dirty), 3, seed)
        fast += scan_frame(frame, effort=Effort.FRAME) == (TEXT,)
        still += scan_frame(frame, effort=Effort.STILL) == (TEXT,)
    assert still > fast
    assert still >= 8


def test_no_code_gives_no_text() -> None:
    noise = pictures.noisy(np.full((480, 640), 128, np.uint8), 60, 1)
    assert scan_picture(pictures.file_of(noise)) == ()


def test_all_codes_of_a_picture_are_listed_unless_one_is_accepted() -> None:
    other = "HTTPS://EXAMPLE.ORG/"
    pair = np.full((300, 620), 255, np.uint8)
    for x, text in ((0, other), (300, TEXT)):
        drawn = pictures.code(text, 4)
        pair[: drawn.shape[0], x : x + drawn.shape[1]] = drawn
    data = pictures.file_of(pair)
    assert set(scan_picture(data)) == {other, TEXT}
    assert scan_picture(data, accept=_is_card) == (TEXT,)
    assert set(scan_picture(data, accept=lambda text: False)) == {other, TEXT}


FILES = {
    "PNG": ["1", "L", "RGB", "P", "RGBA", "LA", "I;16"],
    "JPEG": ["1", "L", "RGB", "CMYK"],
    "WEBP": ["L", "RGB", "P", "RGBA", "LA"],
    "BMP": ["1", "L", "RGB", "P", "RGBA"],
    "GIF": ["1", "L", "RGB", "P", "RGBA", "LA"],
}


@pytest.mark.parametrize(
    ("kind", "mode"), [(kind, mode) for kind, modes in FILES.items() for mode in modes]
)
def test_every_common_file_is_read(kind: str, mode: str) -> None:
    with Image.open(io.BytesIO(png(TEXT, module_px=4))) as image:
        picture = image.convert("L")
    if mode == "I;16":
        wide = np.asarray(picture).astype(np.uint16) * 257
        picture = Image.fromarray(wide)
    else:
        picture = picture.convert(mode)
    out = io.BytesIO()
    picture.save(out, kind)
    assert scan_picture(out.getvalue()) == (TEXT,)


def test_code_drawn_on_nothing_is_read_as_on_paper() -> None:
    with Image.open(io.BytesIO(png(TEXT, module_px=4))) as image:
        dark = image.convert("L").point(lambda value: 255 - value)
    picture = Image.new("RGBA", dark.size, (0, 0, 0, 0))
    picture.putalpha(dark)
    out = io.BytesIO()
    picture.save(out, "PNG")
    assert scan_picture(out.getvalue()) == (TEXT,)


def test_tiny_frames_are_read_without_a_fault() -> None:
    for shape in ((1, 1), (1, 9), (2, 2), (3, 900), (900, 3)):
        assert scan_frame(np.zeros(shape, np.uint8), effort=Effort.STILL) == ()


class TestFilesThatAreNoPictures:
    """One error, whatever is given."""

    @staticmethod
    def _refused(data: bytes) -> str:
        with pytest.raises(CardCodecError) as caught:
            scan_picture(data)
        assert caught.value.code == "unreadable"
        return caught.value.detail

    def test_other_files(self) -> None:
        for data in (b"", b"hello", b"%PDF-1.7", b"\x00" * 1000, b"\x89PNG\r\n\x1a\n", b"II*\0"):
            self._refused(data)

    def test_file_over_20_mb(self) -> None:
        assert "20 MB" in self._refused(bytes(20_000_001))

    @pytest.mark.parametrize("side", [6_400, 20_000, 60_000])
    def test_more_than_40_megapixels_are_refused_before_decoding(self, side: int) -> None:
        head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        rows = zlib.compress(bytes(10_000))
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
            for kind, body in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
        )
        assert "40 megapixels" in self._refused(data)

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
    def test_cut_off_and_damaged_files_give_a_text_or_this_error(self, suffix: str) -> None:
        data = pictures.file_of(pictures.code(TEXT, 2), suffix)
        random = np.random.default_rng(7)
        for _ in range(60):
            changed = bytearray(data[: int(random.integers(1, len(data) + 1))])
            for at in random.integers(0, len(changed), 3):
                changed[at] = int(random.integers(0, 256))
            try:
                outcome = scan_picture(bytes(changed), effort=Effort.FRAME)
            except CardCodecError as exc:
                outcome = (exc.code,)
            assert outcome in ((), (TEXT,), ("unreadable",))


MODULES = {"zxing-cpp": "zxingcpp", "pyzbar": "pyzbar.pyzbar", "opencv": "cv2"}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Take libraries away as if they were not installed."""

    def clear() -> None:
        for cached in (scan._zxing, scan._pyzbar, scan._cv2, scan._stages):
            cached.cache_clear()

    def take(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, MODULES[name], None)
        clear()

    clear()
    yield take
    monkeypatch.undo()
    clear()


class TestMissingParts:
    """A missing library costs its stages and says how to get it; it never stops the rest."""

    def test_all_are_here_in_the_tests(self) -> None:
        assert [(part.name, part.available) for part in available_decoders()] == [
            (name, True) for name in MODULES
        ]

    @pytest.mark.parametrize(
        "missing",
        [
            ("zxing-cpp",),
            ("pyzbar",),
            ("opencv",),
            ("zxing-cpp", "opencv"),
            ("pyzbar", "opencv"),
            ("zxing-cpp", "pyzbar"),
            tuple(MODULES),
        ],
        ids="+".join,
    )
    def test_the_rest_still_reads(
        self, without: Callable[..., None], missing: tuple[str, ...]
    ) -> None:
        data = png(TEXT, module_px=4)
        noise = pictures.file_of(pictures.noisy(np.full((99, 99), 99, np.uint8), 50, 1))
        without(*missing)
        for part in available_decoders():
            assert part.available is (part.name not in missing)
            assert part.available or part.name.replace("opencv", "OpenCV") in part.detail
        if {"zxing-cpp", "pyzbar"} <= set(missing):
            with pytest.raises(CardCodecError, match="install the package zxing-cpp"):
                scan_picture(data)
        else:
            assert scan_picture(data) == (TEXT,)
            assert scan_picture(noise) == ()

    def test_missing_libzbar_is_a_missing_part(
        self, without: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from pyzbar import zbar_library  # type: ignore[import-untyped]

        def load() -> None:
            raise ImportError("Unable to find zbar shared library")

        monkeypatch.setattr(zbar_library, "load", load)
        for name in [name for name in sys.modules if name.startswith("pyzbar.")]:
            if name != "pyzbar.zbar_library":
                monkeypatch.delitem(sys.modules, name)
        without()
        state = {part.name: part for part in available_decoders()}
        assert not state["pyzbar"].available
        assert "libzbar0" in state["pyzbar"].detail
        assert scan_picture(png(TEXT)) == (TEXT,)


def test_pyzbars_fault_on_some_photos_means_nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: object, **kwargs: object) -> None:
        raise ValueError("4294967295 is not a valid ZBarOrientation")

    monkeypatch.setattr(scan._pyzbar(), "decode", decode)
    blank = np.full((100, 100), 255, np.uint8)
    assert scan_frame(blank, effort=Effort.STILL) == ()


def test_pyzbar_reads_what_is_no_utf8() -> None:
    assert scan._read_pyzbar(np.zeros((10, 10), np.uint8)) == []
    assert scan._read_pyzbar(pictures.code(TEXT, 4)) == [TEXT]


def test_opencvs_own_frame_is_taken_as_it_is() -> None:
    frame = cv2.cvtColor(
        cv2.cvtColor(pictures.on_table(pictures.code(TEXT, 4)), cv2.COLOR_GRAY2BGR),
        cv2.COLOR_BGR2GRAY,
    )
    assert scan_frame(frame, accept=_is_card) == (TEXT,)
