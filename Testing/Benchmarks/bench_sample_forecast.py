"""The shipped patient, grown by a different program: forecasts held against its next scan and against its truth.

Visits 1 to 3 forecast visit 4, whose contours are compared with; visits 1 to 4 forecast the half year after, where the
truth's own contour levels say what a scan would show. The forecasts see neither.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from Testing.Benchmarks.forecast_check import Check, Seen, predict_and_check, record_worst, summary
from Testing.Benchmarks.result_tables import write_table
from TumorTwinLib.inference.calibration import MapCalibration, MapResult
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData

ROOT = Path(__file__).resolve().parents[2]
PATIENT, TRUTH = ROOT / "Resources/SampleData/glioblastoma", ROOT / "Testing/Data/glioblastoma_truth"
COMMAND = "make bench"


def main() -> None:
    patient = PatientData(imaging_dir=PATIENT)
    checks = [*_next_scan(patient), *_truth(patient)]
    for check in checks:
        print(summary(check))
    for case, name in (("visits 1 to 3", "next_scan"), ("visits 1 to 4", "half_year")):
        chosen = [check for check in checks if check.case.startswith(case)]
        for region, part in (("whole_tumor", ""), ("core", "core_")):
            record_worst("sample", f"sample_{name}_{part}", chosen, region, COMMAND)
    write_table("sample_forecasts", [check.row() for check in checks])


def _next_scan(patient: PatientData) -> list[Check]:
    result = _calibrated(replace(patient, visits=patient.visits[:3]))
    seen = [Seen(v.day, {"whole_tumor": v.whole, "core": v.core}) for v in result.model.observe(patient)]
    return predict_and_check("visits 1 to 3, against the scans", result, seen)


def _truth(patient: PatientData) -> list[Check]:
    result = _calibrated(patient)
    levels = json.loads((TRUTH / "parameters.json").read_text(encoding="utf-8"))["parameters"]
    with np.load(TRUTH / "density.npz") as arrays:
        days, density = arrays["days"], arrays["density"] / 1000.0
    seen = []
    for day, u in zip(days, density, strict=True):
        regions = {"whole_tumor": u >= levels["edema_threshold"], "core": u >= levels["core_threshold"]}
        seen.append(Seen(float(day), regions, u))
    return predict_and_check("visits 1 to 4, against the truth", result, seen)


def _calibrated(known: PatientData) -> MapResult:
    """As the demo does it, with the patient as known then: the contours' levels come from its scans too."""
    result = MapCalibration(ReactionDiffusionModel.from_patient(known), known).run()
    print(f"{len(known.visits)} visits: {result.status.name.lower()}, {result.cpu_seconds:.0f} CPU-s")
    print(f"  {result.map_estimate}")
    return result


if __name__ == "__main__":
    main()
