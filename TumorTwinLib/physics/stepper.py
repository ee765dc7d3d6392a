"""One Strang step at a time: the state, its scratch arrays and the active box that follows the tumour."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import bounding_box
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.propagator import choose_degree, clenshaw_stages
from TumorTwinLib.physics.reaction import LogisticReaction, Moebius, Rate

_SILENT = 1e-9  # cellularity that counts as nothing when the active box is placed
_MARGIN = 4  # voxels by which the box grows, so that it need not grow at every step


class Stepper:
    """State of an ensemble with tangents, advanced in place.

    Arrays are (E, 1 + P, X, Y, Z): member, then the field followed by its derivative by each parameter. Three buffers
    suffice: a stage writes over the one it adds to, and the last stage's buffer becomes the state.

    Args:
        initial: (E, 1 + P, ni, nj, nk) on the domain's grid; copied.
        diffusivity_mm2_per_day: value (E,) and derivative (E, P).
    """

    def __init__(
        self, domain: Domain, backend, initial: np.ndarray, diffusivity_mm2_per_day: Rate, reaction: LogisticReaction
    ) -> None:
        self.domain, self.backend, self.reaction = domain, backend, reaction
        packed = domain.pack(initial, backend.dtype)
        self._box = _audible_box(packed)
        self.u = backend.array(packed)
        self._scratch = [backend.zeros(packed.shape) for _ in range(2)]
        self._diffusivity = diffusivity_mm2_per_day.value
        base = np.zeros((len(self._diffusivity), 1))
        self._d_diffusivity = backend.array(np.concatenate([base, diffusivity_mm2_per_day.derivative], axis=1))
        self._stages: dict[tuple[float, int], list[tuple]] = {}
        self._nothing = self._moebius(reaction.identity())
        self.voxel_stages = 0
        self.stage_count = 0

    @property
    def box_voxels(self) -> int:
        """Voxels of the active box."""
        return int(np.prod(self._box[:, 1] - self._box[:, 0]))

    def degree(self, length_days: float, spectral_tolerance: float) -> int:
        """Stages that a diffusion step of this length needs for its stiffest member."""
        return choose_degree(float(self._z(length_days).max()), spectral_tolerance)

    def react(self, flow: Moebius) -> None:
        self.backend.react(self.u, self._box, *self._moebius(flow))

    def diffuse(self, length_days: float, degree: int, flow: Moebius) -> None:
        """``exp(dt D L)`` in ``degree`` passes, the last of which also applies ``flow``."""
        self._make_room(degree)
        key = (round(length_days, 12), degree)
        if key not in self._stages:
            self._stages[key] = self._build_stages(length_days, degree)
        latest, last = self.u, degree - 1
        for number, scalars in enumerate(self._stages[key]):
            out = self._scratch[number % 2]  # holds the last but one result, which the stage adds its share of
            map_ = self._moebius(flow) if number == last else self._nothing
            self.backend.stage(out, self.u, latest, self._box, *scalars, self._d_diffusivity, number == last, *map_)
            latest = out
        self._scratch[last % 2], self.u = self.u, latest
        self.stage_count += degree
        self.voxel_stages += degree * self.box_voxels

    def multiply(self, factor: np.ndarray, tangent_gain: np.ndarray) -> None:
        """``u -> factor u``, ``du_p -> factor (du_p + tangent_gain_p u)``: a kill that differs from voxel to voxel.

        Args:
            factor: (E, ni, nj, nk) survival.
            tangent_gain: (E, P, ni, nj, nk) derivative of its logarithm.
        """
        state = self.domain.unpack(self.backend.to_numpy(self.u))  # a new array
        state[:, 1:] += tangent_gain * state[:, :1]
        state *= factor[:, None]
        self.u = self.backend.array(self.domain.pack(state, self.backend.dtype))

    def snapshot(self):
        """A copy of the state that ``exchange`` brings back."""
        return self.backend.copy(self.u)

    def exchange(self, snapshot):
        """Put a snapshot in place of the state, which is returned. The box stays: outside its old one all is silent."""
        replaced, self.u = self.u, snapshot
        return replaced

    def difference(self, other) -> float:
        """Relative L2 difference of the fields from another state's, the largest over members."""
        gap, size = self.backend.squared_difference(other, self.u, self._box)
        return float(np.sqrt(gap / np.maximum(size, 1e-60)).max())

    def cellularity(self) -> np.ndarray:
        return self.domain.unpack(self.backend.to_numpy(self.u[:, 0]))

    def tangents(self) -> np.ndarray:
        return self.domain.unpack(self.backend.to_numpy(self.u[:, 1:]))

    def _z(self, length_days: float) -> np.ndarray:
        return 0.5 * length_days * self._diffusivity * self.domain.rate_bound_per_mm2

    def _build_stages(self, length_days: float, degree: int) -> list[tuple]:
        dz = 0.5 * length_days * self.domain.rate_bound_per_mm2  # dz / dD
        array = self.backend.array
        return [
            (array(s.alpha), array(s.gamma), s.omega, array(s.d_alpha * dz), array(s.d_gamma * dz))
            for s in clenshaw_stages(self._z(length_days), degree)
        ]

    def _moebius(self, flow: Moebius) -> tuple:
        base = np.zeros((len(flow.a), 1))
        derivatives = (np.concatenate([base, d], axis=1) for d in (flow.da, flow.db))
        return tuple(self.backend.array(x) for x in (flow.a, flow.b, *derivatives))

    def _make_room(self, reach: int) -> None:
        """Grow the box until no audible voxel is within ``reach`` of a face that is not the domain's own.

        A stage carries cells one voxel further, so a step of ``reach`` stages then loses none through the faces.
        """
        limits = np.array([[1, n - 1] for n in self.domain.state_shape])
        while True:
            loud = self.backend.largest_near_faces(self.u, self._box, reach).reshape(3, 2) > _SILENT
            grow = loud & (self._box != limits)
            if not grow.any():
                return
            self._box[:, 0] = np.maximum(self._box[:, 0] - _MARGIN * grow[:, 0], limits[:, 0])
            self._box[:, 1] = np.minimum(self._box[:, 1] + _MARGIN * grow[:, 1], limits[:, 1])


def _audible_box(packed: np.ndarray) -> np.ndarray:
    """(3, 2) state voxels that hold the initial field and its tangents; the whole domain where there is nothing."""
    used = (np.abs(packed) > _SILENT).any(axis=(0, 1))
    if not used.any():
        return np.array([[1, n - 1] for n in used.shape])
    return np.stack(bounding_box(used), axis=1)
