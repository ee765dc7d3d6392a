"""Rows of the table of fits: what a calibration found, how sure it was, and what is true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from Testing.Benchmarks import hgg_reference as hgg
from Testing.Benchmarks.result_tables import Cell
from TumorTwinLib.inference.calibration import MapResult
from TumorTwinLib.patient import PatientData


def log_sd(result: MapResult) -> np.ndarray:
    """(P,) standard error of the log-parameters: of a parameter, relative to its value."""
    return np.sqrt(np.diag(result.log_covariance))


def errors_percent(patient: PatientData, result: MapResult, truth: Sequence[float]) -> np.ndarray:
    """(4,) signed errors of a demo patient's parameters."""
    return 100.0 * (hgg.to_peer(result.map_estimate, patient) / np.asarray(truth) - 1.0)


def inside_interval(patient: PatientData, result: MapResult, truth: Sequence[float], level: float = 0.95) -> list[bool]:
    """Whether each true parameter of a demo patient is in its credible interval."""
    bounds = result.credible_interval(level)
    true = hgg.to_model(truth, patient)
    return [bounds[name][0] <= true[name] <= bounds[name][1] for name in hgg.PARAMETERS]


def fit_rows(case: str, patient: PatientData, result: MapResult, truth: Sequence[float]) -> list[dict[str, Cell]]:
    """One row a parameter, in the units the demo patients were made with."""
    found = hgg.to_peer(result.map_estimate, patient)
    errors = errors_percent(patient, result, truth)
    inside = inside_interval(patient, result, truth)
    rows = zip(hgg.SYMBOLS, truth, found, errors, 100.0 * log_sd(result), inside, strict=True)
    return [
        {
            "case": case,
            "parameter": symbol,
            "truth": true,
            "found": float(value),
            "error_percent": float(error),
            "standard_error_percent": float(sd),
            "truth_in_95_percent_interval": "yes" if contained else "no",
            "status": result.status.name.lower(),
            "model_solves": result.model_solves,
            "cpu_seconds": result.cpu_seconds,
        }
        for symbol, true, value, error, sd, contained in rows
    ]
