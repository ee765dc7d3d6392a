"""Reaction-diffusion in time: steps chosen from a measured error, outputs at the asked days, trackers all along.

    du/dt = div(D(x) grad u) + rho u (1 - u) - kappa(t) u,   no flux through the organ's wall,   u in [0, 1]

Strang splitting: half a reaction, a whole diffusion, half a reaction, each exact (``reaction``, ``propagator``), so the
only error is the splitting's, of second order in the step. Adjacent half reactions merge into one. Steps land on every
treatment event and every output; an output on an event's day is the value just before the event.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.physics.backends import make_backend
from TumorTwinLib.physics.domain import Domain
from TumorTwinLib.physics.populations import PopulationReaction
from TumorTwinLib.physics.reaction import FieldKill, LogisticReaction, Rate
from TumorTwinLib.physics.stepper import Stepper
from TumorTwinLib.physics.trackers import Tracker

_STEPS_BETWEEN_PROBES = 12  # a probe costs two steps: a sixth of the run at most
_SAFETY = 0.7
_ROUNDINGS_A_STEP = 4.0
_GROWTH_UNSEEN = 1.5
_LARGEST_CHANGE = 4.0  # of the step from one probe to the next


class Status(enum.Enum):
    """How a run ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class SolverSettings:
    """How accurately and where to solve.

    Args:
        tolerance: relative L2 error aimed at on every output; steps and stages follow from it.
        dtype: ``"float32"``, or ``"float64"`` for gradient tests.
        device: ``"cpu"`` or a CUDA device.
        backend: ``"auto"``, ``"numba"`` or ``"torch"``.
        largest_step_days: upper limit of a step, also while nothing seems to happen.
    """

    tolerance: float = 1e-4
    dtype: str = "float32"
    device: str = "cpu"
    backend: str = "auto"
    largest_step_days: float = 8.0


@dataclass(frozen=True)
class StepPlan:
    """The steps of a finished run: a rerun on it is the same smooth function of the parameters."""

    ends: tuple[float, ...]
    degrees: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Solution:
    """What a run returns.

    Args:
        status, message: how it ended, and what to do if not completed.
        days: (n,) outputs reached.
        cellularity: (n, E, ni, nj, nk) on the domain's grid; without outputs with ``keep_fields=False``.
        tangents: (n, E, P, ni, nj, nk) derivative by each parameter, likewise.
        error_estimate: relative L2 error accumulated from the probes, about the largest over the outputs; NaN for a
            rerun on a plan, which has no probes.
        plan: the steps taken.
        stats: steps, stages, voxel_stages, box_voxels (of the active box at the end), seconds, cpu_seconds, backend.
    """

    status: Status
    message: str
    days: np.ndarray
    cellularity: np.ndarray
    tangents: np.ndarray
    error_estimate: float
    plan: StepPlan
    stats: dict = field(default_factory=dict)


def solve(
    domain: Domain,
    initial: np.ndarray,
    reaction: LogisticReaction | PopulationReaction,
    diffusivity_mm2_per_day: Rate,
    output_days: Sequence[float],
    *,
    start_day: float = 0.0,
    settings: SolverSettings | None = None,
    plan: StepPlan | None = None,
    trackers: Sequence[Tracker] = (),
    keep_fields: bool = True,
) -> Solution:
    """Solve for all members of an ensemble, with their tangents, at once.

    Args:
        domain: mask and relative diffusivity, from ``make_domain``.
        initial: (E, 1 + P, ni, nj, nk) cellularity and its derivatives at ``start_day``; never written to.
        reaction: growth and kills; its members and parameters are E and P.
        diffusivity_mm2_per_day: D per member (E,) and its derivatives (E, P).
        output_days: increasing, at or after ``start_day``.
        plan: steps of an earlier run to repeat, instead of choosing them.
        keep_fields: store outputs; without, only trackers see them.

    Raises:
        TumorTwinError: shapes or days that do not fit, or a solution that is no longer finite.
    """
    settings = settings or SolverSettings()
    outputs = [float(day) for day in output_days]
    _check(domain, initial, reaction, diffusivity_mm2_per_day, outputs, start_day, plan)
    backend = make_backend(name=settings.backend, dtype=settings.dtype, device=settings.device)
    stepper = Stepper(domain, backend, initial, diffusivity_mm2_per_day, reaction)
    run = _Run(stepper, settings, start_day, outputs, plan, trackers, keep_fields)
    began, cpu = time.perf_counter(), time.process_time()
    status, message = Status.COMPLETED, "completed"
    try:
        run.advance()
    except CancelledError as stop:
        status, message = Status.CANCELLED, str(stop)
    stats = {
        "steps": len(run.ends),
        "stages": stepper.stage_count,
        "voxel_stages": stepper.voxel_stages,
        "box_voxels": stepper.box_voxels,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "backend": backend.name,
    }
    taken = StepPlan(tuple(run.ends), tuple(run.degrees))
    return Solution(
        status,
        message,
        np.array(run.days),
        run.fields[: len(run.days)],
        run.tangents[: len(run.days)],
        run.error,
        taken,
        stats,
    )


def _check(domain, initial, reaction, diffusivity, outputs, start_day, plan) -> None:
    """Refuse what would fail later, or silently mean something else."""
    increasing = bool(outputs) and bool(np.isfinite(outputs).all()) and outputs == sorted(set(outputs))
    if not increasing or outputs[0] < start_day:
        raise TumorTwinError(f"Output days must increase and start at day {start_day:g} or later: got {outputs}.")
    expected = (reaction.members, 1 + reaction.parameters, *domain.grid.shape)
    if initial.shape != expected:
        raise TumorTwinError(f"The initial state has shape {initial.shape}, the model needs {expected}.")
    if diffusivity.derivative.shape != (reaction.members, reaction.parameters):
        raise TumorTwinError(
            f"The diffusivity has {diffusivity.derivative.shape} members and parameters, the reaction "
            f"{(reaction.members, reaction.parameters)}: give both the same."
        )
    if not np.isfinite(diffusivity.value).all() or diffusivity.value.min() < 0:
        raise TumorTwinError(f"The diffusivity must be finite and not negative, not {diffusivity.value} mm2/day.")
    maps = [("kill map", kill.day, kill.exponent.shape) for kill in reaction.fields]
    maps += [("cavity", resection.day, resection.cavity.shape) for resection in reaction.resections]
    for what, day, shape in maps:
        if shape != domain.grid.shape:
            raise TumorTwinError(
                f"The {what} of day {day:g} has {shape} voxels and the model's grid {domain.grid.shape}: resample it."
            )
    if plan is not None:
        stops = {*outputs, *(day for day in _breaks(reaction) if start_day < day < outputs[-1])} - {start_day}
        missed = sorted(stops - set(plan.ends))
        if min(plan.degrees, default=2) < 2:
            raise TumorTwinError("A step plan needs at least two stages a step: take it from a finished run.")
        if missed or list(plan.ends) != sorted(set(plan.ends)) or min(plan.ends, default=start_day) < start_day:
            raise TumorTwinError(
                f"The step plan does not run through day {missed[0] if missed else start_day:g} in increasing steps: "
                "take it from a run with the same start, outputs and kill maps."
            )


def _breaks(reaction: LogisticReaction | PopulationReaction) -> set[float]:
    """Days on which the state must be whole, as something differs from voxel to voxel."""
    return {*(kill.day for kill in reaction.fields), *(resection.day for resection in reaction.resections)}


class _Run:
    """The loop over steps and what it accumulates."""

    def __init__(self, stepper, settings, start_day, outputs, plan, trackers, keep_fields) -> None:
        self.stepper, self.settings, self.trackers, self.keep = stepper, settings, trackers, keep_fields
        self.reaction: LogisticReaction | PopulationReaction = stepper.reaction
        self.day, self.outputs = start_day, outputs
        events = [day for day in self.reaction.event_days if start_day < day < outputs[-1]]
        self.landings = sorted({*events, *outputs, start_day})
        self.breaks = {*outputs, *_breaks(self.reaction)}
        self.plan = None if plan is None else iter(zip(plan.ends, plan.degrees, strict=True))
        self.ends: list[float] = []
        self.degrees: list[int] = []
        self.days: list[float] = []
        shape, dtype = stepper.domain.grid.shape, stepper.backend.dtype
        count, members, parameters = len(outputs) if keep_fields else 0, self.reaction.members, self.reaction.parameters
        self.fields = np.zeros((count, members, *shape), dtype)
        self.tangents = np.zeros((count, members, parameters, *shape), dtype)
        self.error = 0.0 if plan is None else math.nan
        horizon = outputs[-1] - start_day
        self.rate_allowed = _SAFETY * settings.tolerance / horizon if horizon > 0 else math.inf
        # One thousandth of the fastest growth time squared is a cautious first guess; the first probe corrects it.
        fastest = max(float(np.abs(self.reaction.proliferation_per_day.value).max()), 1e-3)
        self.step_days = min(settings.largest_step_days, 2.0 * math.sqrt(settings.tolerance) / fastest + 0.05)
        self.probe_in = 0
        self.local_error = math.inf  # splitting error of a step over its length cubed, from the last probe

    def advance(self) -> None:
        self._arrive()
        end = self.outputs[-1]
        while self.day < end:
            if self.plan is None and self.probe_in <= 0:
                self._probe()
            else:
                self._steps_until_break()

    def _steps_until_break(self) -> None:
        """Steps with merged half reactions, up to an output, a field kill or the next probe."""
        step = self._next_step(self.day)
        self.stepper.react(self.reaction.flow(self.day, 0.5 * (self.day + step[0])))
        while True:
            end, degree = step
            middle, length = 0.5 * (self.day + end), end - self.day
            self.probe_in -= 1
            pause = end in self.breaks or end >= self.outputs[-1] or (self.plan is None and self.probe_in <= 0)
            following = step if pause else self._next_step(end)
            until = end if pause else 0.5 * (end + following[0])
            self.stepper.diffuse(length, degree, self.reaction.flow(middle, until))
            self._record(end, degree)
            if pause:
                self._arrive()
                return
            step = following

    def _next_step(self, start: float) -> tuple[float, int]:
        """End and degree of the step that begins at ``start``: equal steps up to the next landing."""
        if self.plan is not None:
            return next(self.plan)
        landing = next(day for day in self.landings if day > start)
        count = max(1, math.ceil((landing - start) / self.step_days - 1e-9))
        end = landing if count == 1 else start + (landing - start) / count
        return end, self._degree(end - start)

    def _degree(self, length: float) -> int:
        return self.stepper.degree(length, min(1e-2, 10.0 * self.settings.tolerance))

    def _probe(self) -> None:
        """One step and again as two halves: their difference is the splitting error, which sets the step size.

        The halves are kept, so a probe costs one step more than going on blindly.
        """
        end, degree = self._next_step(self.day)
        middle, half_degree = 0.5 * (self.day + end), self._degree(0.5 * (end - self.day))
        before = self.stepper.snapshot()
        self._whole_step(self.day, end, degree)
        coarse = self.stepper.exchange(before)
        for left, right in ((self.day, middle), (middle, end)):
            self._whole_step(left, right, half_degree)
            self.ends.append(right)
            self.degrees.append(half_degree)
        length = end - self.day
        self._check_finite(end)
        local = self.stepper.difference(coarse) * 4.0 / 3.0  # of the whole step, which is of third order locally
        # Two ways of computing one step differ by rounding anyway: a splitting error below that is small enough, and
        # a difference below that, as of a short step to a landing, says only that the error is at most so large.
        rounding = _ROUNDINGS_A_STEP * np.finfo(self.settings.dtype).eps
        largest = max(local, rounding) / length**3
        self.local_error = largest if local > rounding else min(largest, self.local_error)
        self.error += self.local_error * length**3 / 4.0
        shortest = length * _GROWTH_UNSEEN if local < rounding else (rounding / self.local_error) ** (1.0 / 3.0)
        wanted = max(shortest, math.sqrt(self.rate_allowed / self.local_error))
        change = min(_LARGEST_CHANGE, max(1.0 / _LARGEST_CHANGE, wanted / self.step_days))
        self.step_days = min(self.settings.largest_step_days, self.step_days * change)
        self.probe_in = _STEPS_BETWEEN_PROBES
        self.day = end
        self._tell()
        self._arrive()

    def _whole_step(self, start: float, end: float, degree: int) -> None:
        middle = 0.5 * (start + end)
        self.stepper.react(self.reaction.flow(start, middle))
        self.stepper.diffuse(end - start, degree, self.reaction.flow(middle, end))

    def _record(self, end: float, degree: int) -> None:
        self.error += self.local_error * (end - self.day) ** 3
        self.ends.append(end)
        self.degrees.append(degree)
        self.day = end
        self._tell()

    def _tell(self) -> None:
        for tracker in self.trackers:
            tracker.step(self.day, self.outputs[-1], self.stepper)

    def _arrive(self) -> None:
        """The state is whole at ``self.day``: give the output, then resect, then apply kills that differ by voxel."""
        if self.day in self.outputs:
            self._check_finite(self.day)
            if self.keep:
                self.stepper.cellularity(self.fields[len(self.days)])
                self.stepper.tangents(self.tangents[len(self.days)])
            self.days.append(self.day)
            for tracker in self.trackers:
                tracker.output(self.day, self.stepper)
        for resection in self.reaction.resections:
            if resection.day == self.day:
                self.stepper.resect(resection)
        for kill in self.reaction.fields:
            if kill.day == self.day:
                self._apply(kill)

    def _check_finite(self, day: float) -> None:
        if not self.stepper.backend.is_finite(self.stepper.u):
            raise TumorTwinError(
                f"The solution is no longer finite at day {day:g}: check the parameters, the scans and the tissue maps."
            )

    def _apply(self, kill: FieldKill) -> None:
        factor = np.exp(-kill.coefficient.value[:, None, None, None] * kill.exponent)
        self.stepper.multiply(factor, -kill.coefficient.derivative[:, :, None, None, None] * kill.exponent)
