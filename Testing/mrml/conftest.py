"""The Slicer scene is one per process: every test here starts with it empty."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from TumorTwinLib.forecast import Curve, Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.patient import PatientData, Visit

START = datetime(2024, 3, 1, 9, 30)
CENTER_MM = np.array([18.0, -12.0, 25.0])
CELLS_PER_MM3 = 2.4e5


@pytest.fixture(autouse=True)
def scene():
    """The application's scene, emptied."""
    from TumorTwinLib.mrml.runtime import ensure_slicer

    scene = ensure_slicer().mrmlScene
    scene.Clear(0)
    yield scene
    scene.Clear(0)


@pytest.fixture(scope="session")
def needs_graphics() -> None:
    """Pictures need OpenGL, which not every machine has."""
    from TumorTwinLib.mrml.graphics import graphics_available

    if not graphics_available():
        pytest.skip("no OpenGL: apt-get install libegl1 libgl1-mesa-dri")


def head_grid() -> Grid:
    """A head in a tilted, left-handed grid of unequal spacing."""
    angle = np.radians(8)
    tilt = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = tilt * [-4.0, 4.0, 5.0]
    shape = (44, 52, 36)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def distance_mm(grid: Grid, center_mm, scale=(1.0, 1.0, 1.0)) -> np.ndarray:
    indices = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    return np.linalg.norm((grid.ras_mm(indices) - center_mm) / np.asarray(scale), axis=-1)


def make_forecast(days=(0.0, 30.0, 60.1875, 120.0, 180.0), growth_mm_per_day: float = 0.09) -> Forecast:
    """A blob that grows and keeps a soft edge, with three measured scans."""
    grid = head_grid()
    days = np.asarray(days, dtype=float)
    radius_mm = 11 + growth_mm_per_day * days
    distance = distance_mm(grid, CENTER_MM, (1.0, 1.2, 0.9))
    field = 0.95 / (1 + np.exp((distance - radius_mm[:, None, None, None]) / 2.5))
    field = (field * (field > 1e-5)).astype(np.float32)
    thresholds = {"whole_tumor": 0.16, "core": 0.6}
    volumes = {name: (field >= level).sum((1, 2, 3)) * grid.voxel_volume_mm3 for name, level in thresholds.items()}
    count = field.sum((1, 2, 3)) * grid.voxel_volume_mm3 * CELLS_PER_MM3
    measurements = (
        Measurement(0.0, {"whole_tumor": volumes["whole_tumor"][0] * 1.05, "core": volumes["core"][0] * 0.9}, 2.9e9),
        Measurement(30.0, {"whole_tumor": volumes["whole_tumor"][min(1, len(days) - 1)] * 0.97}),
        Measurement(60.1875, {"core": volumes["core"][-1] * 0.7}, 5.8e9),
    )
    parameters = (
        ParameterValue("diffusivity", "D", 0.11, "mm2/d", 0.01, 0.31, "Swanson 2000"),
        ParameterValue("TMZ sensitivity", "a", 0.2, "1/(mg/m2)"),
    )
    between = np.linspace(days[0], days[-1], 4 * len(days))
    curve = Curve(
        between,
        {name: np.interp(between, days, volume) for name, volume in volumes.items()},
        np.interp(between, days, count),
    )
    return Forecast(
        patient_id="VGBM_001",
        start=START,
        days=days,
        grid=grid,
        cellularity=field,
        thresholds=thresholds,
        volume_mm3=volumes,
        total_cell_count=count,
        curve=curve,
        forecast_from_day=60.1875,
        measurements=measurements,
        parameters=parameters,
        provenance={"seed": 7, "version": "0.1.0"},
    )


@pytest.fixture
def forecast() -> Forecast:
    return make_forecast()


def make_patient() -> PatientData:
    """The patient of `make_forecast`: an ellipsoid head, three visits."""
    grid = head_grid()
    head = distance_mm(grid, np.zeros(3), (0.85, 1.0, 0.85))
    anatomy = (600 * (head < 72) + 200 * (head < 60) * np.cos(head / 5)).astype(np.float32)
    visits = []
    for day in (0.0, 30.0, 60.1875):
        field = make_forecast(days=(day,)).cellularity[0]
        regions = {
            "enhancing": Image(field > 0.6, grid, f"enhancing day {day:g}"),
            "edema": Image((field > 0.16) & (field <= 0.6), grid, f"edema day {day:g}"),
        }
        images = {name: Image(anatomy + 300 * field, grid, f"{name} day {day:g}") for name in ("T1CE", "FLAIR")}
        visits.append(Visit(START + timedelta(days=day), images, regions))
    return PatientData("VGBM_001", visits=visits, brain_mask=Image(head < 60, grid, "brain"))


@pytest.fixture
def patient() -> PatientData:
    return make_patient()
