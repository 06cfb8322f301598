"""Pictures of cards as cameras give them: made from a seed, so that every run sees the same."""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from card_codec.qr.picture import png

Grey = npt.NDArray[np.uint8]


def code(text: str, module_px: int) -> Grey:
    """The code on white paper, `module_px` pixels per module."""
    with Image.open(io.BytesIO(png(text, module_px=module_px))) as image:
        return np.asarray(image.convert("L"))


def on_table(picture: Grey, width: int = 1280, height: int = 720, level: int = 140) -> Grey:
    """The code lying in the middle of a grey table."""
    table = np.full((height, width), level, np.uint8)
    y, x = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    table[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return table


def blurred(picture: Grey, sigma: float) -> Grey:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def rotated(picture: Grey, degrees: float) -> Grey:
    """Held askew."""
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(picture, turn, (width, height), borderValue=140), np.uint8)


def tilted(picture: Grey, share: float) -> Grey:
    """Seen from the side: one edge `share` shorter than the other."""
    height, width = picture.shape
    inset = height * share / 2
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[0, 0], [width, inset], [width, height - inset], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(flat, seen)
    size = (width, height)
    return np.asarray(cv2.warpPerspective(picture, warp, size, borderValue=140), np.uint8)


def noisy(picture: Grey, sigma: float, seed: int) -> Grey:
    """Taken in the dark."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def dim(picture: Grey, gain: float, offset: float) -> Grey:
    """Little contrast."""
    return np.asarray(np.clip(picture * gain + offset, 0, 255), np.uint8)


def stained(picture: Grey, count: int, radius: int, seed: int) -> Grey:
    """Dirty: round stains anywhere."""
    random = np.random.default_rng(seed)
    dirty = picture.copy()
    height, width = picture.shape
    for _ in range(count):
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        cv2.circle(dirty, centre, radius, int(random.integers(0, 255)), -1)
    return dirty


def file_of(picture: Grey, suffix: str = ".png") -> bytes:
    """The picture as a file."""
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()
