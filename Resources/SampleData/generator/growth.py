"""The tumour's true history: an independent grower, kept apart from the solver that later fits it.

Infiltrating growth with treatment on a 1 mm grid::

    du/dt = div(D(x) grad u) + rho(x) u (1 - u) - kappa(t) u,      D = D_w (p_white + p_grey / R)

u is cellularity as a fraction of the carrying capacity. It differs from the twin on purpose: half the spacing, a
grey-to-white ratio the twin does not assume, proliferation that varies from place to place, a seed instead of a
level set, and plain explicit steps. A twin that recovers this tumour has therefore not committed an inverse crime.

Finite volumes in flux form with harmonic-mean face diffusivities; nothing crosses into cerebrospinal fluid or out of
the brain. The logistic step and the drug's decaying exposure are integrated exactly, and steps end on every
event. Explicit diffusion is stable while D dt / h^2 <= 1/6; TIME_STEP_DAYS keeps it eight times smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from generator.head import Head
from generator.random_fields import random_stream, smooth_field

TIME_STEP_DAYS = 0.2
TISSUE_BARRIER = 0.35  # least tissue fraction a cell can enter: fluid-filled folds and ventricles stay free
ACTIVE_CELLULARITY = 1e-10  # less than this is no cell at all, and need not be stepped
ACTIVE_MARGIN_VOXELS = 6
SEED_RADIUS_MM = 6.0


@dataclass(frozen=True)
class Biology:
    """The true parameters.

    Args:
        diffusivity_mm2_per_day: D_w, in white matter.
        white_to_grey_ratio: R.
        proliferation_per_day: mean of rho.
        proliferation_sd: standard deviation of rho / mean(rho) over the brain, correlated over 12 mm.
        alpha_per_gy, alpha_beta_gy: linear-quadratic radiosensitivity.
        temozolomide_log_kill: of one 75 mg/m2 dose, integrated to infinity; proportional to the dose.
        temozolomide_decay_per_day: plasma elimination, half-life 1.8 h.
        seed_ras_mm: where it began: white matter of the right frontal lobe.
        core_threshold, edema_threshold: cellularity above which a voxel shows on contrast T1 and on FLAIR.
        core_volume_at_diagnosis_ml: growth stays hidden until this much is above ``core_threshold``.
    """

    diffusivity_mm2_per_day: float = 0.09
    white_to_grey_ratio: float = 15.0
    proliferation_per_day: float = 0.04
    proliferation_sd: float = 0.10
    alpha_per_gy: float = 0.03
    alpha_beta_gy: float = 10.0
    temozolomide_log_kill: float = 0.018
    temozolomide_decay_per_day: float = 9.242
    seed_ras_mm: tuple[float, float, float] = (33.0, 22.0, 26.0)
    core_threshold: float = 0.65
    edema_threshold: float = 0.20
    core_volume_at_diagnosis_ml: float = 16.0

    def fraction_log_kill(self, dose_gy: float) -> float:
        return self.alpha_per_gy * dose_gy * (1 + dose_gy / self.alpha_beta_gy)


@numba.njit
def _diffuse(u, new, across_i, across_j, across_k, dt):
    """new = u + dt div(D grad u); ``across_x[i, j, k]`` is D/h^2 of the face before voxel (i, j, k) along x."""
    ni, nj, nk = u.shape
    for i in range(1, ni - 1):
        for j in range(1, nj - 1):
            for k in range(1, nk - 1):
                here = u[i, j, k]
                gain = across_i[i, j, k] * (u[i - 1, j, k] - here) + across_i[i + 1, j, k] * (u[i + 1, j, k] - here)
                gain += across_j[i, j, k] * (u[i, j - 1, k] - here) + across_j[i, j + 1, k] * (u[i, j + 1, k] - here)
                gain += across_k[i, j, k] * (u[i, j, k - 1] - here) + across_k[i, j, k + 1] * (u[i, j, k + 1] - here)
                new[i, j, k] = here + dt * gain


@numba.njit
def _proliferate(u, rho, dt, survival):
    """In place, the exact logistic step, then the surviving fraction of what the drug reached."""
    ni, nj, nk = u.shape
    for i in range(ni):
        for j in range(nj):
            for k in range(nk):
                here = u[i, j, k]
                if here > 0:
                    growth = np.exp(rho[i, j, k] * dt)
                    u[i, j, k] = survival * here * growth / (1 + here * (growth - 1))


def face_conductance(diffusivity: np.ndarray) -> list[np.ndarray]:
    """Per axis, D / h^2 (1/day, h = 1 mm) of the face before each voxel: harmonic mean, zero beside an empty voxel."""
    faces = []
    for axis in range(3):
        before = np.roll(diffusivity, 1, axis)
        total = diffusivity + before
        face = np.divide(2 * diffusivity * before, total, out=np.zeros_like(total), where=total > 0)
        face[(slice(None),) * axis + (0,)] = 0
        faces.append(face)
    return faces


def _box_around(mask: np.ndarray) -> tuple[slice, ...]:
    box = []
    for axis, size in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        lower, upper = int(used[0]) - ACTIVE_MARGIN_VOXELS, int(used[-1]) + 1 + ACTIVE_MARGIN_VOXELS
        box.append(slice(max(lower, 0), min(upper, size)))
    return tuple(box)


class Tumour:
    """The growing tumour: ``cellularity`` (ni, nj, nk) float64 at ``day``, day 0 being the diagnosis."""

    def __init__(self, head: Head, biology: Biology) -> None:
        tissue = head.white_matter + head.grey_matter
        diffusivity = head.white_matter + head.grey_matter / biology.white_to_grey_ratio
        open_to_cells = head.brain & (tissue > TISSUE_BARRIER)
        self.biology = biology
        self._faces = face_conductance(np.where(open_to_cells, biology.diffusivity_mm2_per_day * diffusivity, 0.0))
        variation = smooth_field(random_stream(2), tissue.shape, correlation_mm=12.0)
        self._rho = biology.proliferation_per_day * (1 + biology.proliferation_sd * np.clip(variation, -2.5, 2.5))
        seed = np.linalg.solve(head.affine, [*biology.seed_ras_mm, 1.0])[:3]
        distance2 = sum((i - c) ** 2 for i, c in zip(np.indices(tissue.shape, sparse=True), seed, strict=True))
        near = distance2 < SEED_RADIUS_MM**2
        self.cellularity = np.where(open_to_cells & near, 0.5 * np.exp(-distance2 / 8), 0.0)
        self.day = 0.0

    def irradiate(self, dose_gy: float) -> None:
        self.cellularity *= np.exp(-self.biology.fraction_log_kill(dose_gy))

    def grow_until(self, day: float, doses: Sequence[tuple[float, float]] = ()) -> None:
        """Step to ``day`` under ``doses``: (day taken, mg/m2), none of them later than the present day."""
        self._box = _box_around(self.cellularity > ACTIVE_CELLULARITY)
        self._next = np.zeros_like(self.cellularity)
        steps = int(np.ceil((day - self.day) / TIME_STEP_DAYS - 1e-9))
        for left in range(steps, 0, -1):
            dt = (day - self.day) / left
            self._step(dt, np.exp(-self._log_kill(self.day, self.day + dt, doses)))
            self.day += dt

    def _log_kill(self, start: float, end: float, doses: Sequence[tuple[float, float]]) -> float:
        """Integral of kappa over the step: each dose decays exponentially from when it was taken."""
        if not doses:
            return 0.0
        taken, amount = np.array(doses).T
        decay = self.biology.temozolomide_decay_per_day
        exposure = np.exp(-decay * (start - taken)) - np.exp(-decay * (end - taken))
        return float(self.biology.temozolomide_log_kill / 75.0 * (amount * exposure).sum())

    def _step(self, dt: float, survival: float) -> None:
        self._widen_active_box()
        box = self._box
        _proliferate(self.cellularity[box], self._rho[box], dt / 2, 1.0)
        _diffuse(self.cellularity[box], self._next[box], *(face[box] for face in self._faces), dt)
        _proliferate(self._next[box], self._rho[box], dt / 2, survival)
        self.cellularity, self._next = self._next, self.cellularity

    def _widen_active_box(self) -> None:
        """Widen the box wherever cells come near its edge; outside it there are none in either buffer."""
        u = self.cellularity[self._box]
        widened = []
        for axis, edge in enumerate(self._box):
            first, last = (np.take(u, index, axis).max() > ACTIVE_CELLULARITY for index in (1, -2))
            start = edge.start - ACTIVE_MARGIN_VOXELS * int(first)
            stop = edge.stop + ACTIVE_MARGIN_VOXELS * int(last)
            widened.append(slice(max(start, 0), min(stop, self.cellularity.shape[axis])))
        self._box = tuple(widened)
