"""Regimens compared on one posterior: the result, its table, and the function that makes it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.first_state import smoothed
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import Tracker
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.futures import common_draws, run_plans
from TumorTwinLib.recommend.outcomes import MEASURES, Effect, Estimate, RegimenOutcome, outcome_of
from TumorTwinLib.recommend.plans import UNTREATED, Plan, default_start, differing, effects, make_plan
from TumorTwinLib.recommend.progression import ProgressionRule, find_rule
from TumorTwinLib.recommend.verdict import (
    Pair,
    Verdict,
    all_pairs,
    expected_regrets_days,
    pair_of,
    pareto_front,
    probabilities_best,
    verdict_of,
)
from TumorTwinLib.treatment.dosing import STANDARD_BODY_SURFACE_AREA_M2
from TumorTwinLib.treatment.regimens import Regimen
from TumorTwinLib.treatment.toxicity import toxicity_proxies
from TumorTwinLib.version import VERSION

_LEAST_DRAWS = 16  # fewer cannot carry a 95 % interval


@dataclass(frozen=True, eq=False)
class Comparison:
    """Regimens on the same draws of one patient's posterior.

    Args:
        decision: the last visit used, from which all days count.
        region, rule: whose size, and when it counts as progression.
        outcomes: of the regimens, in the order given; untreated: the virtual control.
        pairs: every two regimens.
        probability_best, regret_days: by name, among the regimens.
        pareto: names on the front of time to progression against toxicity proxies.
        notes: what the reader must know; the disclaimer first.
        provenance: versions, seed, settings.
        cancelled: stopped on request: this rests on the draws solved until then, and recommends nothing.
    """

    patient_id: str
    decision: datetime
    horizon_days: float
    region: str
    rule: ProgressionRule
    outcomes: tuple[RegimenOutcome, ...]
    untreated: RegimenOutcome
    pairs: tuple[Pair, ...]
    probability_best: Mapping[str, float]
    regret_days: Mapping[str, float]
    pareto: tuple[str, ...]
    verdict: Verdict
    notes: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    cancelled: bool = False

    def __getitem__(self, name: str) -> RegimenOutcome:
        return next(o for o in (*self.outcomes, self.untreated) if o.name == name)

    def pair(self, first: str, second: str) -> Pair:
        """The pair in this order."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.first, pair.second) == (second, first):
                d = pair.difference
                turned = Estimate(-d.mean, -d.median, -d.upper, -d.lower)
                low, up = pair.decision_interval
                return replace(pair, first=first, second=second, difference=turned, decision_interval=(-up, -low),
                               probability_first=1.0 - pair.probability_first)  # fmt: skip
        raise KeyError((first, second))

    @property
    def sentence(self) -> str:
        """The verdict with titles; an abstention in words, with its reasons."""
        best = self.verdict.recommended
        return str(self.verdict if best is None else replace(self.verdict, recommended=self[best].title))

    def rows(self) -> list[dict[str, str | float]]:
        """One row a regimen, the untreated last; units are in the names of the columns."""
        return [self._row(outcome) for outcome in (*self.outcomes, self.untreated)]

    def _row(self, o: RegimenOutcome) -> dict[str, str | float]:
        row: dict[str, str | float] = {"regimen": o.title}
        for measure, (unit, _) in MEASURES.items():
            name = measure if measure.endswith(("_days", "_day", "_mm3")) or unit == "log10" else f"{measure}_{unit}"
            estimate = o.estimate(measure)
            row |= {name: estimate.median, f"{name}_lower": estimate.lower, f"{name}_upper": estimate.upper}
        doses = ", ".join(
            f"{drug} {dose:.4g} {o.toxicity.units[drug]}" for drug, dose in o.toxicity.cumulative_dose.items()
        )
        return row | {
            "progressed_share": float(o.progressed.mean()),
            "worst_tenth_time_to_progression_days": o.value_at_risk_days,
            "tumor_control_probability": o.tumor_control_probability,
            "probability_best": self.probability_best.get(o.name, math.nan),
            "expected_regret_days": self.regret_days.get(o.name, math.nan),
            "bed3_gy": o.toxicity.bed3_gy,
            "cumulative_dose": doses,
            "weeks": float(o.toxicity.weeks),
            "treatment_days": float(o.toxicity.visits),
            "surgeries": float(o.toxicity.surgeries),
            "pareto": "yes" if o.name in self.pareto else "",
            "rests_on_prior_of": ", ".join(o.prior_only),
            "exploratory": "yes" if o.exploratory else "",
        }

    def __str__(self) -> str:
        head = f"{'regimen':44s}{'progression (day)':>24s}{'gained (day)':>14s}{'log10 kill':>12s}{'P(best)':>9s}"
        lines = [head]
        for o in (*self.outcomes, self.untreated):
            ttp, best = o.estimate("time_to_progression_days"), self.probability_best.get(o.name)
            beyond = "+" if not o.progressed.all() else ""
            lines.append(
                f"{o.title[:43]:44s}{f'{ttp.median:.0f} ({ttp.lower:.0f} to {ttp.upper:.0f}{beyond})':>24s}"
                f"{o.estimate('days_gained').median:>14.0f}{o.estimate('log10_kill').median:>12.2f}"
                f"{'' if best is None else f'{best:.2f}':>9s}{'  prior only' if o.prior_only else ''}"
            )
        return "\n".join([*lines, str(self.verdict), *self.notes[1:]])

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        return {
            "patient_id": self.patient_id, "decision": self.decision.isoformat(), "horizon_days": self.horizon_days,
            "region": self.region, "rule": asdict(self.rule),
            "outcomes": [o.to_dict() for o in self.outcomes], "untreated": self.untreated.to_dict(),
            "pairs": [asdict(pair) for pair in self.pairs], "probability_best": dict(self.probability_best),
            "regret_days": dict(self.regret_days), "pareto": list(self.pareto), "verdict": asdict(self.verdict),
            "notes": list(self.notes), "provenance": dict(self.provenance), "cancelled": self.cancelled,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Comparison:
        pairs = tuple(
            Pair(p["first"], p["second"], Estimate(**p["difference"]), tuple(p["decision_interval"]),
                 p["probability_first"], tuple(p["differs_in"]), tuple(p["unknown"]))
            for p in data["pairs"]
        )  # fmt: skip
        v = data["verdict"]
        return cls(
            data["patient_id"], datetime.fromisoformat(data["decision"]), data["horizon_days"], data["region"],
            ProgressionRule(**data["rule"]), tuple(RegimenOutcome.from_dict(o) for o in data["outcomes"]),
            RegimenOutcome.from_dict(data["untreated"]), pairs, data["probability_best"], data["regret_days"],
            tuple(data["pareto"]),
            Verdict(v["recommended"], v["leading"], tuple(v["not_told_apart"]), tuple(v["reasons"])),
            tuple(data["notes"]), data["provenance"], data["cancelled"],
        )  # fmt: skip


def compare_regimens(
    posterior: Posterior,
    regimens: Sequence[Regimen | Plan],
    horizon_days: float = 180.0,
    *,
    start: datetime | None = None,
    targets: Mapping[str, Image] | None = None,
    days_off: Collection[date] = (),
    draws: int = 64,
    rule: str | ProgressionRule = "volume",
    region: str | None = None,
    resolution_mm: float | None = None,
    every_days: float = 4.0,
    seed: int = 0,
    settings: SolverSettings | None = None,
    trackers: Sequence[Tracker] = (),
    on_progress: Callable[[int, int], None] | None = None,
    memory: MutableMapping[str, np.ndarray] | None = None,
) -> Comparison:
    """Run every regimen on the same draws, from the last visit used on, and compare.

    Args:
        posterior: of the patient; of a Laplace approximation too.
        regimens: of the library or the user's own, or plans with their dates (``recorded_plan``).
        horizon_days: after the last visit used.
        start: day 1 of the regimens, at the time of day at which patients are treated; 9:00 on the next day by default.
        targets: masks that fractions and resections refer to (``standard_targets``); without them the whole brain gets
            the prescribed dose.
        draws: of the posterior, 64 to 128.
        rule: of progression, a name in ``progression.RULES`` or a rule of one's own.
        region: whose size it is; the model's first by default (of a glioblastoma the enhancing core).
        resolution_mm: of a coarser grid than the model's, faster; its error is the user's to check.
        every_days: between outputs.
        settings: of the solver; those of the posterior by default.
        trackers: one that raises CancelledError ends it with the draws solved until then, if these are enough, marked.
        memory: any mapping, of this posterior alone; what it holds is not solved again.

    Raises:
        TumorTwinError: no regimen, one twice, a horizon or number of draws that makes no sense, or a rule that needs
            what this model does not have.
        CancelledError: stopped on request before 16 draws were solved.
    """
    began = time.perf_counter()
    patient, simulator = posterior.patient, posterior.simulator
    progression = find_rule(rule)
    region = region or next(iter(simulator.model.thresholds))
    _check(simulator.model, regimens, horizon_days, draws, every_days, progression, region)
    if resolution_mm is not None:
        model = replace(simulator.model, resolution_mm=resolution_mm)
        simulator = replace(simulator, model=model, first=smoothed(model.observe(patient)[0]))
    decision = patient.visits[posterior.visits_used[-1]].time
    start = start or default_start(decision)
    plans = [make_plan(r, patient, decision, start, targets=targets, days_off=days_off) for r in regimens]
    common = common_draws(posterior, draws, horizon_days, every_days, seed)
    futures = run_plans(
        simulator, common, decision, [*plans, UNTREATED], progression, region,
        settings=settings, trackers=trackers, on_progress=on_progress, memory=memory,
    )  # fmt: skip
    solved = np.flatnonzero(np.logical_and.reduce([future.solved for future in futures]))
    cancelled = len(solved) < draws
    if cancelled and len(solved) < _LEAST_DRAWS:
        raise CancelledError("Stopped on request before enough draws were compared.")
    futures = tuple(future.of(solved) for future in futures)
    untreated = futures[-1]
    ratios = posterior.posterior_to_prior_sd
    informed = posterior.informed
    area = patient.body_surface_area_m2 or STANDARD_BODY_SURFACE_AREA_M2
    days = common.days - common.days[0]
    outcomes, acts = [], []
    for plan, future in zip([*plans, UNTREATED], futures, strict=True):
        own = effects(simulator.model, patient, plan)
        acts.append(own)
        rests_on = tuple(
            Effect(name, float(ratios.get(name, math.inf)), bool(informed.get(name, False))) for name in own
        )
        toxicity = toxicity_proxies(plan.events, area)
        outcomes.append(
            outcome_of(plan, future, untreated, days, progression, region, toxicity, rests_on)
        )  # fmt: skip
    control = outcomes.pop()
    act = {outcome.name: own for outcome, own in zip(outcomes, acts, strict=False)}
    pairs = []
    for first, second in all_pairs(outcomes):
        pairs.append(pair_of(first, second, differing(act[first.name], act[second.name]), informed))
    notes = _notes(posterior, plans, outcomes, targets, resolution_mm)
    verdict = verdict_of(outcomes, pairs)
    if cancelled:
        stopped = f"Stopped on request after {len(solved)} of {draws} draws."
        notes, verdict = (*notes, stopped), replace(verdict, recommended=None, reasons=(*verdict.reasons, stopped))
    provenance = {
        "program": f"TumorTwin {VERSION}", "model": simulator.model.name, "draws": len(solved), "seed": seed,
        "posterior": posterior.draws.method, "voxel size (mm)": list(simulator.model.grid.spacing_mm),
        "tolerance": (settings or simulator.settings).tolerance, "seconds": time.perf_counter() - began,
    }  # fmt: skip
    return Comparison(
        patient.patient_id, decision, float(horizon_days), region, progression, tuple(outcomes), control, tuple(pairs),
        probabilities_best(outcomes), expected_regrets_days(outcomes), pareto_front(outcomes),
        verdict, notes, provenance, cancelled,
    )  # fmt: skip


def _check(
    model: Any, regimens: Sequence[Regimen | Plan], horizon_days: float, draws: int, every_days: float,
    rule: ProgressionRule, region: str,
) -> None:  # fmt: skip
    names = [regimen.name for regimen in regimens]
    if not names:
        raise TumorTwinError("There is no regimen to simulate: give at least one.")
    twice = next((name for name in names if names.count(name) > 1 or name == UNTREATED.name), None)
    if twice is not None:
        raise TumorTwinError(f"The regimen {twice} is there twice (untreated always is): give each its own name.")
    if not (np.isfinite(horizon_days) and horizon_days > 0 and 0 < every_days <= horizon_days):
        raise TumorTwinError(
            f"A horizon of {horizon_days} days with an output every {every_days}: give a horizon above zero, and "
            "outputs within it."
        )
    if draws < _LEAST_DRAWS:
        raise TumorTwinError(f"{draws} draws cannot carry an interval: give at least {_LEAST_DRAWS}, 64 as a rule.")
    if rule.quantity == "psa":
        raise TumorTwinError(f"The {model.name} model has no PSA: choose a rule on volume, product or diameter.")
    if region not in model.thresholds:
        raise TumorTwinError(
            f"The {model.name} model has no region {region!r}: choose from {', '.join(model.thresholds)}."
        )


def _notes(
    posterior: Posterior, plans: Sequence[Plan], outcomes: Sequence[RegimenOutcome],
    targets: Mapping[str, Image] | None, resolution_mm: float | None,
) -> tuple[str, ...]:  # fmt: skip
    notes = [DISCLAIMER]
    prior_only = [o for o in outcomes if o.prior_only]
    if prior_only:
        names = sorted({name for o in prior_only for name in o.prior_only})
        notes.append(
            f"{', '.join(o.title for o in prior_only)}: the data say nothing of {', '.join(names)}; that effect "
            "rests on the prior only."
        )
    notes += [f"{plan.title}: {plan.note}." for plan in plans if plan.note]
    notes += [f"{plan.title} is exploratory: without evidence in patients." for plan in plans if plan.exploratory]
    if not (targets and "ptv" in targets):
        notes.append(
            "Radiotherapy is given to the whole brain at the prescribed dose, unless a plan has a dose volume."
        )
    if not posterior.draws.reliable and posterior.draws.method != "Laplace":
        notes.append("The posterior's draws are not reliable: see its summary.")
    if resolution_mm is not None:
        notes.append(f"Simulated on a grid of {resolution_mm:g} mm, coarser than the calibration's.")
    return tuple(notes)
