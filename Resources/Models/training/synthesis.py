"""Tumors put into brains: painted on a shape the solver grew, or transplanted from one patient to another."""

from __future__ import annotations

import numpy as np
from anatomy import smooth_noise
from cases import Case
from scipy import ndimage

# Levels of edema, non-enhancing or necrotic core and enhancing tumor in the normalized channels T1, T1CE, T2, FLAIR:
# from bright to hardly visible ones, fluid-like cores to tissue-like ones, T2-FLAIR mismatch included.
_EDEMA = np.array([[-0.7, 0.7], [-0.8, 0.7], [0.0, 1.7], [0.6, 3.0]])
_CORE = np.array([[-1.9, 0.6], [-1.4, 0.7], [0.1, 3.6], [-0.3, 3.5]])
_ENHANCING = np.array([[-1.4, 0.9], [0.9, 4.3], [0.3, 2.5], [0.6, 3.4]])
_KINDS = {"ring": 0.4, "solid": 0.15, "patchy": 0.15, "none": 0.3}  # of enhancement, and how often


def painted(brain: Case, cellularity: np.ndarray, rng: np.random.Generator) -> Case:
    """``brain`` with a tumor shaped as ``cellularity``, (ni, nj, nk), 0 to 1: edema, core, enhancing rim, necrosis."""
    edema, core, enhancing = _compartments(cellularity, brain.brain, rng)
    channels = _pushed_aside(brain.channels, ndimage.gaussian_filter(core.astype(np.float32), 4.0), rng)
    texture = smooth_noise(core.shape, rng.uniform(0.8, 3.0), rng)
    necrosis_fine = smooth_noise(core.shape, 0.7, rng)
    softness = rng.uniform(0.4, 1.0)
    for region, ranges, opacity in (
        (edema | core | enhancing, _EDEMA, rng.uniform(0.6, 1.0)),
        (core, _CORE, rng.uniform(0.85, 1.0)),
        (enhancing, _ENHANCING, rng.uniform(0.85, 1.0)),
    ):
        if not region.any():
            continue
        alpha = opacity * ndimage.gaussian_filter(region.astype(np.float32), softness)
        levels = rng.uniform(ranges[:, 0], ranges[:, 1])
        spread = rng.uniform(0.05, 0.5, 4)
        for channel in range(4):
            paint = levels[channel] + spread[channel] * texture + 0.5 * spread[channel] * necrosis_fine
            channels[channel] = (1 - alpha) * channels[channel] + alpha * paint
    tumor_core = core | enhancing
    added = np.stack([tumor_core, tumor_core | edema, enhancing]).astype(np.float32)
    regions = np.where(added[1] > 0, added, brain.regions)
    return Case(f"{brain.name}, painted", channels * brain.brain, brain.brain, regions, expert=False)


def transplanted(brain: Case, donor: Case, rng: np.random.Generator) -> Case:
    """``brain`` with the tumor of ``donor``, mirrored or not, moved to another place of the same depth or nearly so."""
    channels, regions = donor.channels, donor.regions
    if rng.random() < 0.5:
        channels, regions = channels[:, ::-1], regions[:, ::-1]
    shift = [int(rng.integers(-12, 13)), int(rng.integers(-15, 16)), int(rng.integers(-8, 9))]
    channels, regions = (np.roll(array, shift, axis=(1, 2, 3)) for array in (channels, regions))
    whole = ndimage.binary_dilation(regions[1] > 0.2, iterations=1) & brain.brain & (channels != 0).any(axis=0)
    alpha = ndimage.gaussian_filter(whole.astype(np.float32), 0.8) * brain.brain
    levels = rng.uniform(-0.2, 0.2, (4, 1, 1, 1)).astype(np.float32)
    mixed = np.where(whole | (alpha > 0.05), (1 - alpha) * brain.channels + alpha * (channels + levels), brain.channels)
    moved = np.where(whole, regions, brain.regions)
    return Case(f"{brain.name}, tumor of {donor.name}", mixed.astype(np.float32), brain.brain, moved, donor.expert)


def faded(case: Case, whole: Case, rng: np.random.Generator) -> Case:
    """``case`` with its tumor blended by up to half into ``whole``, the same head made whole: a fainter tumor."""
    share = rng.uniform(0.0, 0.5) * ndimage.gaussian_filter((case.regions[1] > 0.2).astype(np.float32), 1.0)
    channels = (1 - share) * case.channels + share * np.where(whole.brain, whole.channels, case.channels)
    return Case(f"{case.name}, faded", channels, case.brain, case.regions, case.expert)


def _compartments(cellularity: np.ndarray, brain: np.ndarray, rng: np.random.Generator):
    """Edema, core and enhancing masks from contours of the cellularity, roughened as real ones are."""
    u = cellularity + 0.12 * smooth_noise(cellularity.shape, rng.uniform(1.5, 4.0), rng) * (cellularity > 0.02)
    whole = (u > rng.uniform(0.08, 0.3)) & brain
    inside = (u > rng.uniform(0.45, 0.8)) & whole
    if not inside.any():
        inside = whole & (u >= np.quantile(u[whole], 0.7)) if whole.any() else whole
    whole, inside = _largest(whole), inside & _largest(whole)
    kind = rng.choice(list(_KINDS), p=list(_KINDS.values()))
    if kind == "none":
        return whole & ~inside, inside, np.zeros_like(inside)
    depth = ndimage.distance_transform_edt(inside) + 0.8 * smooth_noise(u.shape, 2.0, rng)
    rim = {"ring": rng.uniform(1.0, 3.0), "solid": 99.0, "patchy": 99.0}[kind]
    enhancing = inside & (depth <= rim)
    if kind == "patchy":
        enhancing &= smooth_noise(u.shape, rng.uniform(1.5, 3.0), rng) > rng.uniform(-0.3, 0.8)
    return whole & ~inside, inside & ~enhancing, enhancing


def _largest(mask: np.ndarray) -> np.ndarray:
    """The mask without specks of fewer than 30 voxels."""
    labels, count = ndimage.label(mask)
    return np.isin(labels, 1 + np.flatnonzero(np.bincount(labels.ravel(), minlength=count + 1)[1:] >= 30))


def _pushed_aside(channels: np.ndarray, mass: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The tissue around the core moved outwards by up to 8 mm: tissue now at x came from nearer to the core."""
    push = np.stack(np.gradient(mass))
    longest = np.sqrt((push**2).sum(axis=0)).max()
    if longest < 1e-6:
        return channels.copy()
    where = np.indices(mass.shape, dtype=np.float32) + push * (rng.uniform(0.0, 4.0) / longest)
    return np.stack([ndimage.map_coordinates(channel, where, order=1, mode="nearest") for channel in channels])
