"""A small patient with a posterior, and courses to give it."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

import numpy as np

from Testing.inference import small_patient as small
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.recommend.plans import Plan
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent

DECISION = small.at(small.DAYS[-1])


@functools.lru_cache
def posterior() -> Posterior:
    """Laplace's, as its draws cost nothing. The scans show radiotherapy, and hardly temozolomide."""
    patient = small.virtual_patient(noise=0.05, rng=np.random.default_rng(5))
    return BayesianCalibration(small.model(), patient, 0, seed=3, threads=1).run()


def after(days: float, hour: float = 9.0) -> datetime:
    return datetime.combine(DECISION.date(), datetime.min.time()) + timedelta(days=days, hours=hour)


def fractions(count: int, dose_gy: float = 2.0, first: int = 1) -> list[TreatmentEvent]:
    """On working days, from the first on."""
    days = (after(first + n) for n in range(2 * count + 7))
    return [RadiotherapyFraction(day, dose_gy) for day in days if day.weekday() < 5][:count]


def doses(count: int, amount: float = 75.0, first: int = 1, every: int = 1) -> list[TreatmentEvent]:
    return [DrugDose(after(first + every * n), "temozolomide", amount, "mg/m2") for n in range(count)]


def plan(name: str, *parts: list[TreatmentEvent], **more) -> Plan:
    return Plan(name, name, tuple(event for part in parts for event in part), **more)
