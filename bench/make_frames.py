"""Makes ``frames/``: what a counter's camera sees, 1280×720, of cards signed with a bench key.

Run once; the pictures are kept so that every run measures the same ones. Drawn from a fixed seed:
a card of 85×54 mm held at 12–20 cm, turned, tilted, unevenly lit, with a little sensor noise.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from card_codec.keys import PrivateKey
from card_codec.qr.picture import png
from tests.world import World

FRAMES = Path(__file__).parent / "frames"
COUNT = 16
SIZE = (1280, 720)


def main() -> None:
    """Draw the frames and keep the issuer's key beside them."""
    FRAMES.mkdir(exist_ok=True)
    issuer = PrivateKey.generate()
    (FRAMES / "issuer.pem").write_bytes(issuer.to_pem())
    world = World(FRAMES, issuer=issuer)
    random = np.random.default_rng(7)
    for number in range(COUNT):
        text = world.card(world.household(f"frame {number}"), expires=2_500_000_000)
        frame = _frame(png(text, module_px=6), random)
        cv2.imwrite(str(FRAMES / f"{number:02d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 80])


def _frame(code: bytes, random: np.random.Generator) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise SystemExit("the code drawn is no picture")
    height, width = picture.shape
    card = np.full((int(height * 1.25), int(width * 2.1)), 235, np.uint8)
    card[height // 8 : height // 8 + height, width : 2 * width] = picture
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    across = random.uniform(620, 900)
    high = across * card.shape[0] / card.shape[1]
    angle = random.uniform(-0.5, 0.5)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    there = (corners - 0.5) * [across, high] @ turn.T + [SIZE[0] / 2, SIZE[1] / 2]
    there += random.uniform(-22, 22, there.shape)
    here = corners * [card.shape[1], card.shape[0]]
    warp = cv2.getPerspectiveTransform(here.astype(np.float32), there.astype(np.float32))
    frame = cv2.warpPerspective(card, warp, SIZE, borderValue=90, flags=cv2.INTER_AREA)
    light = np.linspace(random.uniform(0.7, 0.95), 1.05, SIZE[0])[None, :]
    noisy = frame * light + random.normal(0, 4, frame.shape)
    return cv2.GaussianBlur(np.clip(noisy, 0, 255).astype(np.uint8), (0, 0), 0.6)


if __name__ == "__main__":
    main()
