"""A ball of brain with a ball of tumor, small enough for every test: skull-stripped scans and outlines as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.volume_files import write_volume

GRID = Grid.from_spacing((40, 44, 36), (4.0, 4.0, 4.0), (-80.0, -88.0, -72.0))
SCANS = {"t1": (100, 60), "t1ce": (100, 180), "t2": (80, 160), "flair": (90, 170)}  # brain, tumor


def distance_mm(center_mm=(0.0, 0.0, 0.0)) -> np.ndarray:
    points = GRID.ras_mm(np.stack(np.indices(GRID.shape), -1))
    return np.linalg.norm((points - np.array(center_mm)) / (1.0, 1.15, 0.9), axis=-1)


def scan(name: str, radius_mm: float) -> Image:
    rng = np.random.default_rng(len(name))
    brain, tumor = SCANS[name]
    array = np.where(distance_mm((20.0, 10.0, 0.0)) < radius_mm, tumor, brain) + rng.normal(0, 3, GRID.shape)
    array += 15 * np.sin(distance_mm((40, 0, 0)) / 6.0)  # folds, for the registration
    return Image(np.where(distance_mm() < 66.0, array, 0).astype(np.float32), GRID, name)


def labels(radius_mm: float) -> Image:
    distance = distance_mm((20.0, 10.0, 0.0))
    array = np.select([distance < radius_mm / 3, distance < radius_mm / 1.5, distance < radius_mm], [1, 4, 2], 0)
    return Image(array.astype(np.uint8), GRID, "labels")


def write_visit(folder: Path, radius_mm: float, *, scans=tuple(SCANS), outlined: bool = True) -> None:
    folder.mkdir(parents=True)
    for name in scans:
        write_volume(scan(name, radius_mm), folder / f"{name}.nii.gz")
    if outlined:
        write_volume(labels(radius_mm), folder / "seg.nii.gz")
