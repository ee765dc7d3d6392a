"""How often a comparison of regimens is right, and how often it says that it cannot know.

    python -m Testing.Studies.regimen_cohort [--patients 100] [--work FOLDER]

Every virtual patient (``regimen_patients``) is calibrated by the real code, with 200 importance samples, and the
regimens are compared on 64 draws of them. Per patient:

- *tie*: radiotherapy against temozolomide whose dose makes the true time to progression equal. "Better" is wrong.
- *power*: the same with a true time 20 % longer.
- *choice*: four regimens; is the recommended one the truly best?

Resumable: one line of JSON a patient in ``FOLDER/regimen_cohort.jsonl``, which holds the seed; a second run continues.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from Testing.Benchmarks.results import record
from Testing.inference import small_patient as small
from Testing.Studies.regimen_patients import (
    DAYS,
    EVERY_DAYS,
    HORIZON_DAYS,
    PRIORS,
    REGION,
    VirtualPatient,
    virtual_patient,
)
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.metrics import clopper_pearson
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.recommend.comparison import Comparison, compare_regimens
from TumorTwinLib.recommend.plans import Plan
from TumorTwinLib.recommend.verdict import verdict_of
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, TreatmentEvent

COMMAND = "python -m Testing.Studies.regimen_cohort"
WORK = Path("build/studies")
SAMPLES, DRAWS = 200, 64
FIRST_SEED = 1000  # seeds below were looked at while the rules were made
BETTER = 1.2
_COARSE = SolverSettings(tolerance=1e-2)
_LEAST_AMOUNT, _LARGEST_AMOUNT = 5.0, 3000.0  # mg/m2 a day; no patient gets that, but an equal effect may need it
_UNIT = 75.0
_START = datetime.combine(small.at(DAYS[-1]).date(), datetime.min.time()) + timedelta(days=1, hours=9)


def fractions(count: int, dose_gy: float) -> list[TreatmentEvent]:
    days = [_START + timedelta(days=n) for n in range(2 * count + 7)]
    return [RadiotherapyFraction(day, dose_gy) for day in days if day.weekday() < 5][:count]


def doses(count: int, amount: float) -> list[TreatmentEvent]:
    return [DrugDose(_START + timedelta(days=n), "temozolomide", amount, "mg/m2") for n in range(count)]


def plan(name: str, *parts: list[TreatmentEvent]) -> Plan:
    return Plan(name, name, tuple(event for part in parts for event in part))


RADIOTHERAPY = plan("radiotherapy", fractions(20, 2.0))
CHOICE = (
    RADIOTHERAPY,
    plan("large fractions", fractions(5, 5.0)),
    plan("temozolomide", doses(28, 300.0)),
    plan("both", fractions(10, 2.0), doses(14, 150.0)),
)


def equal_effect(one: VirtualPatient, days: float) -> Plan | None:
    """Temozolomide for 28 days at the dose that makes progression come after ``days``, or None if none does."""
    low, high = _LEAST_AMOUNT, _LARGEST_AMOUNT
    for _ in range(2):  # 24 doses at once, then 24 between two of these: to 1 % of the dose
        amounts = np.geomspace(low, high, 24)
        times = one.times_to_progression(plan("", doses(28, _UNIT)), amounts / _UNIT)
        later = np.flatnonzero(times >= days)
        if not later.size or later[0] == 0:
            return None
        low, high = amounts[later[0] - 1], amounts[later[0]]
    return plan(f"temozolomide {high:.1f}", doses(28, float(high)))


def study(seed: int) -> dict:
    """One patient."""
    began = time.process_time()
    one = virtual_patient(seed)
    posterior = BayesianCalibration(one.model, one.patient, SAMPLES, priors=PRIORS, seed=seed, threads=1).run()
    reference = float(one.times_to_progression(RADIOTHERAPY)[0])
    tie, better = (equal_effect(one, factor * reference) if np.isfinite(reference) else None for factor in (1, BETTER))
    plans = [*CHOICE, *(p for p in (tie, better) if p is not None and p.name not in {c.name for c in CHOICE})]
    plans = list({p.name: p for p in plans}.values())
    compared = compare_regimens(
        posterior, plans, HORIZON_DAYS, draws=DRAWS, region=REGION, every_days=EVERY_DAYS, seed=seed, settings=_COARSE
    )
    truth = {p.name: min(float(one.times_to_progression(p)[0]), HORIZON_DAYS) for p in CHOICE}
    verdict = _verdict(compared, [p.name for p in CHOICE])
    return {
        "seed": seed,
        "truth": one.truth,
        "radiotherapy_days": reference if np.isfinite(reference) else None,
        "k_hat": posterior.k_hat,
        "informed": [bool(posterior.informed[name]) for name in list(PRIORS)[2:]],
        "tie": None if tie is None else _duel(compared, tie.name),
        "power": None if better is None else _duel(compared, better.name),
        "choice": {"recommended": verdict, "true_days": truth, "probability_best": dict(compared.probability_best)},
        "cpu_seconds": time.process_time() - began,
    }


def _duel(compared: Comparison, name: str) -> dict:
    pair = compared.pair(name, RADIOTHERAPY.name)
    found = _verdict(compared, [RADIOTHERAPY.name, name])
    d = pair.difference
    times = [compared[n].draws["time_to_progression_days"] for n in (name, RADIOTHERAPY.name)]
    return {
        "recommended": {None: None, name: "temozolomide"}.get(found, found),
        "unknown": list(pair.unknown),
        "difference": [d.mean, *pair.decision_interval],
        "probability": pair.probability_first,
        "differences": np.sort(np.round(times[0] - times[1], 1)).tolist(),
    }


def _verdict(compared: Comparison, names: list[str]) -> str | None:
    """Of some of the regimens, as if these alone had been compared."""
    outcomes = [compared[name] for name in names]
    pairs = [compared.pair(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return verdict_of(outcomes, pairs).recommended


def run_cohort(patients: int, work: Path, first: int = FIRST_SEED) -> list[dict]:
    """The rows of all patients from a seed on, the missing ones computed."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / "regimen_cohort.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    done = {row["seed"] for row in rows}
    for seed in range(first, first + patients):
        if seed not in done:
            rows.append(study(seed))
            with file.open("a") as lines:
                lines.write(json.dumps(rows[-1]) + "\n")
            print(json.dumps({key: rows[-1][key] for key in ("seed", "informed", "tie", "cpu_seconds")}), flush=True)
    return [row for row in rows if first <= row["seed"] < first + patients]


def figures(rows: list[dict]) -> dict[str, tuple[int, int]]:
    """By name, how many of how many."""
    ties = [row["tie"] for row in rows if row["tie"]]
    powers = [row["power"] for row in rows if row["power"]]
    choices = [row["choice"] for row in rows]
    made = [c for c in choices if c["recommended"]]
    right = [c for c in made if c["true_days"][c["recommended"]] >= max(c["true_days"].values())]
    return {
        "regimen_wrong_better_percent": (sum(t["recommended"] is not None for t in ties), len(ties)),
        "regimen_power_percent": (sum(p["recommended"] == "temozolomide" for p in powers), len(powers)),
        "regimen_power_wrong_percent": (sum(p["recommended"] == RADIOTHERAPY.name for p in powers), len(powers)),
        "regimen_right_choice_percent": (len(right), len(made)),
        "regimen_abstention_percent": (len(choices) - len(made), len(choices)),
    }


HIGHER_IS_BETTER = ("regimen_right_choice_percent", "regimen_power_percent")
TARGETS = {"regimen_wrong_better_percent": 5.0, "regimen_right_choice_percent": 80.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    options = parser.parse_args()
    keep(run_cohort(options.patients, options.work, options.first_seed))


def keep(rows: list[dict]) -> None:
    """Print the figures with their exact intervals and record them."""
    for name, (hits, total) in figures(rows).items():
        low, up = clopper_pearson(hits, total)
        print(f"{name}: {hits} of {total} ({100 * low:.1f} to {100 * up:.1f} %)")
        better = "higher" if name in HIGHER_IS_BETTER else "lower"
        record("regimens", name, 100.0 * hits / max(total, 1), "%", TARGETS.get(name), better, COMMAND)  # type: ignore[arg-type]
    record("regimens", "regimen_cohort_patients", len(rows), "patients", None, "higher", COMMAND)


if __name__ == "__main__":
    main()
