"""A small patient on disk: an ellipsoid head with a growing tumor, two visits, treatments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.volume_files import write_volume

GRID = Grid.from_spacing((20, 24, 16), (2.0, 1.5, 3.0), (-19.0, -17.25, -22.5))
TREATMENT = """date,kind,name,amount,unit,note
2024-03-20T14:00,radiotherapy,,2,Gy,
2024-03-21T08:00,radiotherapy,,1.2,Gy,first of the day
2024-03-21T16:00,radiotherapy,,1.2,Gy,second of the day
2024-03-20,drug,TMZ,75,mg/m2,
2024-04-02,surgery,,,,
"""


def ellipsoid(grid: Grid, centre_mm: tuple[float, ...], radii_mm: tuple[float, ...]) -> np.ndarray:
    """(ni, nj, nk) Boolean ellipsoid, given in RAS millimetres."""
    ras = grid.ras_mm(np.stack(np.indices(grid.shape), axis=-1))
    return (((ras - centre_mm) / np.array(radii_mm)) ** 2).sum(axis=-1) <= 1


def head(grid: Grid, growth: float = 1.0) -> dict[str, np.ndarray]:
    """The images of one visit, sampled on any grid: smooth contrasts, BraTS labels, brain mask."""
    ras = grid.ras_mm(np.stack(np.indices(grid.shape), axis=-1))
    x, y, z = np.moveaxis(ras, -1, 0)
    centre = (5.0, -4.0, 3.0)
    labels = np.zeros(grid.shape, np.uint8)
    labels[ellipsoid(grid, centre, (9.0 * growth, 8.0 * growth, 9.0 * growth))] = 2
    labels[ellipsoid(grid, centre, (7.0 * growth, 6.0 * growth, 7.0 * growth))] = 4
    labels[ellipsoid(grid, centre, (4.0 * growth, 3.0 * growth, 4.0 * growth))] = 1
    smooth = 100 * np.exp(-((x - 5) ** 2 + (y + 4) ** 2 + (z - 3) ** 2) / 200) + x + 2 * y + 3 * z
    return {
        "T1": (smooth + 200).astype(np.float32),
        "T1CE": (smooth + 250).astype(np.float32),
        "FLAIR": (smooth + 300).astype(np.float32),
        "ADC": np.where(labels > 0, 1200, 850).astype(np.int16),
        "seg": labels,
        "brain_mask": ellipsoid(grid, (0, 0, 0), (18, 16, 20)).astype(np.uint8),
    }


def write_patient(folder: Path, grid: Grid = GRID, suffix: str = ".nii.gz") -> Path:
    """Writes the folder layout: visits of 2024-03-05 00:00 and 2024-04-11 14:00."""
    for name, growth in (("2024-03-05", 1.0), ("2024-04-11T1400_follow-up", 1.2)):
        (folder / name).mkdir(parents=True)
        images = head(grid, growth)
        brain = images.pop("brain_mask")
        for role, array in images.items():
            write_volume(Image(array, grid), folder / name / f"{role}{suffix}")
    write_volume(Image(brain, grid), folder / f"brain_mask{suffix}")
    (folder / "treatment.csv").write_text(TREATMENT)
    (folder / "patient.json").write_text(json.dumps({"patient_id": "GBM_001", "body_surface_area_m2": 1.85}))
    return folder


@pytest.fixture
def grid() -> Grid:
    return GRID


@pytest.fixture
def patient_folder(tmp_path: Path) -> Path:
    """A complete, valid patient."""
    return write_patient(tmp_path / "GBM_001")


@pytest.fixture
def patient_json(tmp_path: Path) -> Path:
    """A complete, valid patient in the JSON layout, with NIfTI files beside it."""
    folder = tmp_path / "HGG_toy"
    folder.mkdir()
    visits = []
    for number, (time, growth) in enumerate(
        (("2024-03-05T00:00:00.000000", 1.0), ("2024-04-11T14:00:00", 1.2)), start=1
    ):
        images = head(GRID, growth)
        write_volume(Image(images["ADC"], GRID), folder / f"ADC_v{number}.nii.gz")
        write_volume(Image((images["seg"] > 0).astype(np.uint8), GRID), folder / f"ROI_v{number}.nii.gz")
        visits.append(
            {
                "time": time,
                "adc": f"{{$image_dir}}/ADC_v{number}.nii.gz",
                "roi_enhance": f"{{$image_dir}}/ROI_v{number}.nii.gz",
                "roi_nonenhance": None,
            }
        )
    write_volume(Image(images["brain_mask"], GRID), folder / "brainmask.nii.gz")
    path = folder / "HGG_toy.json"
    layout = {
        "patient": "HGG_toy",
        "brainmask": "{$image_dir}/brainmask.nii.gz",
        "visits": visits,
        "radiotherapy": [{"time": "2024-03-20T14:00:00", "dose": 2, "units": "Gy"}],
        "chemotherapy": [{"time": "2024-03-20", "dose": 105, "units": "mg"}],
    }
    path.write_text(json.dumps(layout))
    return path


@pytest.fixture
def make_patient() -> Callable[..., Path]:
    return write_patient


@pytest.fixture
def make_head() -> Callable[..., dict[str, np.ndarray]]:
    return head
