"""Smooth random fields: what makes a virtual head, tumour and scanner individual."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SEED = 20240304


def random_stream(*keys: int) -> np.random.Generator:
    """A random stream of its own for each purpose, so that one image can be remade without the others."""
    return np.random.default_rng([SEED, *keys])


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, ...], correlation_mm: float, spacing_mm: float = 1.0
) -> np.ndarray:
    """(ni, nj, nk) Gaussian field of zero mean and unit variance: white noise smoothed with sd ``correlation_mm``.

    Drawn on a grid just fine enough for the correlation length and interpolated, so that a long correlation costs
    no more than a short one.
    """
    stride = max(1, int(correlation_mm / (2 * spacing_mm)))
    coarse_shape = [n // stride + 2 for n in shape]
    sigma = correlation_mm / (spacing_mm * stride)
    coarse = ndimage.gaussian_filter(rng.standard_normal(coarse_shape), sigma, mode="wrap")
    coarse = (coarse - coarse.mean()) / coarse.std()
    if stride == 1:
        return coarse[tuple(slice(n) for n in shape)]
    return ndimage.affine_transform(coarse, np.full(3, 1 / stride), output_shape=shape, order=3, mode="nearest")
