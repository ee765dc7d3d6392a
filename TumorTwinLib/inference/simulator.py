"""From z to what is compared: the model solved for many draws at once, over threads, summarised as it goes."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.inference.calibration import Reaction
from TumorTwinLib.inference.first_state import first_state, steepness_per_mm
from TumorTwinLib.inference.likelihood import SummaryLikelihood
from TumorTwinLib.inference.noise import ObservationNoise
from TumorTwinLib.inference.unknowns import LEVELS, Unknowns
from TumorTwinLib.models.observation import ObservedVisit
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.reaction import GrowthChange, Rate
from TumorTwinLib.physics.solver import SolverSettings, Status, solve
from TumorTwinLib.physics.trackers import Fields, Tracker

_CHUNK = 4  # members solved in one pass; more share less of the cache
_STIFF = "diffusivity_mm2_per_day"


class Observer(Tracker):
    """Called with member ``e``'s field and tangents at every output day."""

    def __init__(self, see: Callable[[float, int, np.ndarray, np.ndarray], None], tangents: bool) -> None:
        self._see, self._tangents = see, tangents

    def output(self, day: float, fields: Fields) -> None:
        u = fields.cellularity()
        du = fields.tangents() if self._tangents else np.zeros((len(u), 0, *u.shape[1:]), u.dtype)
        for e in range(len(u)):
            self._see(day, e, u[e], du[e])


@dataclass(frozen=True, eq=False)
class Simulator:
    """A model of one patient as a function of z.

    Args:
        first: the first visit, with its noise smoothed away.
        settings: of the solver.
        trackers: passed to every solve (cancel, progress).
        memory: summaries by a key of their draws, kept by the caller; a run repeated with it solves nothing twice and
            ends in the same bits.
        noise: of what is seen, for forecasts of what will be.
        threads: solves at the same time; results do not depend on it.
        work: draws, and fields times voxels, of every solve.
    """

    model: Any
    patient: PatientData
    first: ObservedVisit
    unknowns: Unknowns
    likelihood: SummaryLikelihood
    settings: SolverSettings
    noise: ObservationNoise
    trackers: Sequence[Tracker] = ()
    memory: MutableMapping[str, np.ndarray] = field(default_factory=dict)
    threads: int = 2
    work: list[tuple[int, int]] = field(default_factory=list)

    @functools.cached_property
    def _slope_per_mm(self) -> np.ndarray:
        state = self.model.initial_state(self.first, self.unknowns.values(np.zeros(self.unknowns.size)))
        return steepness_per_mm(state[0, 0], self.first)

    def levels(self, z: np.ndarray) -> dict[str, float]:
        """Cellularity on the contours at one z."""
        moved = {}
        for region, level in self.model.thresholds.items():
            odds = level / (1.0 - level) * np.exp(self.unknowns.nuisance(z, LEVELS[region]))
            moved[region] = float(odds / (1.0 + odds))
        return moved

    def linearised(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) summaries at one z and their (n, d) derivatives by it.

        Raises:
            CancelledError: stopped on request.
        """
        count = len(self.unknowns.directions) + len(self.unknowns.level_names)
        key = self._key("linearised", z[None])
        if key not in self.memory:
            stored = np.zeros((len(self.likelihood.observed), 1 + count))

            def see(day: float, _e: int, u: np.ndarray, du: np.ndarray) -> None:
                for visit in self.likelihood.visits:
                    if visit.day == day:
                        found = visit.of_field(u, du, self.levels(z), self.unknowns.level_names)
                        stored[visit.rows, 0], stored[visit.rows, 1:] = found

            self.solve(z[None], [visit.day for visit in self.likelihood.visits], see, tangents=True)
            self.memory[key] = stored
        stored = self.memory[key]
        return stored[:, 0], stored[:, 1:] @ self.unknowns.chain(z)

    def summaries(self, z: np.ndarray, on_done: Callable[[int], None] | None = None) -> np.ndarray:
        """(m, n) summaries of (m, d) draws; NaN for those that were not reached before a cancel, or are impossible.

        Draws are solved in chunks of similar diffusivity, as the stiffest sets the work of its chunk.
        """
        result = np.full((len(z), len(self.likelihood.observed)), np.nan)
        usable = np.flatnonzero(self.unknowns.possible(z))
        if _STIFF in self.unknowns.parameters:
            usable = usable[np.argsort(z[usable, self.unknowns.column(_STIFF)], kind="stable")]
        chunks = [usable[start : start + _CHUNK] for start in range(0, len(usable), _CHUNK)]
        done = 0
        with ThreadPoolExecutor(max(1, self.threads)) as pool:
            for chunk, found in zip(chunks, pool.map(lambda part: self._chunk(z[part]), chunks), strict=True):
                if found is not None:
                    result[chunk] = found
                done += len(chunk)
                if on_done is not None:
                    on_done(done)
        return result

    def _chunk(self, z: np.ndarray) -> np.ndarray | None:
        key = self._key("summaries", z)
        if key not in self.memory:
            found = np.zeros((len(z), len(self.likelihood.observed)))

            def see(day: float, e: int, u: np.ndarray, du: np.ndarray) -> None:
                for visit in self.likelihood.visits:
                    if visit.day == day:
                        found[e, visit.rows] = visit.of_field(u, du, self.levels(z[e]), ())[0]

            try:
                self.solve(z, [visit.day for visit in self.likelihood.visits], see)
            except CancelledError:
                return None
            self.memory[key] = found
        return self.memory[key]

    def solve(
        self,
        z: np.ndarray,
        days: Sequence[float],
        see: Callable[[float, int, np.ndarray, np.ndarray], None],
        *,
        tangents: bool = False,
        later_growth: tuple[Sequence[float], np.ndarray] | None = None,
    ) -> None:
        """Solve for (m, d) draws and show every member at every day.

        Args:
            see: called with day, member, (ni, nj, nk) cellularity and (P, ni, nj, nk) tangents.
            later_growth: days from which, and (m, k) log factors by which, growth differs after the last visit.

        Raises:
            CancelledError: stopped on request.
        """
        initial, reaction, diffusivity = self.problem(z, tangents=tangents, later_growth=later_growth)
        solution = solve(
            self.model.physics_domain, initial, reaction, diffusivity, days, start_day=self.first.day,
            settings=self.settings, trackers=[Observer(see, tangents), *self.trackers], keep_fields=False,
        )  # fmt: skip
        if solution.status is Status.CANCELLED:
            raise CancelledError(solution.message)
        self.work.append((len(z), initial.shape[0] * initial.shape[1] * math.prod(initial.shape[2:])))

    def problem(
        self,
        z: np.ndarray,
        *,
        tangents: bool = False,
        later_growth: tuple[Sequence[float], np.ndarray] | None = None,
    ) -> tuple[np.ndarray, Reaction, Rate]:
        """First state (m, 1 + P, ni, nj, nk), reaction and diffusivity of (m, d) draws."""
        directions = self.unknowns.directions if tangents else ()
        members = [self.unknowns.values(one) for one in z]
        initial = np.stack([
            first_state(self.model, self.first, self._slope_per_mm, self.unknowns, one, tangents=tangents) for one in z
        ])  # fmt: skip
        reaction, diffusivity = self.model.dynamics(self.patient, members, directions)
        return initial, self._with_growth(reaction, z, directions, later_growth), diffusivity

    def _with_growth(
        self,
        reaction: Reaction,
        z: np.ndarray,
        directions: Sequence[str],
        later: tuple[Sequence[float], np.ndarray] | None,
    ) -> Reaction:
        factors = self.unknowns.growth(z)
        days = list(self.unknowns.days[: factors.shape[1]])
        if later is not None:
            days, factors = [*days, *later[0]], np.concatenate([factors, later[1]], axis=1)
        rho, changes = reaction.proliferation_per_day, []
        for number, day in enumerate(days):
            factor = np.exp(factors[:, number])
            derivative = rho.derivative * factor[:, None]
            name = f"growth_{number + 1}"
            if name in directions:
                derivative[:, list(directions).index(name)] = rho.value * factor
            changes.append(GrowthChange(day, Rate(rho.value * factor, derivative)))
        return replace(reaction, changes=tuple(changes))

    def _key(self, what: str, z: np.ndarray) -> str:
        """Names these draws on this grid, to their last bit."""
        text = f"{what} {self.model.grid.shape} {self.settings} {z.shape}".encode()
        return hashlib.blake2b(text + np.ascontiguousarray(z).tobytes(), digest_size=12).hexdigest()
