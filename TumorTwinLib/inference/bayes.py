"""BayesianCalibration: from a patient's scans to the posterior of everything unknown about the tumor."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.inference.laplace import Mode, ModeStatus, climb, climb_from_all, find_starts, log_prior
from TumorTwinLib.inference.noise import ObservationNoise
from TumorTwinLib.inference.posterior import Cost, Posterior
from TumorTwinLib.inference.priors import Prior
from TumorTwinLib.inference.problem import make_simulator
from TumorTwinLib.inference.sampling import Draws, StudentProposal, adapted, importance_draws, tempered_draws
from TumorTwinLib.inference.simulator import Simulator
from TumorTwinLib.inference.unknowns import Doubts
from TumorTwinLib.models.observation import ObservedVisit
from TumorTwinLib.models.parameters import ParameterValues
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import Tracker

_COARSE_MM = 4.0  # of the first search; a grid this coarse already is searched itself
_STARTS, _KEPT = 32, 3
_LAPLACE_DRAWS = 1000
_LEAST_DRAWS = 100  # with fewer the Gaussian at the mode says more


@dataclass(frozen=True)
class Progress:
    """Where a calibration stands.

    Args:
        stage: ``"search"``, ``"most probable"``, ``"draws"`` or ``"tempering"``.
        done, total: of the stage, in solves; the total of a search is an upper bound.
        iterations, values: of the most probable parameters so far; None before any.
    """

    stage: str
    done: int
    total: int
    iterations: int = 0
    values: ParameterValues | None = None


@dataclass(eq=False)
class BayesianCalibration:
    """Calibrate a model to a patient, with the uncertainty of everything (docs/uncertainty.md).

    Args:
        model: with its priors.
        patient: with at least two visits.
        n_samples: weighted draws of the posterior, each from a solve of its own; 0 for the most probable values and the
            Gaussian there.
        visits: how many to use, from the first; all by default.
        priors: by parameter name, a ``Prior`` or a tuple such as ``("lognormal", median, log_sd)``, instead of the
            model's own.
        calibrate: names of the parameters to calibrate; all by default. The others stay at ``fixed`` or their median.
        doubts, noise: of the first state and growth, and of what scans show.
        settings: of the solver.
        seed: the same seed gives the same posterior, on any number of threads.
        trackers: passed to every solve; one that raises ``CancelledError`` stops the calibration, which then returns
            the best so far, marked as cancelled.
        on_progress: told where it stands.
        memory: results of solves, kept by the caller: a calibration stopped and run again with its memory solves
            nothing twice and ends in the same bits.
    """

    model: Any
    patient: PatientData
    n_samples: int = 1000
    visits: int | None = None
    priors: Mapping[str, Prior | Sequence] | None = None
    calibrate: Sequence[str] | None = None
    fixed: Mapping[str, float] | None = None
    doubts: Doubts | None = None
    noise: ObservationNoise | None = None
    settings: SolverSettings = field(default_factory=lambda: SolverSettings(tolerance=3e-3))
    seed: int = 0
    threads: int = 2
    trackers: Sequence[Tracker] = ()
    on_progress: Callable[[Progress], None] | None = None
    memory: MutableMapping[str, np.ndarray] = field(default_factory=dict)

    def run(self) -> Posterior:
        """Calibrate.

        Raises:
            TumorTwinError: fewer than two visits, nothing to compare with, or an unknown parameter.
            CancelledError: stopped before anything was known.
        """
        began, cpu = time.perf_counter(), time.process_time()
        fine = self._simulator(self.model)
        mode, found, coarse = self._mode(fine)
        cancelled = mode.status is ModeStatus.CANCELLED
        if cancelled or self.n_samples == 0:
            draws = laplace_draws(mode, self.n_samples, self.seed, complete=not cancelled)
        else:
            draws = self._draws(fine, mode)
        voxels = math.prod(fine.model.grid.shape)
        works = [*fine.work, *([] if coarse is fine else coarse.work)]
        cost = Cost(
            sum(draws_ for draws_, _ in works), sum(work for _, work in works) / voxels,
            time.perf_counter() - began, time.process_time() - cpu,
        )  # fmt: skip
        used = len(self.patient.visits) if self.visits is None else self.visits
        quiet = replace(fine, trackers=(), work=[])
        return Posterior(
            quiet, mode, draws, found, tuple(range(used)), self.seed, cost, cancelled or not draws.complete
        )

    def _simulator(self, model: Any, contour_levels_of: Sequence[ObservedVisit] | None = None) -> Simulator:
        return make_simulator(
            model, self.patient, visits=self.visits, priors=self.priors, calibrate=self.calibrate, fixed=self.fixed,
            doubts=self.doubts, noise=self.noise, settings=self.settings, trackers=self.trackers, memory=self.memory,
            threads=self.threads, contour_levels_of=contour_levels_of,
        )  # fmt: skip

    def _mode(self, fine: Simulator) -> tuple[Mode, int, Simulator]:
        """The most probable z, how many hills were told apart, and the simulator of the search."""
        coarse = fine
        if max(self.model.grid.spacing_mm) < 0.75 * _COARSE_MM:
            observed = self.model.observe(self.patient)[: self.visits]
            coarse = self._simulator(replace(self.model, resolution_mm=_COARSE_MM), observed)
        self._tell("search", 0, _STARTS)
        starts = find_starts(coarse, _STARTS, _KEPT, self.seed)
        self._tell("search", _STARTS, _STARTS)
        hills = climb_from_all(coarse, starts)
        best = hills[0]
        if best.status is not ModeStatus.CANCELLED:
            try:
                best = climb(
                    fine, best.z, on_step=lambda mode: self._tell("most probable", mode.iterations, 30, fine, mode)
                )
            except CancelledError:
                best = replace(best, status=ModeStatus.CANCELLED)
        return best, len(hills), coarse

    def _draws(self, simulator: Simulator, mode: Mode) -> Draws:
        rng = np.random.default_rng(self.seed)
        proposal = StudentProposal.of(mode.z, mode.covariance)

        def target(stage: str) -> Callable[[np.ndarray], np.ndarray]:
            def log_posterior(z: np.ndarray) -> np.ndarray:
                possible = simulator.unknowns.possible(z)
                summaries = simulator.summaries(z, lambda done: self._tell(stage, done, len(z), simulator, mode))
                missing = possible & np.isnan(summaries).all(axis=1)
                density = log_prior(z) + simulator.likelihood.log_likelihood(summaries)
                return np.where(missing, np.nan, density)

            return log_posterior

        draws = importance_draws(target("draws"), proposal, self.n_samples, rng)
        if draws.evaluations < min(_LEAST_DRAWS, self.n_samples):
            return laplace_draws(mode, self.n_samples, self.seed, complete=False)
        if draws.complete and not draws.reliable:
            proposal = adapted(proposal, draws)
            draws = importance_draws(target("draws"), proposal, self.n_samples, rng)
        if draws.complete and not draws.reliable:
            tempered = tempered_draws(target("tempering"), proposal, draws, rng)
            return tempered if tempered.complete else replace(draws, complete=False)
        return draws

    def _tell(
        self, stage: str, done: int, total: int, simulator: Simulator | None = None, best: Mode | None = None
    ) -> None:
        if self.on_progress is None:
            return
        told = Progress(stage, done, total)
        if simulator is not None and best is not None:
            told = replace(told, iterations=best.iterations, values=simulator.unknowns.values(best.z))
        self.on_progress(told)


def laplace_draws(mode: Mode, count: int, seed: int, *, complete: bool) -> Draws:
    """Draws of the Gaussian at the mode (1000 unless asked for more), which no solves have corrected."""
    count = max(count, _LAPLACE_DRAWS)
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(mode.covariance)
    z = mode.z + rng.standard_normal((count, len(mode.z))) @ root.T
    evidence = mode.log_posterior + 0.5 * len(mode.z) * math.log(2.0 * math.pi) + float(np.log(np.diag(root)).sum())
    weights = np.full(count, -math.log(count))
    return Draws("Laplace", z, weights, np.full(count, np.nan), math.inf, count, None, evidence, 0, complete)
