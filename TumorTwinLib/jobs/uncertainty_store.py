"""What a posterior says in ``result.json``; maps over time are arrays of one byte a voxel beside it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.jobs.files import inside, read_array, write_array
from TumorTwinLib.uncertainty import Band, ParameterRow, PosteriorSummary, Uncertainty

_FOLDER = "uncertainty"


def summary_to_dict(summary: PosteriorSummary) -> dict[str, Any]:
    draws = {name: values.tolist() for name, values in summary.draws.items()}
    rows = [asdict(row) for row in summary.rows]
    return {**vars(summary), "rows": rows, "notes": list(summary.notes), "draws": draws}


def summary_from_dict(data: Mapping[str, Any]) -> PosteriorSummary:
    rows = tuple(ParameterRow(**row) for row in data["rows"])
    draws = {name: np.array(values, dtype=float) for name, values in data["draws"].items()}
    return PosteriorSummary(**{**data, "rows": rows, "notes": tuple(data["notes"]), "draws": draws})


def write_uncertainty(folder: Path, uncertainty: Uncertainty) -> dict[str, Any]:
    """Write the maps into the job folder; what is to stand in ``result.json``."""

    def stored(name: str, array: np.ndarray) -> str:
        file = f"{_FOLDER}/{name}.npy"
        write_array(folder / file, array)
        return file

    return {
        "futures": uncertainty.futures,
        "days": uncertainty.days.tolist(),
        "volume_mm3": {region: [_band(one) for one in bands] for region, bands in uncertainty.volume_mm3.items()},
        "cells": [_band(one) for one in uncertainty.cells],
        "prior_mm3": {region: _band(one) for region, one in uncertainty.prior_mm3.items()},
        "density": [[p, stored(f"density_{p:02d}", array)] for p, array in uncertainty.density.items()],
        "probability": {name: stored(f"probability_{name}", map_) for name, map_ in uncertainty.probability.items()},
        "cohort": uncertainty.cohort,
    }


def reading_uncertainty(folder: Path, data: Mapping[str, Any]) -> Generator[None, None, Uncertainty]:
    """What ``write_uncertainty`` wrote, in steps of one map."""
    density, probability = {}, {}
    for percent, file in data["density"]:
        density[percent] = read_array(inside(folder, file))
        yield
    for region, file in data["probability"].items():
        probability[region] = read_array(inside(folder, file))
        yield
    return Uncertainty(
        futures=data["futures"],
        days=np.array(data["days"], dtype=float),
        volume_mm3={region: tuple(_read_band(one) for one in bands) for region, bands in data["volume_mm3"].items()},
        cells=tuple(_read_band(one) for one in data["cells"]),
        prior_mm3={region: _read_band(one) for region, one in data["prior_mm3"].items()},
        density=density,
        probability=probability,
        cohort=data["cohort"],
    )


_CURVES = ("median", "lower", "upper")


def _band(band: Band) -> dict[str, Any]:
    """JSON has no NaN: a day without an interval is null."""
    curves = {name: [None if np.isnan(x) else float(x) for x in getattr(band, name)] for name in _CURVES}
    return {"level": band.level, "calibrated": band.calibrated, **curves}


def _read_band(data: Mapping[str, Any]) -> Band:
    curves = {name: np.array([np.nan if x is None else x for x in data[name]], dtype=float) for name in _CURVES}
    return Band(level=data["level"], calibrated=data["calibrated"], **curves)
