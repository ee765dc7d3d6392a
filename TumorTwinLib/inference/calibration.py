"""MAP calibration: the most probable parameters of a model given a patient's visits, and how well they are known."""

from __future__ import annotations

import enum
import functools
import hashlib
import math
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.forecast import ParameterValue
from TumorTwinLib.inference.least_squares import Fit, FitStatus, Objective, minimise
from TumorTwinLib.inference.residuals import CELLULARITY, SEGMENTATION, Block, ResidualCollector
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.models.observation import ObservedVisit
from TumorTwinLib.models.parameters import ParameterValues
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.populations import PopulationReaction
from TumorTwinLib.physics.reaction import LogisticReaction, Rate
from TumorTwinLib.physics.solver import SolverSettings, Status, StepPlan, solve
from TumorTwinLib.physics.trackers import Tracker

_FIRST_SHARE = 0.02  # of voxels that are independent, until residuals are seen
_COARSE = 10.0  # the first phase solves with a tolerance this much wider
_PHASES = 4
_SETTLED = 0.1  # relative change of the number of independent voxels that is not worth another phase
_INFORMED = 0.8  # posterior over prior standard deviation below which data informed a parameter

Reaction = LogisticReaction | PopulationReaction


class Calibrated(Protocol):
    """What a twin asks of the calibration that its parameters come from."""

    @property
    def patient(self) -> PatientData: ...
    @property
    def visits_used(self) -> tuple[int, ...]: ...
    @property
    def status(self) -> enum.Enum: ...
    @property
    def iterations(self) -> int: ...
    @property
    def root_mean_square(self) -> Mapping[str, float]: ...
    def parameter_values(self) -> tuple[ParameterValue, ...]: ...
    def initial_value_problem(self, model: ReactionDiffusionModel) -> tuple[np.ndarray, Reaction, Rate]: ...


class CalibratedParameters(ParameterValues):
    """Parameter values with the patient they belong to, so that a twin needs nothing else."""

    def __init__(self, model: ReactionDiffusionModel, values: Mapping[str, float], result: Calibrated) -> None:
        super().__init__(model.parameters, values)
        self.result = result

    @property
    def patient(self) -> PatientData:
        return self.result.patient


@dataclass(frozen=True, eq=False)
class MapResult:
    """The outcome of a calibration.

    Args:
        status, message: how it ended and what to do about it.
        names: calibrated parameters, in the order of the arrays.
        log_values: (P,); log_covariance: (P, P) Laplace approximation with the effective sample size.
        independent_share: effective over actual number of voxels, by kind of data.
        root_mean_square: of the residuals by kind, in cellularity or probability; it counts as their noise.
        visits_used: indices of the visits fitted, the first included.
        history: objective after each accepted step.
        model_solves, cpu_seconds: what it cost.
    """

    model: ReactionDiffusionModel
    patient: PatientData
    status: FitStatus
    names: tuple[str, ...]
    log_values: np.ndarray
    log_covariance: np.ndarray
    independent_share: Mapping[str, float]
    root_mean_square: Mapping[str, float]
    visits_used: tuple[int, ...]
    history: tuple[float, ...]
    iterations: int
    model_solves: int
    cpu_seconds: float

    @property
    def message(self) -> str:
        return self.status.value

    @property
    def noise(self) -> Mapping[str, float]:
        """Most probable standard deviation of the noise by kind of data."""
        return self.root_mean_square

    @property
    def map_estimate(self) -> CalibratedParameters:
        values = dict(zip(self.names, np.exp(self.log_values), strict=True))
        return CalibratedParameters(self.model, values, self)

    @property
    def posterior_to_prior_sd(self) -> dict[str, float]:
        """Below 0.8 the data informed a parameter; otherwise its value rests on the prior."""
        prior = {p.name: p.log_sd for p in self.model.parameters}
        return {name: sd / prior[name] for name, sd in zip(self.names, self._log_sd, strict=True)}

    @property
    def informed(self) -> dict[str, bool]:
        return {name: ratio < _INFORMED for name, ratio in self.posterior_to_prior_sd.items()}

    def initial_value_problem(self, model: ReactionDiffusionModel) -> tuple[np.ndarray, Reaction, Rate]:
        """First state, reaction and diffusivity of the most probable parameters, for ``model``, on whatever grid."""
        values = self.map_estimate
        return model.initial_state(model.observe(self.patient)[0], values), *model.dynamics(self.patient, [values])

    def credible_interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Lower and upper bound by parameter, of the Laplace approximation in log-parameters."""
        from scipy.special import ndtri

        z = float(ndtri(0.5 + 0.5 * level))
        bounds = (self.log_values - z * self._log_sd, self.log_values + z * self._log_sd)
        return {n: (math.exp(low), math.exp(up)) for n, low, up in zip(self.names, *bounds, strict=True)}

    def parameter_values(self) -> tuple[ParameterValue, ...]:
        """Rows of the parameter table; a parameter not calibrated has no standard error."""
        estimate, ratios = self.map_estimate, self.posterior_to_prior_sd
        sd = dict(zip(self.names, self._log_sd, strict=True))
        return tuple(
            ParameterValue(
                p.name, p.symbol, estimate[p.name], p.unit,
                estimate[p.name] * sd[p.name] if p.name in sd else None, ratios.get(p.name), p.source,
            )
            for p in self.model.parameters
        )  # fmt: skip

    @property
    def _log_sd(self) -> np.ndarray:
        return np.sqrt(np.diag(self.log_covariance))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one run of the model against the scans gave; whoever has it need not run the model again.

    Args:
        blocks: condensed residuals by kind of data.
        plan: the solver's steps.
    """

    blocks: Mapping[str, Block]
    plan: StepPlan


@dataclass(frozen=True, eq=False)
class FitSoFar:
    """Where a calibration stands.

    Args:
        phase: 0 is the coarse one.
        iterations: evaluations of the model.
        values: the best parameters yet.
        root_mean_square: their residual by kind of data, in cellularity or probability.
    """

    phase: int
    iterations: int
    values: ParameterValues
    root_mean_square: Mapping[str, float]


@dataclass(eq=False)
class MapCalibration:
    """Fit a model to a patient by Levenberg-Marquardt with tangents on log-parameters.

    The first visit gives the initial state; every later one is compared with the model. Noise and effective sample
    size are estimated from the residuals between phases, so that standard errors reflect the misfit that is seen.

    Args:
        model: with its priors.
        patient: with at least two visits.
        visits: how many visits to use, from the first; all by default.
        data: ``"auto"``, or any of ``"cellularity"`` and ``"segmentation"``. Auto takes cellularity where a later visit
            has an ADC map, and contours otherwise.
        calibrate: names of the parameters to fit; all by default.
        start: initial guess, by name; the prior medians by default.
        settings: of the solver; the first phase solves ten times more coarsely.
        trackers: passed to every solve (cancel, progress).
        on_iteration: told the fit so far at the start of every phase and before every step.
        memory: evaluations by a key of their arguments, kept by the caller. A calibration that was stopped, run again
            with its memory, goes the same way without solving what it had solved, and ends in the same numbers.
    """

    model: ReactionDiffusionModel
    patient: PatientData
    visits: int | None = None
    data: str | Sequence[str] = "auto"
    calibrate: Sequence[str] | None = None
    start: Mapping[str, float] = field(default_factory=dict)
    settings: SolverSettings = field(default_factory=lambda: SolverSettings(tolerance=1e-3))
    max_iterations: int = 60
    trackers: Sequence[Tracker] = ()
    on_iteration: Callable[[FitSoFar], None] | None = None
    memory: MutableMapping[str, Evaluation] = field(default_factory=dict)

    def run(self) -> MapResult:
        """Calibrate.

        Raises:
            TumorTwinError: fewer than two visits, nothing to compare with, or an unknown parameter.
            CancelledError: stopped before the first evaluation was complete.
        """
        cpu = time.process_time()
        problem = _Problem(self)
        low, high = problem.bounds
        x = np.clip(problem.start, low, high)
        solver = replace(self.settings, tolerance=self.settings.tolerance * _COARSE)
        blocks = problem.evaluate(x, solver)
        fit = Fit(FitStatus.STALLED, x, blocks, math.inf, 1, ())
        share = dict.fromkeys(blocks, _FIRST_SHARE)
        objective = _objective(problem, share, blocks)
        plan: StepPlan | None = None
        for phase in range(_PHASES):
            tell = functools.partial(self._tell, problem, phase)
            tell(fit)
            if phase == 1:
                solver = self.settings
                try:
                    fit = replace(fit, blocks=problem.evaluate(fit.x, solver), iterations=fit.iterations + 1)
                except CancelledError:
                    fit = replace(fit, status=FitStatus.CANCELLED)
                    break
                plan = problem.last_plan  # from here the model is one smooth function of its parameters
            if phase:
                share = {kind: block.independent_share for kind, block in fit.blocks.items()}
                previous, objective = objective, _objective(problem, share, fit.blocks)
                if phase > 1 and _settled(previous, objective):
                    break
            fit = minimise(
                functools.partial(problem.evaluate, settings=solver, plan=plan),
                fit, objective, low, high, max_iterations=self.max_iterations, expected_gain=0.01 if phase else 0.1,
                on_step=tell,
            )  # fmt: skip
            if fit.status is FitStatus.CANCELLED:
                break
        _, hessian = objective.normal_equations(fit.x, fit.blocks)
        return MapResult(
            self.model, self.patient, fit.status, problem.names, fit.x, np.linalg.inv(hessian),
            share, _root_mean_square(fit.blocks),
            tuple(range(problem.visit_count)), fit.history, fit.iterations, problem.solves, time.process_time() - cpu,
        )  # fmt: skip

    def _tell(self, problem: _Problem, phase: int, fit: Fit) -> None:
        if self.on_iteration is not None:
            rms = _root_mean_square(fit.blocks)
            self.on_iteration(FitSoFar(phase, fit.iterations, problem.values(fit.x), rms))


class _Problem:
    """A calibration as a function of log-parameters."""

    def __init__(self, request: MapCalibration) -> None:
        model, patient = request.model, request.patient
        self.request, self.model, self.patient = request, model, patient
        self.visit_count = len(patient.visits) if request.visits is None else request.visits
        if not 2 <= self.visit_count <= len(patient.visits):
            raise TumorTwinError(
                f"Patient {patient.patient_id} has {len(patient.visits)} visits and {self.visit_count} are to be used: "
                "calibration needs at least two."
            )
        declared = {p.name: p for p in model.parameters}
        self.names = tuple(declared if request.calibrate is None else request.calibrate)
        chosen = model.values(dict.fromkeys(self.names, 1.0) | dict(request.start))  # refuses unknown names
        fixed = {name: chosen[name] for name in declared if name not in self.names}
        self.fixed = fixed
        parameters = [declared[name] for name in self.names]
        self.prior_mean = np.log([p.median for p in parameters])
        self.prior_sd = np.array([p.log_sd for p in parameters])
        self.bounds = np.log([p.lower for p in parameters]), np.log([p.upper for p in parameters])
        self.start = np.log([request.start.get(p.name, p.median) for p in parameters])
        observed = model.observe(patient)[: self.visit_count]
        self.first, self.later = observed[0], observed[1:]
        self.kinds = _kinds(request.data, self.later, patient.patient_id)
        self.days = [visit.day for visit in self.later]
        domain = model.physics_domain
        self.mask = domain.unpack(domain.mask)
        self.solves = 0
        self.last_plan: StepPlan | None = None

    def values(self, x: np.ndarray) -> ParameterValues:
        return self.model.values(self.fixed | dict(zip(self.names, np.exp(x), strict=True)))

    def evaluate(self, x: np.ndarray, settings: SolverSettings, plan: StepPlan | None = None) -> Mapping[str, Block]:
        """Residuals of every later visit at these log-parameters, with their normal equations."""
        memory, key = self.request.memory, _key(x, settings, plan)
        if key not in memory:
            memory[key] = self._run_model(x, settings, plan)
        self.last_plan = memory[key].plan
        return memory[key].blocks

    def _run_model(self, x: np.ndarray, settings: SolverSettings, plan: StepPlan | None) -> Evaluation:
        values = self.values(x)
        collector = ResidualCollector(self.later, self.kinds, self.model.thresholds, self.mask, len(self.names))
        reaction, diffusivity = self.model.dynamics(self.patient, [values], self.names)
        solution = solve(
            self.model.physics_domain,
            self.model.initial_state(self.first, values, self.names),
            reaction,
            diffusivity,
            self.days,
            start_day=self.first.day,
            settings=settings,
            plan=plan,
            trackers=[collector, *self.request.trackers],
            keep_fields=False,
        )
        if solution.status is Status.CANCELLED:
            raise CancelledError(solution.message)
        self.solves += 1
        return Evaluation(collector.blocks, solution.plan)


def _key(x: np.ndarray, settings: SolverSettings, plan: StepPlan | None) -> str:
    """Names one evaluation of a given problem; the numbers count to their last bit."""
    steps = None if plan is None else (plan.ends, plan.degrees)
    text = f"{[float(v).hex() for v in x]} {settings} {steps}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _kinds(data: str | Sequence[str], later: Sequence[ObservedVisit], patient_id: str) -> tuple[str, ...]:
    has = {
        CELLULARITY: any(v.cellularity is not None for v in later),
        SEGMENTATION: any(v.whole is not None or v.core is not None for v in later),
    }
    wanted: tuple[str, ...]
    if data == "auto":
        wanted = (CELLULARITY,) if has[CELLULARITY] else (SEGMENTATION,)
    else:
        wanted = (data,) if isinstance(data, str) else tuple(data)
    for kind in wanted:
        if kind not in has:
            raise TumorTwinError(f"Unknown kind of data {kind!r}: choose 'auto', 'cellularity' or 'segmentation'.")
        if not has[kind]:
            needed = "ADC map" if kind == CELLULARITY else "segmentation"
            raise TumorTwinError(
                f"No visit after the first of patient {patient_id} has a tumour {needed}: add one, or use other data."
            )
    return wanted


def _root_mean_square(blocks: Mapping[str, Block]) -> dict[str, float]:
    return {k: math.sqrt(b.squares / max(b.count, 1)) for k, b in blocks.items()}


def _objective(problem: _Problem, share: Mapping[str, float], blocks: Mapping[str, Block]) -> Objective:
    independent = {kind: share[kind] * block.count for kind, block in blocks.items()}
    return Objective(independent, problem.prior_mean, problem.prior_sd)


def _settled(before: Objective, now: Objective) -> bool:
    """Whether another phase would leave standard errors as they are, to 5 %."""
    return all(abs(now.independent[k] - n) <= _SETTLED * n for k, n in before.independent.items())
