"""The posterior of a calibration: draws, what they say of every parameter, and how far they can be trusted."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError
from TumorTwinLib.forecast import ParameterValue
from TumorTwinLib.inference.calibration import CalibratedParameters, Reaction
from TumorTwinLib.inference.first_state import smoothed
from TumorTwinLib.inference.laplace import Mode
from TumorTwinLib.inference.predictive import Predictive, predict, prior_draws
from TumorTwinLib.inference.sampling import Draws, systematic_resample
from TumorTwinLib.inference.simulator import Simulator
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.reaction import Rate
from TumorTwinLib.uncertainty import INFORMED, ParameterRow, PosteriorSummary

_SHOWN_DRAWS = 400  # of a summary, for pictures


@dataclass(frozen=True)
class Cost:
    """What a posterior cost.

    Args:
        solves: runs of the model, counting each draw once.
        forward_equivalents: in solves of one draw without derivatives on the model's own grid, by fields times voxels.
    """

    solves: int
    forward_equivalents: float
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """Weighted draws of everything unknown about a patient.

    Args:
        simulator: the model as a function of the unknowns, with data and priors.
        mode: the most probable unknowns and the curvature there.
        draws: of z.
        modes_found: hills of the posterior that the coarse search told apart.
        visits_used: indices of the visits fitted.
        seed: of the draws.
        cancelled: stopped on request; what is here is the best so far.
    """

    simulator: Simulator
    mode: Mode
    draws: Draws
    modes_found: int
    visits_used: tuple[int, ...]
    seed: int
    cost: Cost
    cancelled: bool = False

    @property
    def model(self) -> Any:
        return self.simulator.model

    @property
    def patient(self) -> PatientData:
        return self.simulator.patient

    @property
    def names(self) -> tuple[str, ...]:
        """Of the calibrated parameters."""
        return self.simulator.unknowns.parameters

    @property
    def weights(self) -> np.ndarray:
        """(n,) of the draws; they sum to one."""
        return np.exp(self.draws.log_weights)

    @property
    def samples(self) -> dict[str, np.ndarray]:
        """(n,) draws of every calibrated parameter, to be used with ``weights``."""
        values = self.simulator.unknowns.parameter_values(self.draws.z)
        return dict(zip(self.names, values.T, strict=True))

    def equal_draws(self, count: int, seed: int | None = None) -> dict[str, np.ndarray]:
        """(count,) draws of every calibrated parameter that are equally probable."""
        rng = np.random.default_rng(self.seed if seed is None else seed)
        chosen = systematic_resample(self.weights, count, rng)
        return {name: x[chosen] for name, x in self.samples.items()}

    @property
    def k_hat(self) -> float:
        return self.draws.k_hat

    @property
    def log_evidence(self) -> float:
        """Of the data under this model: differences between models of the same data compare them."""
        return self.draws.log_evidence

    @property
    def map_estimate(self) -> CalibratedParameters:
        """The most probable parameters; they know their patient, so that a twin needs nothing else."""
        return CalibratedParameters(self.model, self.simulator.unknowns.values(self.mode.z), self)

    def credible_interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Lower and upper bound by parameter: weighted quantiles of the draws."""
        tail = 0.5 * (1.0 - level)
        return {
            name: (weighted_quantile(x, self.weights, tail), weighted_quantile(x, self.weights, 1.0 - tail))
            for name, x in self.samples.items()
        }

    @functools.cached_property
    def _z_moments(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self.weights @ self.draws.z
        return mean, np.sqrt(self.weights @ (self.draws.z - mean) ** 2)

    @property
    def posterior_to_prior_sd(self) -> dict[str, float]:
        """Below 0.8 the data informed a parameter; otherwise its value rests on the prior."""
        return dict(zip(self.names, self._z_moments[1], strict=False))

    @property
    def informed(self) -> dict[str, bool]:
        return {name: ratio < INFORMED for name, ratio in self.posterior_to_prior_sd.items()}

    def summary(self) -> PosteriorSummary:
        """The table of parameters and how far it can be trusted."""
        interval, samples = self.credible_interval(0.95), self.samples
        mean, sd = self._z_moments
        declared = {p.name: p for p in self.model.parameters}
        rows = []
        for i, name in enumerate(self.names):
            prior = self.simulator.unknowns.priors[name]
            spread = max(float(sd[i]), 1e-300)
            divergence = 0.5 * (spread**2 + float(mean[i]) ** 2 - 1.0) - np.log(spread)
            r_hat = None if self.draws.r_hat is None else float(self.draws.r_hat[i])
            median = weighted_quantile(samples[name], self.weights, 0.5)
            rows.append(ParameterRow(
                name, declared[name].symbol, prior.unit, median, *interval[name], *prior.interval(),
                spread, float(divergence), r_hat, prior.source,
            ))  # fmt: skip
        d = self.draws
        return PosteriorSummary(
            tuple(rows), self._notes(), d.method, d.k_hat if np.isfinite(d.k_hat) else None, d.effective,
            d.method != "Laplace" and d.reliable, self.cancelled, self.equal_draws(_SHOWN_DRAWS),
        )  # fmt: skip

    def _notes(self) -> tuple[str, ...]:
        d = self.draws
        trust = f"Pareto k-hat {d.k_hat:.2f}" if d.r_hat is None else f"largest R-hat {d.r_hat.max():.3f}"
        if d.method == "Laplace":
            notes = ["A Gaussian at the most probable values, not corrected by solves."]
        else:
            notes = [f"{len(d.z)} draws by {d.method}, worth {d.effective:.0f} equal ones; {trust}."]
        if d.method != "Laplace" and not d.reliable:
            notes.append("These draws are not reliable: give more samples, or check the data against the model.")
        if self.modes_found > 1:
            notes.append(f"{self.modes_found} separate explanations of the data were found; draws are around the best.")
        if self.cancelled:
            notes.append("Stopped on request: this is the best so far.")
        return tuple(notes)

    def predictive(
        self,
        horizon_days: float,
        output_times: Any = None,
        *,
        fields: int = 128,
        seed: int | None = None,
        on_progress: Any = None,
        trackers: Any = (),
        also_days: Any = (),
        field_days: Any = None,
    ) -> Predictive:
        """Where the tumor will be, and how large a scan will show it: ``fields`` draws run into the future.

        Args:
            horizon_days, output_times: days after the last visit used, as in ``DigitalTwin.predict``.
            on_progress: called with done and total draws.
            also_days, field_days: further days, and those to keep fields of; both counted from the first visit.

        Raises:
            TumorTwinError: a horizon or output time that is not positive.
            CancelledError: stopped on request.
        """
        rng = np.random.default_rng(self.seed + 1 if seed is None else seed)
        simulator = replace(self.simulator, trackers=tuple(trackers))
        return predict(
            simulator, self.draws, horizon_days, output_times, fields, rng, on_progress,
            also_days=also_days, field_days=field_days,
        )  # fmt: skip

    def prior_predictive(
        self,
        horizon_days: float,
        output_times: Any = None,
        *,
        draws: int = 64,
        on_progress: Any = None,
        also_days: Any = (),
        trackers: Any = (),
    ) -> Predictive:
        """The same from draws of the prior: what was expected before any later scan was seen. No fields are kept.

        Raises:
            TumorTwinError: a horizon or output time that is not positive.
            CancelledError: stopped on request.
        """
        simulator = replace(self.simulator, trackers=tuple(trackers))
        rng = np.random.default_rng(self.seed + 2)
        unseen = prior_draws(simulator.unknowns, draws, rng)
        return predict(
            simulator, unseen, horizon_days, output_times, draws, rng, on_progress, also_days=also_days, field_days=()
        )

    # What a DigitalTwin asks of the calibration its parameters come from.

    @property
    def status(self) -> Any:
        return self.mode.status

    @property
    def message(self) -> str:
        return self.mode.status.value

    @property
    def iterations(self) -> int:
        return self.mode.iterations

    @property
    def root_mean_square(self) -> Mapping[str, float]:
        """Of the residuals of the most probable parameters, in units of their expected errors, by kind of data."""
        try:
            summaries, _ = self.simulator.linearised(self.mode.z)
        except CancelledError:
            return {}
        lengths = self.simulator.likelihood.lengths(summaries)
        groups = self.simulator.likelihood.groups
        return {f"{g.name}, expected 1": float(np.sqrt(q / len(g.rows))) for g, q in zip(groups, lengths, strict=True)}

    def initial_value_problem(self, model: Any) -> tuple[np.ndarray, Reaction, Rate]:
        """First state, reaction and diffusivity of the most probable unknowns, for ``model``, on whatever grid."""
        first = smoothed(model.observe(self.patient)[0])
        return replace(self.simulator, model=model, first=first).problem(self.mode.z[None])

    def parameter_values(self) -> tuple[ParameterValue, ...]:
        """Rows of the parameter table; a parameter not calibrated has no standard error."""
        estimate, ratios = self.map_estimate, self.posterior_to_prior_sd
        weights, samples = self.weights, self.samples
        rows = []
        for p in self.model.parameters:
            sd = None
            if p.name in samples:
                x = samples[p.name]
                sd = float(np.sqrt(weights @ (x - weights @ x) ** 2))
            rows.append(ParameterValue(p.name, p.symbol, estimate[p.name], p.unit, sd, ratios.get(p.name), p.source))
        return tuple(rows)

    def save(self, folder: str | Path) -> None:
        """JSON and ``.npy`` files that ``load_posterior`` reads."""
        from TumorTwinLib.inference.posterior_files import save_posterior

        save_posterior(self, Path(folder))


def weighted_quantile(values: np.ndarray, weights: np.ndarray, probability: float) -> float:
    """Where the weighted distribution function of (n,) values, linear between its middles, reaches a probability."""
    order = np.argsort(values, kind="stable")
    w = weights[order]
    return float(np.interp(probability, np.cumsum(w) - 0.5 * w, values[order]))
