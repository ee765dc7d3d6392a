"""Brains without tumor to grow tumors in: a real one made whole by its healthy half, or one painted from an atlas."""

from __future__ import annotations

import functools

import numpy as np
from cases import Case, normalize
from scipy import ndimage

# Medians of the brain-normalized channels T1, T1CE, T2, FLAIR in white matter, grey matter and fluid, as broad
# ranges: textbook contrasts, so that a network that has seen no patient is trained on no patient's numbers.
_TISSUE_RANGES = np.array(
    [
        [[0.4, 1.0], [0.3, 1.0], [-0.8, -0.2], [-0.3, 0.4]],
        [[-0.4, 0.3], [-0.4, 0.3], [-0.3, 0.4], [-0.1, 0.6]],
        [[-2.8, -1.2], [-2.6, -1.0], [1.2, 3.2], [-2.4, -0.8]],
    ]
)


def made_whole(case: Case) -> Case:
    """``case`` with its hemisphere of more tumor replaced by the mirror image of the other one.

    The head stands upright, as registered data do; tumor in the kept half stays, and stays labelled.
    """
    size = case.brain.shape[0]
    plane = _midsagittal_plane(case.brain)
    load = case.regions[1].sum(axis=(1, 2))
    index = np.arange(size)
    healthy = index < plane if load[:plane].sum() < load[plane:].sum() else index >= plane
    source = np.where(healthy, index, 2 * plane - 1 - index)
    there = (source >= 0) & (source < size)

    def mirrored(array: np.ndarray) -> np.ndarray:
        return np.where(there[:, None, None], array[..., source.clip(0, size - 1), :, :], 0).astype(array.dtype)

    brain = mirrored(case.brain)
    channels = np.stack([normalize(channel, brain) for channel in mirrored(case.channels)])
    return Case(f"{case.name} made whole", channels, brain, mirrored(case.regions), case.expert)


def atlas_brain(tissues: np.ndarray, rng: np.random.Generator) -> Case:
    """A tumor-free head painted from (3, ni, nj, nk) white-matter, grey-matter and fluid fractions."""
    total = tissues.sum(axis=0)
    brain = total > 0.5
    low, high = np.moveaxis(_TISSUE_RANGES, -1, 0)
    levels = rng.uniform(low, high)
    channels = np.einsum("tijk,tc->cijk", tissues, levels) / np.maximum(total, 0.5)
    texture = [smooth_noise(brain.shape, rng.uniform(0.8, 3.0), rng) for _ in channels]
    channels = channels + rng.uniform(0.1, 0.4, (4, 1, 1, 1)) * np.stack(texture)
    channels = np.stack([normalize(channel, brain) for channel in channels])
    return Case("atlas", channels, brain, np.zeros((3, *brain.shape), dtype=np.float32))


def smooth_noise(shape: tuple[int, ...], sigma_voxels: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian field, mean 0 and sd 1, correlation length near ``sigma_voxels``: a stored one, rolled and flipped."""
    stored = _stored_noise(shape, round(2 * np.log2(sigma_voxels)) / 2)
    flipped = stored[tuple(slice(None, None, int(rng.choice([-1, 1]))) for _ in shape)]
    return np.roll(flipped, rng.integers(0, shape), axis=(0, 1, 2)) * rng.choice([-1, 1])


@functools.lru_cache(maxsize=32)
def _stored_noise(shape: tuple[int, ...], log2_sigma: float) -> np.ndarray:
    white = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(white, 2.0**log2_sigma, mode="wrap")
    return field / field.std()


def _midsagittal_plane(brain: np.ndarray) -> int:
    """The index between the hemispheres that makes the brain mask overlap its own mirror image best."""
    size = brain.shape[0]
    centre = round(float(np.mean(np.flatnonzero(brain.any(axis=(1, 2))))) + 0.5)
    index = np.arange(size)

    def overlap(plane: int) -> int:
        source = 2 * plane - 1 - index
        there = (source >= 0) & (source < size)
        return int((brain[source.clip(0, size - 1)] & brain & there[:, None, None]).sum())

    return max(range(centre - 5, centre + 6), key=overlap)
