"""How often the twin's intervals hold on tumors that are not its model: ``make study-coverage``.

    python -m Testing.Studies.coverage_study [--processes 2] [--patients 200] [--folder build/studies]

Two cohorts of virtual patients with seeds of their own: conformal factors are fitted on the first and tested on the
second. (A third, seeds from 1000, is for looking at while working on the probability model.) One file a patient lies in
the folder; a study that was stopped goes on from there, and one of a changed model begins with an empty folder.
Afterwards the tables ``coverage_forecasts`` and ``sbc_ranks`` hold every forecast and rank, and docs/uncertainty.md is
rewritten from these.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np

from Testing.Benchmarks.result_tables import Cell, write_table
from Testing.Studies import sbc_study
from Testing.Studies.cohort import METHODS, checks, forecast_patient
from Testing.Studies.resumable import run_all
from Testing.Studies.uncertainty_document import LEVELS, rewrite_document
from TumorTwinLib.metrics import crps

FIRST_SEED = {"conformal": 20_000, "test": 40_000}
PATIENTS = {"conformal": 100, "test": 200}
ROOT = Path(__file__).resolve().parents[2]


def forecast_rows(cohort: str, results: list[dict]) -> list[dict[str, Cell]]:
    """One row a forecast: what came to be, the twin's quantiles, and how every method scored. Log-volumes in mm3."""
    rows: list[dict[str, Cell]] = []
    beside = {method: checks(results, method) for method in METHODS}
    patients = [(r["seed"], r["treated"]) for r in results for _ in range(len(beside["twin"]) // len(results))]
    for number, (seed, treated) in enumerate(patients):
        check = beside["twin"][number]
        center, spread = check.center_and_spread
        row: dict[str, Cell] = {
            "cohort": cohort, "seed": seed, "treated": "yes" if treated else "no", "region": check.region,
            "horizon_days": check.horizon_days, "observed": check.log_observed, "center": center, "spread": spread,
            "rank": check.rank,
        }  # fmt: skip
        for level in LEVELS:
            row[f"lower_{100 * level:g}"], row[f"upper_{100 * level:g}"] = check.interval(level)
        for method in METHODS:
            other = beside[method][number]
            low, up = other.interval(0.95)
            row[f"crps_{method}"], row[f"width_95_{method}"] = crps(other.log_draws, other.log_observed), up - low
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--patients", type=int, default=PATIENTS["test"], help="of the test cohort")
    parser.add_argument("--calibration-patients", type=int, default=PATIENTS["conformal"], help="of the other")
    parser.add_argument("--replicates", type=int, default=sbc_study.REPLICATES, help="of simulation-based calibration")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "studies")
    options = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    seeds = range(sbc_study.FIRST_SEED, sbc_study.FIRST_SEED + options.replicates)
    replicates, lost = run_all(sbc_study.run_replicate, seeds, options.folder / "sbc", options.processes)
    wanted = {"test": options.patients, "conformal": options.calibration_patients}
    rows = []
    for cohort, count in wanted.items():
        some = range(FIRST_SEED[cohort], FIRST_SEED[cohort] + count)
        results, failed = run_all(forecast_patient, some, options.folder / cohort, options.processes)
        rows += forecast_rows(cohort, results)
        lost |= failed
        print(f"{cohort}: {np.mean([r['cpu_seconds'] for r in results]):.1f} CPU seconds a patient")
    write_table("coverage_forecasts", rows)
    write_table("sbc_ranks", [{"seed": one["seed"], **one["ranks"]} for one in replicates])
    for seed, error in lost.items():
        print(f"Not in the tables: seed {seed}, {error}")
    rewrite_document()


if __name__ == "__main__":
    main()
