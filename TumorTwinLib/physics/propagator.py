"""The diffusion propagator ``exp(dt D L)`` as a polynomial in ``L``: coefficients, degree and Clenshaw stages.

With ``x = 1 + 2 L / rate_bound`` (spectrum in [-1, 1]) and ``z = dt D rate_bound / 2`` (the stability number),
``exp(dt D L) = exp(-z (1 - x)) = sum_k c_k(z) T_k(x)``, ``c_0 = e^-z I_0(z)``, ``c_k = 2 e^-z I_k(z)`` (Abramowitz &
Stegun 9.6.34). Truncated at degree s, the coefficients are corrected by the least change that makes value and first
three derivatives at x = 1 exact: mass is conserved and smooth fields see the exact diffusivity, as in stabilised
Runge-Kutta schemes (which stop at the second), while the error over the whole spectrum still falls faster than
exponentially with s. There is no stability limit on dt: stiffer steps take more stages, about the square root of z.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import ive

_EXACT_DERIVATIVES = 3  # at zero frequency; degree 3 is then Taylor's polynomial, which is best for small z
_SPECTRUM = np.cos(np.linspace(0.0, np.pi, 257))


@dataclass(frozen=True)
class Stage:
    """``out = alpha u + gamma x(v) + omega w``; ``d_*`` are derivatives with respect to z. Arrays are (E,)."""

    alpha: np.ndarray
    gamma: np.ndarray
    omega: float
    d_alpha: np.ndarray
    d_gamma: np.ndarray


def coefficients(z: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """(degree + 1, E) corrected Chebyshev coefficients of ``exp(-z (1 - x))`` and their derivative by z."""
    k = np.arange(degree + 1)[:, None]
    bessel = ive(np.arange(degree + 2)[:, None], z[None, :])
    below = np.concatenate([bessel[1:2], bessel[:-1]])[: degree + 1]  # I_{-1} = I_1
    weight = np.where(k == 0, 1.0, 2.0)
    c = weight * bessel[: degree + 1]
    dc = weight * (0.5 * (below + bessel[1 : degree + 2]) - bessel[: degree + 1])
    corner, correction = _corner_conditions(degree)
    order = np.arange(len(corner))[:, None]
    c += correction @ (z**order - corner @ c)
    dc += correction @ (order * z ** np.maximum(order - 1, 0) - corner @ dc)
    return c, dc


@functools.lru_cache(maxsize=512)
def _corner_conditions(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives 0 to 3 of T_0..T_degree at x = 1, and the least change of coefficients that moves them.

    The o-th derivative of T_k at 1 is ``prod_{i<o} (k^2 - i^2) / (2 i + 1)``. The minimum-norm change spreads over all
    coefficients, which disturbs the rest of the spectrum least.
    """
    orders = min(degree, _EXACT_DERIVATIVES) + 1
    k = np.arange(degree + 1, dtype=float)
    corner = np.ones((orders, degree + 1))
    for order in range(1, orders):
        corner[order] = corner[order - 1] * (k**2 - (order - 1) ** 2) / (2 * order - 1)
    scale = np.abs(corner).max(axis=1)
    return corner, np.linalg.pinv(corner / scale[:, None]) / scale


@functools.lru_cache(maxsize=4096)
def spectral_error(z: float, degree: int) -> tuple[float, float]:
    """Largest ``|p(x) - exp(-z (1 - x))|`` and largest ``|p(x)|`` over the spectrum."""
    c, _ = coefficients(np.array([z]), degree)
    p = np.polynomial.chebyshev.chebval(_SPECTRUM, c[:, 0])
    return float(np.abs(p - np.exp(-z * (1.0 - _SPECTRUM))).max()), float(np.abs(p).max())


def choose_degree(z: float, tolerance: float) -> int:
    """The least degree (at least 2) that is stable and whose error over the whole spectrum is within ``tolerance``."""
    degree = 2
    while True:
        error, growth = spectral_error(float(f"{z:.6g}"), degree)
        if error <= tolerance and growth <= 1.0 + 1e-9:
            return degree
        degree += 1


def clenshaw_stages(z: np.ndarray, degree: int) -> list[Stage]:
    """The passes that evaluate the polynomial: ``b_k = c_k u + 2 x b_{k+1} - b_{k+2}``, ``p u = c_0 u + x b_1 - b_2``.

    The first pass folds ``b_degree = c_degree u`` away, so that ``degree`` passes over memory suffice.
    """
    c, dc = coefficients(z, degree)
    zero = np.zeros_like(z)
    stages = [Stage(c[degree - 1], 2 * c[degree], 0.0, dc[degree - 1], 2 * dc[degree])]
    for k in range(degree - 2, -1, -1):
        # b_{k+2} is c_degree u, not stored, when k + 2 is the degree
        folded = k + 2 == degree
        alpha = c[k] - c[degree] if folded else c[k]
        d_alpha = dc[k] - dc[degree] if folded else dc[k]
        gain = 1.0 if k == 0 else 2.0
        stages.append(Stage(alpha, np.full_like(z, gain), 0.0 if folded else -1.0, d_alpha, zero))
    return stages
