"""Six regimens on 64 draws of the shipped patient's posterior, half a year on, at 2 mm on two threads."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from Testing.Benchmarks.results import record
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData
from TumorTwinLib.recommend.comparison import compare_regimens
from TumorTwinLib.treatment.regimens import REGIMENS

ROOT = Path(__file__).resolve().parents[2]
PATIENT = ROOT / "Resources/SampleData/glioblastoma"
COMMAND = "python -m Testing.Benchmarks.bench_regimens"
SIX = ("gbm_rt_60_30", "gbm_stupp", "gbm_stupp_12", "gbm_elderly_40_15", "gbm_elderly_40_15_tmz", "gbm_biopsy_stupp")


def main() -> None:
    patient = PatientData(imaging_dir=PATIENT)
    model = ReactionDiffusionModel.from_patient(patient, resolution_mm=2.0)
    posterior = BayesianCalibration(model, patient, 0, seed=1).run()
    two = replace(posterior, simulator=replace(posterior.simulator, threads=2))
    wall, cpu = time.perf_counter(), time.process_time()
    compared = compare_regimens(two, [REGIMENS[name] for name in SIX], 180.0, draws=64, on_progress=_tell)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"\n{compared}\n{wall:.0f} s, {cpu:.0f} CPU-s")
    record("regimens", "six_regimens_seconds", wall, "s", 180.0, "lower", COMMAND)
    record("regimens", "six_regimens_cpu_seconds", cpu, "s", None, "lower", COMMAND)


def _tell(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total} solves")


if __name__ == "__main__":
    main()
