"""The first state is not known exactly: its noise is smoothed away, and what remains uncertain moves it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from TumorTwinLib.inference.unknowns import AMPLITUDE, DISPLACEMENT, FIRST_STATE, REACH, Unknowns
from TumorTwinLib.models.observation import ObservedVisit

_SMOOTHING_MM, _ROUNDS = 3.0, 4
_STEEPEST_PER_MM = 1.5  # of the log-odds; a front steeper than that is the edge of a mask
_FADE_MM = 5.0
_FAINT = 1e-6
_DIFFUSIVITY = "diffusivity_mm2_per_day"


def smoothed(visit: ObservedVisit) -> ObservedVisit:
    """The visit with the noise of its cellularity taken out: ``g <- g + S(m - g)``, four times.

    S is a Gaussian of 3 mm normalised inside the contour. Structure above that size is restored by the repetition, so
    that fronts keep their steepness (iterated residual filtering; Tukey's twicing).
    """
    if visit.cellularity is None or visit.whole is None:
        return visit
    from scipy import ndimage

    sigma = [_SMOOTHING_MM / s for s in visit.grid.spacing_mm]
    inside = visit.whole.astype(np.float32)
    weight = np.maximum(ndimage.gaussian_filter(inside, sigma), 1e-6)
    estimate = np.zeros_like(visit.cellularity)
    for _ in range(_ROUNDS):
        rest = (visit.cellularity - estimate) * inside
        estimate = (estimate + ndimage.gaussian_filter(rest, sigma) / weight) * inside
    return replace(visit, cellularity=np.clip(estimate, 0.0, 1.0))


def first_state(
    model: Any, first: ObservedVisit, slope_per_mm: np.ndarray, unknowns: Unknowns, z: np.ndarray, *, tangents: bool
) -> np.ndarray:
    """(1 + P, ni, nj, nk) cellularity at the first visit at one (d,) z, and its derivative by each direction.

    ``logit u = logit u_model + a + b s``, s the outward decline of the log-odds per mm: with a displacement b of the
    boundary and an amplitude a. P is zero without tangents.

    Args:
        slope_per_mm: (ni, nj, nk) s, from ``steepness_per_mm`` at some reference, the same for every z.
    """
    values = dict(unknowns.values(z))
    reach = unknowns.nuisance(z, REACH)
    if _DIFFUSIVITY in values:  # the front before the first scan was that of another diffusivity: L e^c
        values[_DIFFUSIVITY] *= np.exp(2.0 * reach)
    directions = unknowns.directions if tangents else ()
    state = model.initial_state(first, values, directions)[0]
    if REACH in directions and _DIFFUSIVITY in directions:
        state[1 + directions.index(REACH)] = 2.0 * state[1 + directions.index(_DIFFUSIVITY)]
    if not any(name in unknowns.names for name in FIRST_STATE):
        return state
    shape = state.shape[1:]
    state = state.reshape(len(state), -1)
    voxels = np.flatnonzero(state[0] > 0.0)
    slope = slope_per_mm.ravel()[voxels]
    odds = np.exp(unknowns.nuisance(z, AMPLITUDE) + unknowns.nuisance(z, DISPLACEMENT) * slope)
    u = state[0, voxels]
    spread = 1.0 + u * (odds - 1.0)
    moved = u * odds / spread
    state[0, voxels] = moved
    for number, name in enumerate(directions, start=1):
        if name == AMPLITUDE:
            state[number, voxels] = moved * (1.0 - moved)
        elif name == DISPLACEMENT:
            state[number, voxels] = moved * (1.0 - moved) * slope
        else:
            state[number, voxels] *= odds / spread**2
    return state.reshape(-1, *shape)


def steepness_per_mm(u: np.ndarray, first: ObservedVisit) -> np.ndarray:
    """(ni, nj, nk) outward decline of the log-odds at the drawn contour; deeper inside it fades out over 5 mm.

    One number for the whole rim: taken voxel by voxel it would follow the noise.
    """
    if first.whole is None:
        return np.zeros(u.shape)
    distance = first.contours.to_whole_mm
    near = (np.abs(distance) < 2.0 * max(first.grid.spacing_mm)) & (u > _FAINT) & (u < 1.0 - _FAINT)
    if np.count_nonzero(near) < 2:
        return np.zeros(u.shape)
    logit, d = np.log(u[near] / (1.0 - u[near])), distance[near] - distance[near].mean()
    decline = float(np.clip(-(d @ logit) / (d @ d), 0.0, _STEEPEST_PER_MM))
    return decline * np.exp(-np.maximum(-distance, 0.0) / _FADE_MM)
