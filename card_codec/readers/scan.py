"""Hear a picture: find the QR codes in a still or a camera frame.

Stages in the order of what they find per millisecond: zxing-cpp on the grey picture, then on a
few filtered ones, with one stage of pyzbar in between for dirt. The slow stages run only when the
fast ones found nothing of use. No stage has ever been seen to give a wrong text; the signature
decides in any case.

Any of zxing-cpp, pyzbar (with its libzbar0) and OpenCV may be missing: the stages that need it
fall away, and `available_decoders` says what is missing and how to get it.
"""

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image, UnidentifiedImageError

from card_codec.errors import CardCodecError

FILE_BYTES_MAX = 20_000_000
PIXELS_MAX = 40_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")

# Only the first stage sees a larger picture whole; the filters work on it scaled down to this side.
_FILTERED_SIDE_MAX_PX = 1_920

# Pillow warns of odd but readable files, and only warns of one too large to be honest.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

# A grey picture: a two-dimensional buffer of bytes, height by width.
Grey = Any
Accept = Callable[[str], bool]
Stage = Callable[[Grey], list[str]]


class Effort(StrEnum):
    """How long to look: all stages for a still, the fast ones for each frame of a camera."""

    STILL = "still"
    FRAME = "frame"


@dataclass(frozen=True, slots=True)
class Decoder:
    """A part of the scanning pipeline.

    Attributes:
        name: the library.
        available: whether it can be used here.
        detail: what to do if it cannot, one sentence; else empty.
    """

    name: str
    available: bool
    detail: str


def scan_picture(
    data: bytes, *, effort: Effort = Effort.STILL, accept: Accept | None = None
) -> tuple[str, ...]:
    """The texts of the QR codes in a picture file.

    Args:
        data: a picture file (PNG, JPEG, WebP, BMP, GIF) of at most 20 MB and 40
            megapixels; both are checked before it is decoded.
        effort: how long to look.
        accept: if given, stop at the first text for which it is true, and return that one
            alone; texts not accepted are returned only if none was.

    Returns:
        Each text once; empty if no code was found.

    Raises:
        CardCodecError: `unreadable`, if this is no picture, is too large, or no decoder is
            installed.
    """
    grey = _grey(data, hurried=effort is Effort.FRAME)
    return scan_frame(grey, effort=effort, accept=accept)


def scan_frame(
    grey: Grey, *, effort: Effort = Effort.FRAME, accept: Accept | None = None
) -> tuple[str, ...]:
    """The texts of the QR codes in a grey frame; like `scan_picture`, for a camera's frames.

    Args:
        grey: two-dimensional buffer of bytes (a numpy array or a shaped memoryview).
        effort: how long to look.
        accept: see `scan_picture`.

    Raises:
        CardCodecError: `unreadable`, if no decoder is installed.
    """
    found: dict[str, None] = {}
    for fast, stage in _stages():
        # Unfiltered, the fast stages together list what is there; slow ones help if nothing is.
        if not fast and (effort is Effort.FRAME or (accept is None and found)):
            break
        for text in stage(grey):
            if accept is not None and accept(text):
                return (text,)
            found[text] = None
    return tuple(found)


def available_decoders() -> tuple[Decoder, ...]:
    """Each part of the pipeline, and what to do about a missing one."""
    return tuple(
        Decoder(name, isinstance(part, _Missing) is False, getattr(part, "remedy", ""))
        for name, part in (("zxing-cpp", _zxing()), ("pyzbar", _pyzbar()), ("opencv", _cv2()))
    )


# The pipeline


@cache
def _stages() -> tuple[tuple[bool, Stage], ...]:
    """(fast, stage) in order, of those whose parts are here."""
    zxing = not isinstance(_zxing(), _Missing)
    pyzbar = not isinstance(_pyzbar(), _Missing)
    cv2 = not isinstance(_cv2(), _Missing)
    if not zxing and not pyzbar:
        raise CardCodecError(
            "unreadable",
            "no QR decoder is installed; install the package zxing-cpp, or libzbar0 for pyzbar",
        )
    stages: list[tuple[bool, Stage, bool]] = [
        (True, _read_zxing, zxing),
        (True, lambda grey: _read_zxing(_median(_small(grey))), zxing and cv2),
        (True, lambda grey: _read_zxing(_unsharp(_small(grey), 2.0, 1.2)), zxing and cv2),
        (True, _read_pyzbar, pyzbar and not zxing),
        (False, lambda grey: _read_zxing(_adaptive(_blur(_small(grey), 0.8), 31)), zxing and cv2),
        (False, lambda grey: _read_pyzbar(_blur(_small(grey), 1.0)), pyzbar and cv2),
        (False, _read_pyzbar, pyzbar and not cv2 and zxing),
        (
            False,
            lambda grey: _read_doubled(_unsharp(_double(_small(grey)), 3.0, 1.5)),
            zxing and cv2,
        ),
        (False, lambda grey: _read_doubled(_adaptive(_double(_small(grey)), 51)), zxing and cv2),
    ]
    return tuple((fast, stage) for fast, stage, usable in stages if usable)


def _read_zxing(grey: Grey, *, try_downscale: bool = True) -> list[str]:
    zxing = _zxing()
    codes = zxing.read_barcodes(
        grey,
        formats=zxing.BarcodeFormat.QRCode,
        try_downscale=try_downscale,
        text_mode=zxing.TextMode.Plain,
    )
    return [code.text for code in codes if code.valid and code.text]


def _read_doubled(grey: Grey) -> list[str]:
    return _read_zxing(grey, try_downscale=False)


def _read_pyzbar(grey: Grey) -> list[str]:
    pyzbar = _pyzbar()
    view = memoryview(grey)
    height, width = view.shape or (0, 0)
    try:
        codes = pyzbar.decode((view.tobytes(), width, height), symbols=[pyzbar.ZBarSymbol.QRCODE])
    except (ValueError, pyzbar.PyZbarError):
        # "4294967295 is not a valid ZBarOrientation" on some real photos (pyzbar issue 139).
        return []
    return [text for code in codes if (text := code.data.decode("utf-8", "replace"))]


def _median(grey: Grey) -> Grey:
    return _cv2().medianBlur(_array(grey), 3)


def _blur(grey: Grey, sigma: float) -> Grey:
    return _cv2().GaussianBlur(_array(grey), (0, 0), sigma)


def _unsharp(grey: Grey, sigma: float, amount: float) -> Grey:
    cv2 = _cv2()
    array = _array(grey)
    return cv2.addWeighted(array, 1 + amount, cv2.GaussianBlur(array, (0, 0), sigma), -amount, 0)


def _adaptive(grey: Grey, block: int) -> Grey:
    cv2 = _cv2()
    method, kind = cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY
    return cv2.adaptiveThreshold(_array(grey), 255, method, kind, block, 3)


def _double(grey: Grey) -> Grey:
    cv2 = _cv2()
    return cv2.resize(_array(grey), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def _small(grey: Grey) -> Grey:
    """The picture, scaled down until the filtered stages are bearable."""
    cv2 = _cv2()
    array = _array(grey)
    factor = _FILTERED_SIDE_MAX_PX / max(array.shape)
    if factor >= 1:
        return array
    return cv2.resize(array, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _array(grey: Grey) -> Grey:
    return import_module("numpy").asarray(grey)


# The picture file


def _grey(data: bytes, *, hurried: bool) -> Grey:
    """The brightness of a picture file, sizes checked before its pixels are touched.

    Args:
        data: the file.
        hurried: a camera's next frame waits: OpenCV decodes a JPEG where it is here, since Pillow
            gives its pixels away as a copy of a copy, which takes as long again.
    """
    if len(data) > FILE_BYTES_MAX:
        raise CardCodecError("unreadable", "the picture file is larger than 20 MB")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > PIXELS_MAX:
                raise CardCodecError("unreadable", "the picture has more than 40 megapixels")
            if hurried and image.format == "JPEG" and not isinstance(_cv2(), _Missing):
                bright = _cv2().imdecode(_array(memoryview(data)), _cv2().IMREAD_GRAYSCALE)
                if bright is not None:  # else Pillow says what is wrong with it
                    return bright
            image.draft("L", image.size)  # a JPEG then never decodes its colours
            grey = _brightness(image)
            return memoryview(grey.tobytes()).cast("B", (grey.height, grey.width))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise CardCodecError("unreadable", "the picture has more than 40 megapixels") from exc
    except UnidentifiedImageError as exc:
        raise CardCodecError("unreadable", "this is not a picture (PNG or JPEG)") from exc
    except _PICTURE_FAULTS as exc:
        raise CardCodecError("unreadable", "the picture file is damaged") from exc


# What Pillow's readers raise on damaged files.
_PICTURE_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    struct.error,
    UserWarning,
)


def _brightness(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        # A code is drawn on paper: what is transparent is white, not black.
        colours = image.convert("RGBA")
        paper = Image.new("RGBA", colours.size, "white")
        return Image.alpha_composite(paper, colours).convert("L")
    return image.convert("L")


# The libraries, any of which may be missing


@dataclass(frozen=True, slots=True)
class _Missing:
    remedy: str


@cache
def _zxing() -> Any:  # a module, or _Missing
    return _part("zxingcpp", "zxing-cpp is not installed; install the package zxing-cpp")


@cache
def _pyzbar() -> Any:
    return _part(
        "pyzbar.pyzbar",
        "pyzbar or its library is missing; install the package pyzbar and, on Debian, libzbar0",
    )


@cache
def _cv2() -> Any:
    return _part(
        "cv2", "OpenCV is not installed; install the package opencv-python-headless, and no other"
    )


def _part(name: str, remedy: str) -> Any:
    try:
        module = import_module(name)
    except (ImportError, OSError):
        return _Missing(remedy)
    return module if hasattr(module, "__name__") else _Missing(remedy)
