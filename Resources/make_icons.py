"""Draw the extension's and the module's icon: a head, the tumor as scanned, and its forecast outline around it.

Run from anywhere: ``python Resources/make_icons.py``. Shapes are signed distances sampled eight times finer than the
picture, so edges come out smooth without a drawing library.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

SIZE = 128  # pixels, as Slicer's extension catalog asks
FINE = 8  # samples per pixel and axis
ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("Resources/TumorTwin.png", "TumorTwin/Resources/Icons/TumorTwin.png")

NAVY, BONE, TUMOR, CORE, FORECAST = (18, 44, 79), (226, 232, 240), (240, 124, 70), (255, 205, 120), (120, 220, 232)


def _rounded_square(x, y, half, radius):
    dx, dy = np.abs(x) - half + radius, np.abs(y) - half + radius
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius


def _blob(x, y, radius, lobes):
    """A circle whose radius varies by ``lobes`` (amplitude, count, phase): infiltration is not round."""
    angle = np.arctan2(y, x)
    return np.hypot(x, y) - radius * (1 + sum(a * np.cos(n * angle + p) for a, n, p in lobes))


def draw() -> np.ndarray:
    """(128, 128, 4) uint8 picture, rows from the top."""
    n = SIZE * FINE
    axis = (np.arange(n) + 0.5) / n * 2 - 1
    x, y = np.meshgrid(axis, axis)
    picture = np.zeros((n, n, 4))

    def paint(inside: np.ndarray, color: tuple[int, int, int]) -> None:
        picture[inside] = (*color, 255)

    paint(_rounded_square(x, y, 0.98, 0.30) < 0, NAVY)
    head = np.hypot(x / 0.66, y / 0.80) - 1
    paint(np.abs(head) < 0.065, BONE)
    paint((np.abs(x) < 0.022) & (head < -0.06), BONE)  # the falx: the midline a radiologist looks for
    tumor_x, tumor_y = x - 0.27, y + 0.10
    lobes = ((0.10, 3, 0.6), (0.06, 5, 2.0))
    paint(np.abs(_blob(tumor_x, tumor_y, 0.27, lobes)) < 0.03, FORECAST)
    paint(_blob(tumor_x, tumor_y, 0.18, lobes) < 0, TUMOR)
    paint(_blob(tumor_x, tumor_y, 0.085, lobes) < 0, CORE)

    pixels = picture.reshape(SIZE, FINE, SIZE, FINE, 4)
    alpha = pixels[..., 3:].mean(axis=(1, 3))
    color = pixels[..., :3].sum(axis=(1, 3)) / np.maximum((pixels[..., 3:] > 0).sum(axis=(1, 3)), 1)
    return np.concatenate([color, alpha], axis=-1).round().astype(np.uint8)


if __name__ == "__main__":
    image = sitk.GetImageFromArray(draw(), isVector=True)
    for target in TARGETS:
        (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(ROOT / target), useCompression=True)
        print(target)
