"""How far a model's contour is from the one drawn on a scan, as residuals with derivatives."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import bounding_box

_FAINT = 0.01  # cellularity that is as good as none, and that short of full is as good as full
_SURE = 0.01  # a voxel whose probability is this close to what was drawn says nothing
_FLAT = 1e-3  # log-odds a voxel: where nothing changes there is no distance to measure


def contour_residuals(
    u: np.ndarray, du: np.ndarray, mask: np.ndarray, drawn: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability that a voxel lies inside the contour of ``u`` at ``level``, minus whether it was drawn inside.

    The probability is ``(1 + tanh d) / 2``, d the depth of the voxel inside the contour in voxels, as a radiologist is
    unsure by about one. A front is a logistic function of distance, so depth is its log-odds over the gradient of its
    log-odds. A probability that depended on cellularity alone would be surest of the steepest front and so prefer the
    smallest diffusivity, whatever the contours are.

    Args:
        u: (ni, nj, nk) cellularity.
        du: (P, ni, nj, nk) its derivatives.
        mask: (ni, nj, nk) where the model holds.
        drawn: (ni, nj, nk) Boolean, the segmented region.

    Returns:
        (n,) flat indices of the voxels that say something, (n,) their residuals and (P, n) derivatives of those.
    """
    near = mask & (drawn | (u > _FAINT))
    if not near.any():
        return np.zeros(0, dtype=int), np.zeros(0), np.zeros((len(du), 0))
    box = tuple(slice(low, up) for low, up in zip(*bounding_box(near, margin=(1, 1, 1)), strict=True))
    shape = tuple(part.stop - part.start for part in box)
    clipped = np.clip(u[box], _FAINT, 1.0 - _FAINT)
    odds = np.log(clipped / (1.0 - clipped)).ravel()
    voxels = np.flatnonzero(near[box])
    around = _neighbours(voxels, mask[box])
    gradient = _differences(odds, around)
    steepness = np.sqrt((gradient**2).sum(axis=0) + _FLAT**2)
    depth = (odds[voxels] - np.log(level / (1.0 - level))) / steepness
    inside = np.tanh(depth)
    residual = 0.5 + 0.5 * inside - drawn[box].ravel()[voxels]
    kept = np.abs(residual) > _SURE
    voxels, around, gradient, steepness, depth, inside, residual = (
        x[..., kept] for x in (voxels, around, gradient, steepness, depth, inside, residual)
    )
    live = np.where(clipped == u[box], 1.0 / (clipped * (1.0 - clipped)), 0.0)
    d_odds = (du[:, *box] * live).reshape(len(du), odds.size)
    d_steepness = (gradient * _differences(d_odds, around)).sum(axis=-2) / steepness
    d_depth = (d_odds[:, voxels] - depth * d_steepness) / steepness
    ijk = (index + part.start for index, part in zip(np.unravel_index(voxels, shape), box, strict=True))
    return np.ravel_multi_index(tuple(ijk), u.shape), residual, 0.5 * (1.0 - inside**2) * d_depth


def _neighbours(voxels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(2, 3, n) flat indices of the voxels after and before along each axis; a wall mirrors the voxel itself."""
    ijk = np.unravel_index(voxels, mask.shape)
    inside = mask.ravel()
    around = np.empty((2, 3, voxels.size), dtype=np.int64)
    for axis in range(3):
        for side, step in enumerate((1, -1)):
            moved = [np.clip(i + step, 0, n - 1) if a == axis else i
                     for a, (i, n) in enumerate(zip(ijk, mask.shape, strict=True))]  # fmt: skip
            other = np.ravel_multi_index(tuple(moved), mask.shape)
            around[side, axis] = np.where(inside[other], other, voxels)
    return around


def _differences(values: np.ndarray, around: np.ndarray) -> np.ndarray:
    """(..., 3, n) change of ``values`` (..., m) over one voxel along each axis."""
    after, before = around
    return 0.5 * (values[..., after] - values[..., before])
