"""Numbers of each region at each visit, what changed between visits, and their table."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.metrics import center_of_mass_mm
from TumorTwinLib.segmentation.shape import AxialDiameters, axial_diameters, feret_mm, sphericity, surface_mm2

_PERCENTILES = {"p05": 5, "median": 50, "p95": 95}
Row = dict[str, str | float]


@dataclass(frozen=True)
class RegionFeatures:
    """Size, place and brightness of one region.

    Args:
        volume_ml, volume_sd_ml: volume, and its standard deviation where the segmentation knows it (else NaN).
        diameters: on axial slices.
        feret_mm: largest diameter in space.
        center_ras_mm: centre of mass; NaN when the region is empty.
        surface_mm2, sphericity: area of the outline, and how close to a ball it is (1 is a ball).
        intensities: by column, e.g. ``"FLAIR_mean"``, or ``"ADC_mean_1e-6 mm2/s"`` where the image has a unit.
    """

    volume_ml: float
    volume_sd_ml: float
    diameters: AxialDiameters
    feret_mm: float
    center_ras_mm: tuple[float, float, float]
    surface_mm2: float
    sphericity: float
    intensities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Growth:
    """What changed between two visits.

    Args:
        ml_per_day: of volume.
        doubling_time_days: of exponential growth through both volumes; negative is a halving time, infinite no change,
            NaN where a volume is zero.
        volume_change_percent, rano_change_percent: of the volume and of RANO's sum of products; NaN from zero.
    """

    ml_per_day: float
    doubling_time_days: float
    volume_change_percent: float
    rano_change_percent: float


def region_features(
    masks: Mapping[str, Image], images: Mapping[str, Image], *, volume_sd_ml: Mapping[str, float] | None = None
) -> dict[str, RegionFeatures]:
    """Features of each region of one visit.

    Args:
        masks: by region, Boolean.
        images: by modality, on any grid; resampled onto the masks'.
        volume_sd_ml: by region, as ``Segmentation.volume_sd_ml``.
    """
    resampled: dict[str, Image] = {}
    found = {}
    for region, mask in masks.items():
        inside, grid = mask.array > 0, mask.grid
        for modality, image in images.items():
            if modality not in resampled or not resampled[modality].grid.same_as(grid):
                resampled[modality] = image.resample(grid)
        volume_mm3 = float(np.count_nonzero(inside)) * grid.voxel_volume_mm3
        area = surface_mm2(inside, grid)
        r, a, s = (float(x) for x in center_of_mass_mm(inside, grid))
        found[region] = RegionFeatures(
            volume_ml=volume_mm3 / 1000,
            volume_sd_ml=(volume_sd_ml or {}).get(region, math.nan),
            diameters=axial_diameters(inside, grid),
            feret_mm=feret_mm(inside, grid),
            center_ras_mm=(r, a, s),
            surface_mm2=area,
            sphericity=sphericity(volume_mm3, area),
            intensities=_intensities(inside, resampled),
        )
    return found


def growth(first: RegionFeatures, second: RegionFeatures, days: float) -> Growth:
    """What changed in ``days``.

    Raises:
        TumorTwinError: the second visit is not after the first.
    """
    if not days > 0:
        raise TumorTwinError(f"Growth needs a second visit after the first, not {days:g} days on: correct the dates.")
    before, after = first.volume_ml, second.volume_ml
    log_ratio = math.log(after / before) if before > 0 and after > 0 else math.nan
    return Growth(
        ml_per_day=(after - before) / days,
        doubling_time_days=days * math.log(2) / log_ratio if log_ratio else math.inf,
        volume_change_percent=_change_percent(before, after),
        rano_change_percent=_change_percent(first.diameters.sum_of_products_mm2, second.diameters.sum_of_products_mm2),
    )


def feature_rows(visits: Sequence[tuple[datetime, Mapping[str, RegionFeatures]]]) -> list[Row]:
    """One row a visit and region, with units in the columns' names; growth is since the visit before.

    ``rano_change_from_smallest_percent`` compares with the smallest sum of products of the visits before, as RANO's
    criterion of progression (25 %) does.

    Args:
        visits: time and features, in order of time.
    """
    rows: list[Row] = []
    for number, (time, features) in enumerate(visits):
        for region, now in features.items():
            earlier = [(then, past[region]) for then, past in visits[:number] if region in past]
            rows.append(
                {
                    "visit_time": time.isoformat(sep=" ", timespec="minutes"),
                    "day": _days(visits[0][0], time),
                    "region": region,
                    **_columns(now),
                    **_growth_columns(earlier, now, time),
                }
            )
    return rows


def write_feature_table(rows: Sequence[Row], path: str | Path) -> None:
    """Rows as CSV, a cell that is not known empty; the file appears whole or not at all.

    Raises:
        TumorTwinError: the file cannot be written.
    """
    path = Path(path)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows({column: _cell(value) for column, value in row.items()} for row in rows)
        os.replace(unfinished, path)
    except OSError as error:
        raise TumorTwinError(
            f"{path} cannot be written: check that its folder exists, is writable and not full."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _intensities(inside: np.ndarray, images: Mapping[str, Image]) -> dict[str, float]:
    statistics: dict[str, float] = {}
    for modality, image in images.items():
        unit = f"_{image.unit}" if image.unit else ""
        values = image.array[inside].astype(float)
        known = {"mean": values.mean(), "sd": values.std()} if values.size else {"mean": math.nan, "sd": math.nan}
        for name, percent in _PERCENTILES.items():
            known[name] = np.percentile(values, percent) if values.size else math.nan
        statistics |= {f"{modality}_{name}{unit}": float(value) for name, value in known.items()}
    return statistics


def _columns(features: RegionFeatures) -> Row:
    diameters = features.diameters
    return {
        "volume_ml": features.volume_ml,
        "volume_sd_ml": features.volume_sd_ml,
        "rano_longest_mm": diameters.longest_mm,
        "rano_perpendicular_mm": diameters.perpendicular_mm,
        "rano_product_mm2": diameters.product_mm2,
        "rano_sum_of_products_mm2": diameters.sum_of_products_mm2,
        "recist_longest_mm": diameters.recist_mm,
        "feret_mm": features.feret_mm,
        "lesions": float(diameters.lesions),
        **{f"center_{axis}_mm": value for axis, value in zip("ras", features.center_ras_mm, strict=True)},
        "surface_mm2": features.surface_mm2,
        "sphericity": features.sphericity,
        **features.intensities,
    }


def _growth_columns(earlier: list[tuple[datetime, RegionFeatures]], now: RegionFeatures, time: datetime) -> Row:
    columns: Row = dict.fromkeys(
        (
            "growth_ml_per_day",
            "doubling_time_days",
            "volume_change_percent",
            "rano_change_percent",
            "rano_change_from_smallest_percent",
        ),
        math.nan,
    )
    if earlier:
        then, before = earlier[-1]
        change = growth(before, now, _days(then, time))
        smallest = min(past.diameters.sum_of_products_mm2 for _, past in earlier)
        columns |= {
            "growth_ml_per_day": change.ml_per_day,
            "doubling_time_days": change.doubling_time_days,
            "volume_change_percent": change.volume_change_percent,
            "rano_change_percent": change.rano_change_percent,
            "rano_change_from_smallest_percent": _change_percent(smallest, now.diameters.sum_of_products_mm2),
        }
    return columns


def _change_percent(before: float, after: float) -> float:
    return 100 * (after - before) / before if before > 0 else math.nan


def _days(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 86400


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"
