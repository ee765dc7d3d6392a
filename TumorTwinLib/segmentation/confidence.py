"""How far off an outline may lie, and how far off its volume, from a map of probabilities.

The probability is read as that of an outline displaced by a normal random distance: ``p = Phi(d / s)`` with ``d`` the
signed distance to the outline (mm) and ``s`` the standard deviation (mm). So ``Phi^-1(p)`` rises by one over ``s``
millimetres, the level sets 0.16 and 0.84 lie ``2 s`` apart, and the density of the displacement, integrated over the
neighborhood, is the variance of the volume.
"""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import bounding_box

_LEAST_PROBABILITY = 1e-4  # beyond, float32 logits say nothing more about the distance
_DIGITIZED = 12.0**-0.5  # standard deviation of a position known to one voxel, in voxels
_NEIGHBORHOOD_MM = 15.0  # of the outline, in which each voxel takes the value of its nearest piece
LARGEST_SD_MM = 20.0  # flatter probabilities locate nothing
CORRELATION_MM = 10.0  # length over which an outline is off in the same direction; experts differ by whole lobes


def boundary_sd_mm(probability: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Standard deviation of the outline ``p = 0.5`` in mm, at every voxel that of the nearest piece of outline.

    Farther than 15 mm outside the region's box it is the median over the outline.

    Args:
        probability: (ni, nj, nk) 0 to 1.

    Returns:
        (ni, nj, nk) float32, between the digitization of one voxel and ``LARGEST_SD_MM``; that largest value everywhere
        where no voxel reaches 0.5.
    """
    from scipy import ndimage

    inside = probability >= 0.5
    result = np.full(probability.shape, LARGEST_SD_MM, np.float32)
    if not inside.any() or inside.all():
        return result
    i, j, k = (int(np.ceil(_NEIGHBORHOOD_MM / step)) for step in spacing_mm)
    lower, upper = bounding_box(inside, (i, j, k))
    box = tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))
    near = _outline(inside[box])
    slope = _gradient_norm(_probit(probability[box]), spacing_mm)
    least_mm = _DIGITIZED * float(np.mean(spacing_mm))
    sd = np.clip(1 / np.maximum(slope, 1 / LARGEST_SD_MM), least_mm, LARGEST_SD_MM)
    nearest = ndimage.distance_transform_edt(~near, sampling=spacing_mm, return_distances=False, return_indices=True)
    result[...] = float(np.median(sd[near]))
    result[box] = sd[tuple(nearest)]
    return result


def volume_sd_ml(
    probability: np.ndarray, spacing_mm: tuple[float, float, float], *, correlation_mm: float = CORRELATION_MM
) -> float:
    """Standard deviation of the region's volume in mL, the voxels' errors being correlated.

    With ``z = Phi^-1(p)`` the covariance of two voxels' states is ``phi(z1) phi(z2) rho`` to first order in the
    correlation ``rho = exp(-h^2 / (2 L^2))`` at distance ``h``. An outline of area ``A`` and width ``s`` thus gives
    ``A s`` when ``L`` is long, and ``s L sqrt(2 pi A)`` when it is short against the outline and long against ``s``.

    Args:
        probability: (ni, nj, nk) 0 to 1.
        correlation_mm: the length ``L``.
    """
    from scipy import ndimage

    density = np.exp(-0.5 * _probit(probability) ** 2) / np.sqrt(2 * np.pi)
    unsure = (probability > _LEAST_PROBABILITY) & (probability < 1 - _LEAST_PROBABILITY)
    if not unsure.any():
        return 0.0
    density[~unsure] = 0
    lower, upper = bounding_box(unsure)
    density = density[tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))]
    width = correlation_mm / np.array(spacing_mm)
    mean = ndimage.gaussian_filter(density, width, mode="constant")
    voxel_mm3 = float(np.prod(spacing_mm))
    total_weight = (2 * np.pi) ** 1.5 * correlation_mm**3 / voxel_mm3  # sum of rho over the voxels
    return float(np.sqrt(np.sum(density * mean, dtype=float) * total_weight) * voxel_mm3 / 1000)


def _probit(probability: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(np.clip(probability, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY).astype(np.float32))


def _gradient_norm(values: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    square = np.zeros(values.shape, np.float32)
    for axis, step in enumerate(spacing_mm):
        if values.shape[axis] > 1:
            square += np.gradient(values, step, axis=axis) ** 2
    return np.sqrt(square)


def _outline(inside: np.ndarray) -> np.ndarray:
    """Voxels on either side of the outline."""
    from scipy import ndimage

    return ndimage.binary_dilation(inside) & ~ndimage.binary_erosion(inside, border_value=1)
