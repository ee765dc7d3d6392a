"""HGG_demo_001 calibrated on visits 1 to 5: on correct data, on the demo's own files, and on noisy scans.

CPU times are of the whole calibration, from the patient in memory to parameters with standard errors; the kernels were
compiled before.
"""

from __future__ import annotations

import numpy as np

from Testing.Benchmarks import hgg_reference as hgg
from Testing.Benchmarks.cpu_time import least_cpu_seconds
from Testing.Benchmarks.fit_rows import errors_percent, fit_rows, inside_interval, log_sd
from Testing.Benchmarks.result_tables import Cell, write_table
from Testing.Benchmarks.results import record
from TumorTwinLib.patient import PatientData

TRUTH = hgg.TRUTH["001"]
EXACT_TOLERANCE = 1e-4  # the data are good to half an ADC unit, 1.7e-4 of capacity
REPEATS = 3
SEEDS = (1, 2, 3, 4, 5)
COMMAND = "make bench"


def main() -> None:
    folder = hgg.research_data()
    if folder is None:
        return
    patient, reference = hgg.read_patient(folder, "001"), hgg.read_reference(folder)
    correct = hgg.patient_of_field(patient, reference, "conv_fvstencil")
    hgg.calibrate(correct, start=TRUTH, tolerance=1e-2)  # compiles
    rows = [
        *_correct_data(correct),
        *_wall_stencil(hgg.patient_of_field(patient, reference, "conv_ttstencil")),
        *_own_files(patient),
        *_noisy(correct, first_scan=True),
        *_noisy(correct, first_scan=False),
    ]
    write_table("hgg001_calibrations", rows)


def _correct_data(patient: PatientData) -> list[dict[str, Cell]]:
    """Data of the converged reference, rounded to ADC integers, from the peer's guess: against the peer on its own."""
    cpu_s, (_, result) = least_cpu_seconds(
        lambda: hgg.calibrate(patient, start=hgg.PEER_GUESS, tolerance=EXACT_TOLERANCE), REPEATS
    )
    errors = np.abs(errors_percent(patient, result, TRUTH))
    worst = max(hgg.PEER_ERROR_PERCENT)
    record("hgg", "hgg001_calibration_error_percent_max", errors.max(), "%", worst, "lower", COMMAND)
    for symbol, error, peer in zip(hgg.SYMBOLS, errors, hgg.PEER_ERROR_PERCENT, strict=True):
        record("hgg", f"hgg001_calibration_error_percent_{symbol}", error, "%", peer, "lower", COMMAND)
    fraction = cpu_s / hgg.PEER_CALIBRATION_CPU_S
    record("hgg", "hgg001_calibration_cpu_seconds", cpu_s, "s", None, "lower", COMMAND)
    record("hgg", "hgg001_calibration_cpu_fraction_of_peer", fraction, "", 0.01, "lower", COMMAND)
    solves = float(result.model_solves)
    record("hgg", "hgg001_calibration_model_solves", solves, "", float(hgg.PEER_SOLVES), "lower", COMMAND)
    print(f"correct data: {cpu_s:.1f} CPU-s, {100 * fraction:.2f} % of the peer's {hgg.PEER_CALIBRATION_CPU_S:.0f}")
    return _told(fit_rows("001, correct data", patient, result, TRUTH))


def _wall_stencil(patient: PatientData) -> list[dict[str, Cell]]:
    """Data of the peer's stencil, converged in time: what its wall alone does to the parameters."""
    _, result = hgg.calibrate(patient, start=hgg.PEER_GUESS)
    return _told(fit_rows("001, peer's wall stencil", patient, result, TRUTH))


def _own_files(patient: PatientData) -> list[dict[str, Cell]]:
    """The demo's files, made with the peer's stencil and its half-day steps."""
    _, result = hgg.calibrate(patient, start=hgg.PEER_GUESS)
    found = hgg.to_peer(result.map_estimate, patient)
    for symbol, value in zip(hgg.SYMBOLS, found, strict=True):
        record("hgg", f"hgg001_own_files_{symbol}", value, "", None, "lower", COMMAND)
    excess = hgg.log_kill(patient, found) - hgg.log_kill(patient, TRUTH)
    expected = hgg.excess_log_kill(patient, "001")
    record("hgg", "hgg001_own_files_excess_log_kill", excess, "", None, "lower", COMMAND)
    record("hgg", "hgg001_own_files_excess_log_kill_of_peers_steps", expected, "", None, "lower", COMMAND)
    print(f"own files: log kill {excess:.3f} above the truth's; the peer's steps add {expected:.3f}")
    return _told(fit_rows("001, own files", patient, result, TRUTH))


def _noisy(patient: PatientData, *, first_scan: bool) -> list[dict[str, Cell]]:
    """Scans with 5 % ADC noise and contours displaced by a voxel, for several seeds."""
    where, case = ("", "001, noisy scans") if first_scan else ("_after_first", "001, noisy scans, first one exact")
    rows: list[dict[str, Cell]] = []
    errors, deviations, inside = [], [], []
    for seed in SEEDS:
        noisy = hgg.with_noise(patient, seed, first_scan=first_scan)
        _, result = hgg.calibrate(noisy, start=hgg.PEER_GUESS)
        errors.append(errors_percent(noisy, result, TRUTH))
        deviations.append(100.0 * log_sd(result))
        inside.append(inside_interval(noisy, result, TRUTH))
        rows += fit_rows(f"{case}, seed {seed}", noisy, result, TRUTH)
    for symbol, error, sd in zip(hgg.SYMBOLS, np.transpose(errors), np.transpose(deviations), strict=True):
        name = f"hgg001_noisy{where}"
        record("hgg", f"{name}_error_percent_max_{symbol}", np.abs(error).max(), "%", None, "lower", COMMAND)
        record("hgg", f"{name}_standard_error_percent_{symbol}", sd.mean(), "%", None, "lower", COMMAND)
        print(f"{case}: {symbol} errors {np.round(error, 2)} %, standard error {sd.mean():.2f} %")
    record("hgg", f"hgg001_noisy{where}_truth_in_95_interval", np.mean(inside), "", 0.95, "higher", COMMAND)
    print(f"{case}: truth in the 95 % interval in {np.sum(inside)} of {np.size(inside)}")
    return rows


def _told(rows: list[dict[str, Cell]]) -> list[dict[str, Cell]]:
    for row in rows:
        print("  " + ", ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    return rows


if __name__ == "__main__":
    main()
