"""The patient's head: the ICBM152 template shipped with nilearn, made into one individual.

The template is an average of 152 people: symmetric, and blurred where their folds disagree. A smooth random warp
gives this patient a shape of their own, and sharpened tissue fractions give back part of the contrast between
the folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from generator.random_fields import random_stream, smooth_field
from scipy import ndimage

BOX_LOWER = np.array((20, 20, -4))  # template voxels (1 mm): the brain with room for the warp; even sizes
BOX_SHAPE = (158, 196, 164)
WARP_SD_MM, WARP_CORRELATION_MM = 2.5, 22.0
SHARPENING = 2.0  # exponent on the averaged tissue probabilities; 1 leaves the template as it is
ATROPHY = 1.5  # wider sulci than the young template's: glioblastoma is a disease of the sixties
T1_INTENSITY = {"white_matter": 0.87, "grey_matter": 0.65, "csf": 0.27}  # the template's own


@dataclass(frozen=True, eq=False)
class Head:
    """Tissue fractions in [0, 1] that add up to one inside ``brain`` and vanish outside it.

    Args:
        white_matter, grey_matter, csf: (ni, nj, nk) float32.
        t1: (ni, nj, nk) float32, T1-weighted intensity, white matter near 0.87.
        brain: (ni, nj, nk) Boolean.
        affine: (4, 4), voxel index to RAS millimetres.
    """

    white_matter: np.ndarray
    grey_matter: np.ndarray
    csf: np.ndarray
    t1: np.ndarray
    brain: np.ndarray
    affine: np.ndarray


def individual_head() -> Head:
    """The head on its 1 mm grid."""
    from nilearn import datasets

    t1, grey, white, brain = (
        load(resolution=1)
        for load in (
            datasets.load_mni152_template,
            datasets.load_mni152_gm_template,
            datasets.load_mni152_wm_template,
            datasets.load_mni152_brain_mask,
        )
    )
    rng = random_stream(1)
    at = [BOX_LOWER[axis] + index.astype(np.float64) for axis, index in enumerate(np.indices(BOX_SHAPE, sparse=True))]
    at = [axis + WARP_SD_MM * smooth_field(rng, BOX_SHAPE, WARP_CORRELATION_MM) for axis in at]

    def warped(image) -> np.ndarray:
        return ndimage.map_coordinates(image.get_fdata(dtype=np.float32), at, order=1, mode="constant")

    inside = warped(brain) > 0.5
    white_p, grey_p = warped(white), warped(grey)
    csf_p = np.clip(1 - white_p - grey_p, 0, 1)
    powers = [p**SHARPENING * inside for p in (white_p, grey_p, ATROPHY * csf_p)]
    total = np.where(inside, np.maximum(sum(powers), 1e-6), 1)
    tissues = dict(zip(T1_INTENSITY, (p / total for p in powers), strict=True))
    composed = sum(T1_INTENSITY[name] * fraction for name, fraction in tissues.items())
    affine = np.array(t1.affine, dtype=np.float64)
    affine[:3, 3] += BOX_LOWER
    # the template keeps the shading of the deep nuclei, the fractions the crispness of the folds
    return Head(**tissues, t1=(warped(t1) * inside + composed) / 2, brain=inside, affine=affine)


def block_mean(array: np.ndarray) -> np.ndarray:
    """(ni, nj, nk) to (ni/2, nj/2, nk/2): the mean of each 2 x 2 x 2 block."""
    ni, nj, nk = (n // 2 for n in array.shape)
    return array.reshape(ni, 2, nj, 2, nk, 2).mean(axis=(1, 3, 5), dtype=np.float64)


def brain_mean(array: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """From 1 mm to 2 mm: the mean over each voxel's part in the brain, zero where that part is less than half."""
    share = block_mean(brain)
    return np.where(share >= 0.5, block_mean(array * brain) / np.maximum(share, 0.5), 0.0)


def at_two_mm(head: Head) -> Head:
    """The same head on the grid of the scans."""
    affine = head.affine.copy()
    affine[:3, :3] *= 2
    affine[:3, 3] += head.affine[:3, :3] @ np.full(3, 0.5)
    fields = [brain_mean(field, head.brain) for field in (head.white_matter, head.grey_matter, head.csf, head.t1)]
    return Head(*fields, brain=block_mean(head.brain) >= 0.5, affine=affine)
