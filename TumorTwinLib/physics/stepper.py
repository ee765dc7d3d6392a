"""One Strang step at a time: the state, its scratch arrays and the active box that follows the tumour."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import bounding_box
from TumorTwinLib.physics.backends import NumbaBackend, TorchBackend
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.populations import PopulationFlow, PopulationReaction
from TumorTwinLib.physics.propagator import choose_degree, clenshaw_stages
from TumorTwinLib.physics.reaction import LogisticReaction, Moebius, Rate, Resection

_SILENT = 1e-9  # cellularity that counts as nothing when the active box is placed
_MARGIN = 4  # voxels by which the box grows, so that it need not grow at every step


class Stepper:
    """State of an ensemble with tangents, advanced in place.

    Arrays are (E, 1 + P, X, Y, Z): member, then the field followed by its derivative by each parameter. Of a reaction
    with several populations each is such a member, next to the others of its own. They hold the active box alone, so
    that rows lie close together in memory. Three buffers suffice: a stage writes over the one it adds to, and the last
    stage's buffer becomes the state.

    Args:
        initial: (E, 1 + P, ni, nj, nk) on the domain's grid; copied.
        diffusivity_mm2_per_day: value (E,) and derivative (E, P).
    """

    def __init__(
        self,
        domain: Domain,
        backend: NumbaBackend | TorchBackend,
        initial: np.ndarray,
        diffusivity_mm2_per_day: Rate,
        reaction: LogisticReaction | PopulationReaction,
    ) -> None:
        self.domain, self.backend, self.reaction = domain, backend, reaction
        self._channels, self._living = 1, 1
        if isinstance(reaction, PopulationReaction):
            self._channels, self._living = reaction.channels, reaction.living
            initial = reaction.spread(initial)
            diffusivity_mm2_per_day = reaction.diffusivities(diffusivity_mm2_per_day)
        self._rows = len(diffusivity_mm2_per_day.value)
        packed = domain.pack(initial, backend.dtype)
        self._limits = np.array([[1, n - 1] for n in domain.state_shape])
        self._enter(_within(_audible_box(packed), self._limits))
        self.u = backend.array(packed[(slice(None), slice(None), *_window(self._box, self._limits))])
        self._diffusivity = diffusivity_mm2_per_day.value
        base = np.zeros((len(self._diffusivity), 1))
        self._d_diffusivity = backend.array(np.concatenate([base, diffusivity_mm2_per_day.derivative], axis=1))
        self._stages: dict[tuple[float, int], list[tuple]] = {}
        self._nothing = self._moebius(Moebius.identity(self._rows, reaction.parameters))
        self.voxel_stages = 0
        self.stage_count = 0

    @property
    def box_voxels(self) -> int:
        """Voxels of the active box."""
        return int(np.prod(self._box[:, 1] - self._box[:, 0]))

    def degree(self, length_days: float, spectral_tolerance: float) -> int:
        """Stages that a diffusion step of this length needs for its stiffest member."""
        return choose_degree(float(self._z(length_days).max()), spectral_tolerance)

    def react(self, flow: Moebius | PopulationFlow) -> None:
        if isinstance(flow, PopulationFlow):
            flow.apply(self.u)
        else:
            self.backend.react(self._operator, self.u, *self._moebius(flow))

    def diffuse(self, length_days: float, degree: int, flow: Moebius | PopulationFlow) -> None:
        """``exp(dt D L)`` in ``degree`` passes, the last of which also applies ``flow`` if it is of one population."""
        self._make_room(degree)
        key = (round(length_days, 12), degree)
        if key not in self._stages:
            self._stages[key] = self._build_stages(length_days, degree)
        latest, last = self.u, degree - 1
        for number, scalars in enumerate(self._stages[key]):
            out = self._scratch[number % 2]  # holds the last but one result, which the stage adds its share of
            map_ = self._moebius(flow) if number == last and isinstance(flow, Moebius) else None
            self.backend.stage(
                self._operator, out, self.u, latest, *scalars, self._d_diffusivity,
                map_ is not None, *(map_ or self._nothing),
            )  # fmt: skip
            latest = out
        self._scratch[last % 2], self.u = self.u, latest
        if isinstance(flow, PopulationFlow):
            flow.apply(self.u)
        self.stage_count += degree
        self.voxel_stages += degree * self.box_voxels

    def multiply(self, factor: np.ndarray, tangent_gain: np.ndarray) -> None:
        """``u -> factor u``, ``du_p -> factor (du_p + tangent_gain_p u)``: a kill that differs from voxel to voxel.

        What is killed is dead but still visible where the reaction has a compartment for it.

        Args:
            factor: (E, ni, nj, nk) survival.
            tangent_gain: (E, P, ni, nj, nk) derivative of its logarithm.
        """
        kill, gain = (self.backend.array(self._part.pack(x, self.backend.dtype)) for x in (factor, tangent_gain))
        before = self._sum(self._living) if self._living < self._channels else None
        self.u[:, 1:] += gain * self.u[:, :1]
        self.u *= kill[:, None]
        if before is not None:
            self.u[self._living :: self._channels] += before - self._sum(self._living)

    def resect(self, resection: Resection) -> None:
        """Take out what lies in the cavity, dead or alive; without a residual the cavity leaves the domain."""
        kept = np.where(resection.cavity, resection.residual_fraction, 1.0)
        self.u *= self.backend.array(self._part.pack(kept, self.backend.dtype))
        if resection.residual_fraction == 0:
            self.domain = self.domain.without(resection.cavity)
            self._enter(self._box)

    def snapshot(self):
        """A copy of the state that ``exchange`` brings back."""
        return self.backend.copy(self.u), self._box

    def exchange(self, snapshot):
        """Put a snapshot in place of the state, which is returned as another."""
        replaced = self.u, self._box
        self.u = self._moved(*snapshot)
        return replaced

    def difference(self, snapshot) -> float:
        """Relative L2 difference of the fields from a snapshot, the largest over members."""
        gap, size = self.backend.squared_difference(self._moved(*snapshot), self.u)
        return float(np.sqrt(gap / np.maximum(size, 1e-60)).max())

    def cellularity(self, out: np.ndarray | None = None) -> np.ndarray:
        """(E, ni, nj, nk) fields on the domain's grid, into ``out``, which must hold zeros, if given."""
        return self._part.unpack(self.backend.to_numpy(self._sum(self._channels)[:, 0]), out)

    def living(self) -> np.ndarray:
        """(E, ni, nj, nk) cells that live, of all populations: less than what is seen where the dead show too."""
        return self._part.unpack(self.backend.to_numpy(self._sum(self._living)[:, 0]))

    def tangents(self, out: np.ndarray | None = None) -> np.ndarray:
        """(E, P, ni, nj, nk) derivatives by every parameter, likewise."""
        return self._part.unpack(self.backend.to_numpy(self._sum(self._channels)[:, 1:]), out)

    def _sum(self, channels: int):
        """(E, 1 + P, ...) sum of the first ``channels`` fields of each member."""
        if channels == self._channels == 1:
            return self.u
        members = self.u.reshape(-1, self._channels, *self.u.shape[1:])
        return members[:, :channels].sum(1)

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

        A stage carries cells one voxel further, so a step of ``reach`` stages then meets none of these faces.
        """
        if np.array_equal(self._box, self._limits):
            return
        wider = self._box
        for depth in range(reach, 0, -_MARGIN):  # what is loud so near needs a margin more than what is loud farther in
            loud = self.backend.largest_near_faces(self.u, depth) > _SILENT
            if not loud.any():
                break
            wider = _within(wider + _MARGIN * loud * [-1, 1], self._limits)
        if not np.array_equal(wider, self._box):
            state = self.u, self._box
            self._enter(wider)
            self.u = self._moved(*state)

    def _enter(self, box: np.ndarray) -> None:
        """Make ``box`` the active one, with empty scratch arrays."""
        self._box, self._operator, self._scratch = box, (), []  # frees the old before the new is made
        self._part = self.domain.crop(box)
        bound = self.domain.rate_bound_per_mm2  # of the whole domain, so that stages do not change with the box
        self._operator = self.backend.operator(self._part, 2.0 / bound if bound > 0 else 0.0)
        shape = (self._rows, 1 + self.reaction.parameters, *self._part.state_shape)
        self._scratch = [self.backend.zeros(shape) for _ in range(2)]

    def _moved(self, state, box: np.ndarray):
        """A state of an earlier, smaller box in the present one."""
        if np.array_equal(box, self._box):
            return state
        moved = self.backend.zeros((*state.shape[:2], *self._part.state_shape))
        moved[(slice(None), slice(None), *_window(box, self._box))] = state
        return moved


def _audible_box(packed: np.ndarray) -> np.ndarray:
    """(3, 2) state voxels that hold the initial field and its tangents, and a margin; all where there is nothing."""
    used = np.logical_or.reduce([np.abs(field) > _SILENT for field in packed.reshape(-1, *packed.shape[2:])])
    if not used.any():
        return np.array([[1, n - 1] for n in used.shape])
    return np.stack(bounding_box(used), axis=1) + [-_MARGIN, _MARGIN]


def _within(box: np.ndarray, limits: np.ndarray) -> np.ndarray:
    return np.clip(box, limits[:, :1], limits[:, 1:])


def _window(box: np.ndarray, around: np.ndarray) -> tuple[slice, ...]:
    """Where the padded array of ``box`` lies in that of a box around it."""
    starts = box[:, 0] - around[:, 0]
    return tuple(
        slice(int(start), int(start + size)) for start, size in zip(starts, box[:, 1] - box[:, 0] + 2, strict=True)
    )
