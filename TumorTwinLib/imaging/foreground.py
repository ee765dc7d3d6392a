"""The patient in an image of any modality, apart from the air around."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image


def foreground(image: Image) -> np.ndarray:
    """(ni, nj, nk) Boolean: the head or body without the air around it, holes filled.

    Raises:
        TumorTwinError: the image is constant.
    """
    from scipy import ndimage

    values = image.array
    low, high = np.percentile(values, (1.0, 99.5))
    if not high > low:
        high = float(values.max())
    if not high > low:
        raise TumorTwinError(f"{image.name} is the same everywhere: choose a scan that shows the patient.")
    smooth = ndimage.gaussian_filter(np.clip(values, low, high).astype(np.float32), 1.0)
    # The air is the low peak. Otsu's threshold may fall between two tissues; half of it still lies above the air.
    mask = smooth > low + 0.5 * (_otsu(smooth) - low)
    labels, count = ndimage.label(mask)
    if count > 1:
        mask = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return ndimage.binary_fill_holes(ndimage.binary_closing(mask, iterations=2) | mask)


def _otsu(values: np.ndarray) -> float:
    """The threshold that splits a histogram into the two most separate halves."""
    counts, edges = np.histogram(values, bins=128)
    middle = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(middle[np.nanargmax(between[:-1])])
