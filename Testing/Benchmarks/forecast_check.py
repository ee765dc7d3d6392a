"""A forecast held against later scans: volume, overlap, place and voxels of every visit and region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from Testing.Benchmarks.result_tables import Cell
from Testing.Benchmarks.results import record
from TumorTwinLib import metrics
from TumorTwinLib.geometry import Grid
from TumorTwinLib.inference.calibration import MapResult
from TumorTwinLib.twin import DigitalTwin

SAME_DAY = 1e-6
TARGETS = (15.0, 0.85, 5.0)  # volume error in percent, Dice, distance of centres in mm


@dataclass(frozen=True)
class Check:
    """One region on one day.

    Args:
        kind: ``"fit"`` for days of the calibration, ``"forecast"`` for later ones.
        predicted_ml, measured_ml: volume.
        volume_error_percent, dice, com_mm: signed error of the volume, overlap and distance between the centres of
            mass. NaN where nothing was predicted nor measured: then there is nothing to compare.
        ccc: concordance of cellularity over the brain's voxels, NaN where only contours were measured.
        cells_error_percent: signed error of the number of cells, likewise.
    """

    case: str
    day: float
    kind: str
    region: str
    predicted_ml: float
    measured_ml: float
    volume_error_percent: float
    dice: float
    com_mm: float
    ccc: float
    cells_error_percent: float

    def row(self) -> dict[str, Cell]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of one day, on the model's grid.

    Args:
        regions: (ni, nj, nk) Boolean masks by region name.
        cellularity: (ni, nj, nk), or None where only contours are known.
    """

    day: float
    regions: Mapping[str, np.ndarray]
    cellularity: np.ndarray | None = None


def predict_and_check(case: str, result: MapResult, seen: Sequence[Seen]) -> list[Check]:
    """Forecast with the calibrated parameters to the last day seen, and compare on each.

    ``result`` must be a calibration of the patient as known then, so that nothing later has been looked at.
    """
    last_fitted = result.patient.visit_days[-1]
    later = [one.day - last_fitted for one in seen if one.day > last_fitted + SAME_DAY]
    forecast = DigitalTwin(model=result.model, parameters=result.map_estimate).predict(later[-1], later)
    brain = result.model.domain.resample(forecast.grid).array > 0.5
    checks = []
    for one in seen:
        index = int(np.argmin(np.abs(forecast.days - one.day)))
        if abs(forecast.days[index] - one.day) > SAME_DAY:
            raise ValueError(f"day {one.day} is not in the forecast")
        kind = "forecast" if one.day > last_fitted + SAME_DAY else "fit"
        u = forecast.cellularity[index]
        voxels = (np.nan, np.nan) if one.cellularity is None else _voxel_agreement(u[brain], one.cellularity[brain])
        for region, mask in one.regions.items():
            predicted = u >= forecast.thresholds[region]
            agreement = _region_agreement(predicted, mask & brain, forecast.grid)
            checks.append(Check(case, one.day, kind, region, *agreement, *voxels))
    return checks


def record_worst(
    area: str, prefix: str, checks: Sequence[Check], region: str, command: str
) -> tuple[float, float, float]:
    """Largest absolute volume error in percent, least Dice and largest distance of centres in mm of all forecasts.

    They are recorded against the targets of a forecast of the whole tumour, the region those are for.
    """
    found = [check for check in checks if check.kind == "forecast" and check.region == region]
    found = [check for check in found if check.predicted_ml > 0 or check.measured_ml > 0]
    volume = max(abs(check.volume_error_percent) for check in found)
    dice, com_mm = min(check.dice for check in found), max(check.com_mm for check in found)
    targets = TARGETS if region == "whole_tumor" else (None, None, None)
    record(area, f"{prefix}volume_error_percent_max", volume, "%", targets[0], "lower", command)
    record(area, f"{prefix}dice_min", dice, "", targets[1], "higher", command)
    record(area, f"{prefix}com_mm_max", com_mm, "mm", targets[2], "lower", command)
    return volume, dice, com_mm


def summary(check: Check) -> str:
    """One line for the terminal."""
    return (
        f"{check.case}, day {check.day:.0f} ({check.kind}), {check.region}: {check.predicted_ml:.1f} mL for "
        f"{check.measured_ml:.1f}, {check.volume_error_percent:+.1f} %, Dice {check.dice:.3f}, "
        f"centre {check.com_mm:.2f} mm, CCC {check.ccc:.3f}"
    )


def _region_agreement(
    predicted: np.ndarray, measured: np.ndarray, grid: Grid
) -> tuple[float, float, float, float, float]:
    """Volumes in mL, volume error in percent, Dice, centre-of-mass distance in mm."""
    volumes = [1e-3 * grid.voxel_volume_mm3 * int(mask.sum()) for mask in (predicted, measured)]
    if not (predicted.any() or measured.any()):
        return (*volumes, np.nan, np.nan, np.nan)
    return (
        *volumes,
        metrics.volume_error_percent(*volumes),
        metrics.dice(predicted, measured),
        metrics.center_of_mass_distance_mm(predicted, measured, grid),
    )


def _voxel_agreement(predicted: np.ndarray, measured: np.ndarray) -> tuple[float, float]:
    """Concordance of cellularity, and error of the number of cells in percent."""
    cells_error = metrics.volume_error_percent(float(predicted.sum(dtype=float)), float(measured.sum(dtype=float)))
    return metrics.concordance(predicted, measured), cells_error
