"""What a reader would outline: enhancing rim, necrotic core and oedema, from the true density.

Oedema is where the tumour shows on FLAIR, core where it takes up contrast; both are level sets of the density.
Necrosis is the core's inside, beyond the reach of the vessels of its rim. ``anatomy`` gives the true regions with
soft edges, from which images are made; ``outline`` draws the label map as a person would, a millimetre off here and
there, so that segmentations and images disagree as they do in life.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from generator.growth import Biology
from generator.head import block_mean
from generator.random_fields import random_stream, smooth_field
from scipy import ndimage

SPACING_MM = 2.0
RIM_THICKNESS_MM = 5.0  # enhancing rim; varies around the tumour by RIM_VARIATION
RIM_VARIATION, RIM_CORRELATION_MM = 0.45, 9.0
READER_SD_MM, READER_CORRELATION_MM = 1.0, 4.0  # how far outlines stray, and over which length
FARTHEST_MM = 12.0
FAINTEST = 0.01  # cellularity that no scan shows
NECROTIC_CORE, EDEMA, ENHANCING = 1, 2, 4  # BraTS labels
SMALLEST_PIECE_VOXELS = 12


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Signed distances in mm, positive inside, true up to ``FARTHEST_MM``; each (ni, nj, nk)."""

    whole_tumour: np.ndarray
    core: np.ndarray
    necrosis: np.ndarray


def anatomy(cellularity: np.ndarray, biology: Biology) -> Anatomy:
    """The true regions of a density field on the grid of the scans."""
    core = _distance_to_level(cellularity, biology.core_threshold)
    # the rim's thickness belongs to the place and not to the visit
    variation = smooth_field(random_stream(3), cellularity.shape, RIM_CORRELATION_MM, SPACING_MM)
    rim = RIM_THICKNESS_MM * (1 + RIM_VARIATION * np.clip(variation, -2, 2))
    return Anatomy(_distance_to_level(cellularity, biology.edema_threshold), core, necrosis=core - rim)


def outline(truth: Anatomy, brain: np.ndarray, visit: int) -> np.ndarray:
    """(ni, nj, nk) uint8 BraTS label map as one reader drew it at one visit."""
    rng = random_stream(4, visit)

    def drawn(distance: np.ndarray) -> np.ndarray:
        stray = smooth_field(rng, distance.shape, READER_CORRELATION_MM, SPACING_MM)
        return _without_specks(distance + READER_SD_MM * np.clip(stray, -2, 2) > 0)

    whole = drawn(truth.whole_tumour) & brain
    core = drawn(truth.core) & whole
    necrosis = drawn(truth.necrosis) & ndimage.binary_erosion(core)
    labels = np.zeros(brain.shape, np.uint8)
    labels[whole] = EDEMA
    labels[core] = ENHANCING
    labels[necrosis] = NECROTIC_CORE
    return labels


def _distance_to_level(field: np.ndarray, level: float) -> np.ndarray:
    """Signed distance in mm to a level set, positive above it, measured at half the spacing for soft edges."""
    distance = np.full(field.shape, -FARTHEST_MM)
    if field.max() <= level:
        return distance
    margin = int(np.ceil(FARTHEST_MM / SPACING_MM))
    tumour = ndimage.find_objects((field > FAINTEST).astype(np.uint8))[0]
    box = tuple(slice(max(used.start - margin, 0), used.stop + margin) for used in tumour)
    fine = ndimage.zoom(field[box], 2, order=1, mode="nearest", grid_mode=True) > level
    to_outside, to_inside = ndimage.distance_transform_edt(fine), ndimage.distance_transform_edt(~fine)
    voxels = np.where(fine, to_outside - 0.5, 0.5 - to_inside)
    distance[box] = np.clip(block_mean(voxels) * SPACING_MM / 2, -FARTHEST_MM, FARTHEST_MM)
    return distance


def _without_specks(mask: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    return mask & (sizes >= SMALLEST_PIECE_VOXELS)[pieces]
