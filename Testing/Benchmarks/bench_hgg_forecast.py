"""Demo glioblastomas: calibrated on visits 1 to 5 from the prior medians, their forecast held against visits 6 to 10.

Nothing is tuned to a patient. Measured regions are voxels whose cellularity reaches the level that also defines the
predicted region, as the demo's own regions hold every voxel with any cells at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from Testing.Benchmarks import hgg_reference as hgg
from Testing.Benchmarks.fit_rows import fit_rows
from Testing.Benchmarks.forecast_check import Check, Seen, predict_and_check, record_worst, summary
from Testing.Benchmarks.result_tables import Cell, write_table
from Testing.Benchmarks.results import record
from TumorTwinLib.inference.calibration import MapResult
from TumorTwinLib.patient import PatientData
from TumorTwinLib.twin import DigitalTwin

NOISE_SEED = 1
COMMAND = "make bench"


def main() -> None:
    folder = hgg.research_data()
    if folder is None:
        return
    reference, patients = hgg.read_reference(folder), {number: hgg.read_patient(folder, number) for number in hgg.TRUTH}
    correct = hgg.patient_of_field(patients["001"], reference, "conv_fvstencil")
    fits: list[dict[str, Cell]] = []
    checks: list[Check] = []
    for number, patient in patients.items():
        _record_files(number, patient)
        result = _calibrated(f"{number}, own files, prior medians", number, patient, fits)
        _record_fit(number, patient, result)
        checks += predict_and_check(f"{number}, own files", result, _seen(result, patient))
    result = _calibrated("001, correct data, prior medians", "001", correct, fits)
    checks += predict_and_check("001, correct data", result, _seen(result, correct))
    noisy = hgg.with_noise(correct, NOISE_SEED)
    result = _calibrated("001, noisy scans, prior medians", "001", noisy, fits)
    noisy_checks = predict_and_check("001, noisy scans", result, _seen(result, correct))

    for check in [*checks, *noisy_checks]:
        if check.kind == "forecast":
            print(summary(check))
    _record_worst("forecast", checks)
    _record_worst("forecast_noisy", noisy_checks)
    write_table("hgg_fits", fits)
    write_table("hgg_forecasts", [check.row() for check in [*checks, *noisy_checks]])


def _calibrated(case: str, number: str, patient: PatientData, fits: list[dict[str, Cell]]) -> MapResult:
    _, result = hgg.calibrate(patient)
    rows = fit_rows(case, patient, result, hgg.TRUTH[number])
    found = ", ".join(f"{row['parameter']} {row['found']:.5g}" for row in rows)
    print(f"{case}: {result.status.name.lower()}, {result.model_solves} solves, {result.cpu_seconds:.0f} CPU-s")
    print(f"  {found}")
    fits += rows
    return result


def _record_files(number: str, patient: PatientData) -> None:
    """How far the demo's files are from correct growth at their own parameters."""
    values, days = hgg.to_model(hgg.TRUTH[number], patient), patient.visit_days[1:]
    twin = DigitalTwin(model=hgg.demo_model(patient), parameters=values, patient=patient, visits=1)
    grown = twin.predict(days[-1], days).cellularity
    brain = patient.brain_mask.array > 0
    cells = [np.maximum(visit.cellularity, 0.0)[brain] for visit in twin.model.observe(patient)[1:]]
    errors = [100.0 * (float(c.sum()) / float(u[brain].sum()) - 1.0) for c, u in zip(cells, grown[1:], strict=True)]
    worst = max(errors, key=abs)
    record("hgg", f"hgg{number}_own_files_cells_error_percent_max", abs(worst), "%", None, "lower", COMMAND)
    print(f"{number}: cells in the files differ from correct growth by {np.round(errors, 1)} %")


def _record_fit(number: str, patient: PatientData, result: MapResult) -> None:
    """How the fit went, and how much more the treatments killed than with the true parameters."""
    found = hgg.to_peer(result.map_estimate, patient)
    excess = hgg.log_kill(patient, found) - hgg.log_kill(patient, hgg.TRUTH[number])
    expected = hgg.excess_log_kill(patient, number)
    name = f"hgg{number}_own_files_from_prior"
    record("hgg", f"{name}_model_solves", float(result.model_solves), "", None, "lower", COMMAND)
    record("hgg", f"{name}_excess_log_kill", excess, "", None, "lower", COMMAND)
    record("hgg", f"{name}_excess_log_kill_of_peers_steps", expected, "", None, "lower", COMMAND)
    print(f"  log kill {excess:.3f} above the truth's; the peer's steps add {expected:.3f}")


def _seen(result: MapResult, patient: PatientData) -> list[Seen]:
    """Every visit of a patient as regions of cellularity above the model's levels."""
    seen = []
    for visit in result.model.observe(patient):
        cells = np.maximum(visit.cellularity, 0.0)
        seen.append(Seen(visit.day, {region: cells >= level for region, level in hgg.LEVELS.items()}, cells))
    return seen


def _record_worst(name: str, checks: Sequence[Check]) -> None:
    for region, part in (("whole_tumor", ""), ("core", "core_")):
        volume, dice, com_mm = record_worst("hgg", f"{name}_{part}", checks, region, COMMAND)
        print(f"{name}, {region}, worst of all: volume {volume:.1f} %, Dice {dice:.3f}, centre {com_mm:.2f} mm")


if __name__ == "__main__":
    main()
