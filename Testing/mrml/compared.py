"""A comparison made up for the scene, the panel and the report: three regimens whose draws are known."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from TumorTwinLib.forecast import Forecast
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.comparison import Comparison
from TumorTwinLib.recommend.futures import Future
from TumorTwinLib.recommend.outcomes import Effect, RegimenOutcome, outcome_of
from TumorTwinLib.recommend.plans import UNTREATED, Plan
from TumorTwinLib.recommend.progression import RULES
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.recommend.verdict import (
    all_pairs,
    expected_regrets_days,
    pair_of,
    pareto_front,
    probabilities_best,
    verdict_of,
)
from TumorTwinLib.treatment.regimens import REGIMENS
from TumorTwinLib.treatment.toxicity import toxicity_proxies
from TumorTwinLib.uncertainty import STEPS

DRAWS, HORIZON_DAYS = 32, 120.0
NAMES = ("gbm_rt_60_30", "gbm_stupp", "gbm_elderly_40_15")


def make_comparison(forecast: Forecast, names: tuple[str, ...] = NAMES, delays=(60.0, 100.0, 40.0)) -> ComparisonRecord:
    """Tumors that shrink, then grow again after so many days, of the forecast's patient."""
    decision = forecast.start + timedelta(days=forecast.forecast_from_day)
    begin = datetime.combine(decision.date() + timedelta(days=1), datetime.min.time()).replace(hour=9)
    plans = [_plan(name, begin) for name in names]
    days = np.linspace(0.0, HORIZON_DAYS, 31)
    growth = np.random.default_rng(3).uniform(0.02, 0.03, DRAWS)
    untreated = _future(days, growth, 0.0)
    rule = RULES["volume"]
    outcomes: list[RegimenOutcome] = []
    for plan, delay in zip(plans, delays, strict=False):
        rests_on = (Effect("radiosensitivity_per_gy", 0.5, True),)
        if plan.name == "gbm_stupp":
            rests_on += (Effect("tmz_sensitivity_per_day", 0.95, False),)
        toxicity = toxicity_proxies(plan.events, 1.8)
        future = _future(days, growth, delay)
        outcomes.append(outcome_of(plan, future, untreated, days, rule, "core", toxicity, rests_on))
    control = outcome_of(UNTREATED, untreated, untreated, days, rule, "core", toxicity_proxies(()), ())
    informed = {"radiosensitivity_per_gy": True, "tmz_sensitivity_per_day": False}
    pairs = tuple(
        pair_of(a, b, ("tmz_sensitivity_per_day",) if "gbm_stupp" in (a.name, b.name) else ("radiosensitivity_per_gy",),
                informed)
        for a, b in all_pairs(outcomes)
    )  # fmt: skip
    comparison = Comparison(
        forecast.patient_id, decision, HORIZON_DAYS, "core", rule, tuple(outcomes), control, pairs,
        probabilities_best(outcomes), expected_regrets_days(outcomes), pareto_front(outcomes),
        verdict_of(outcomes, pairs), (DISCLAIMER, "Stupp rests on the prior <only>."), {"draws": DRAWS, "seed": 0},
    )  # fmt: skip
    later = np.flatnonzero(forecast.days >= forecast.forecast_from_day)
    density = {
        name: np.round(forecast.cellularity[later] * share * STEPS).astype(np.uint8)
        for name, share in zip((*names, UNTREATED.name), (0.6, 0.4, 0.8, 1.0), strict=False)
    }
    if len(names) < 3:
        density[UNTREATED.name] = np.round(forecast.cellularity[later] * STEPS).astype(np.uint8)
    courses = {plan.name: plan.events for plan in (*plans, UNTREATED)}
    return ComparisonRecord(
        comparison, forecast.start, courses, forecast.grid, forecast.days[later], density, "made up"
    )


def _plan(name: str, begin: datetime) -> Plan:
    regimen = REGIMENS[name]
    return Plan(name, regimen.title, regimen.events(begin), regimen.description, regimen.source)


def _future(days: np.ndarray, growth: np.ndarray, delay: float) -> Future:
    net = np.where(days < delay / 2, -days, days - delay)
    volume = 9000.0 * np.exp(growth[:, None] * (days if delay == 0.0 else net))
    return Future({"core": volume, "whole_tumor": 4 * volume}, 2.4e5 * volume, volume)
