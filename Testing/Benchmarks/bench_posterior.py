"""The posterior of the shipped patient: 1000 weighted draws and 128 futures, their cost, and the truth beside them.

Seconds are of two threads, compiling excluded. The peer's yardstick is its 20 least-squares iterations on HGG_demo_001,
which give a point and no interval.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from Testing.Benchmarks import hgg_reference as hgg
from Testing.Benchmarks.result_tables import write_table
from Testing.Benchmarks.results import record
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData

ROOT = Path(__file__).resolve().parents[2]
PATIENT, TRUTH = ROOT / "Resources/SampleData/glioblastoma", ROOT / "Testing/Data/glioblastoma_truth"
COMMAND = "make bench"
DRAWS, FUTURES, HORIZON_DAYS = 1000, 128, 180.0


def main() -> None:
    patient = PatientData(imaging_dir=PATIENT)
    model = ReactionDiffusionModel.from_patient(patient)
    BayesianCalibration(model, patient, 4).run().predictive(1.0, [1.0], fields=4)  # compiles
    wall, cpu = time.perf_counter(), time.process_time()
    posterior = BayesianCalibration(model, patient, DRAWS).run()
    future = posterior.predictive(HORIZON_DAYS, [30, 60, 90, 120, 150, 180], fields=FUTURES)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(posterior.summary())
    record("posterior", "posterior_seconds", wall, "s", 180.0, "lower", COMMAND)
    record("posterior", "posterior_cpu_seconds", cpu, "s", None, "lower", COMMAND)
    fraction = cpu / hgg.PEER_CALIBRATION_CPU_S
    record("posterior", "posterior_cpu_fraction_of_peer_fit", fraction, "", 1.0, "lower", COMMAND)
    equivalents = posterior.cost.forward_equivalents
    record("posterior", "posterior_forward_equivalents", equivalents, "solves", None, "lower", COMMAND)
    record("posterior", "posterior_k_hat", posterior.k_hat, "", 0.7, "lower", COMMAND)
    record("posterior", "posterior_effective_draws", posterior.draws.effective, "", None, "higher", COMMAND)
    truth = json.loads((TRUTH / "parameters.json").read_text(encoding="utf-8"))["parameters"]
    rows = []
    with np.load(TRUTH / "density.npz") as arrays:
        days, density = arrays["days"], arrays["density"] / 1000.0
    levels = {"core": truth["core_threshold"], "whole_tumor": truth["edema_threshold"]}
    inside = 0
    for region, level in levels.items():
        band = future.band(region, measured=False)
        for number, day in enumerate(future.days):
            field = density[int(np.argmin(np.abs(days - day)))]
            seen = np.count_nonzero(field >= level) * model.grid.voxel_volume_mm3 / 1000.0
            low, middle, up = (float(x[number]) / 1000.0 for x in (band.lower, band.median, band.upper))
            inside += low <= seen <= up
            rows.append({
                "region": region, "day": f"{day:.0f}", "true mL": f"{seen:.1f}", "median mL": f"{middle:.1f}",
                "95 % mL": f"{low:.1f} to {up:.1f}", "inside": "yes" if low <= seen <= up else "no",
            })  # fmt: skip
    record("posterior", "posterior_sample_volumes_inside_95", inside / len(rows), "", None, "higher", COMMAND)
    write_table("sample_posterior_volumes", rows)


if __name__ == "__main__":
    main()
