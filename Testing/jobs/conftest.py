"""A patient small enough to be calibrated in a second or two, and jobs for it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction

START = datetime(2024, 3, 1, 9, 30)
SHAPE = (22, 24, 20)
LONG = JobSpec(horizon_days=30.0, resolution_mm=3.0, tolerance=1e-5)  # calibrates for some seconds
VISIT_DAYS = (0.0, 30.0, 60.1875)


def make_patient() -> PatientData:
    """A round tumour that grows through a week of radiotherapy, in a tilted grid of 4 mm."""
    affine = np.diag([-4.0, 4.0, 4.0, 1.0])
    affine[0, 1] = affine[1, 0] = 0.4
    grid = Grid(SHAPE, affine)
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    center = (np.array(SHAPE) - 1) / 2
    distance_mm = 4.0 * np.linalg.norm(ijk - center, axis=-1)
    brain = Image(distance_mm < 40, grid, "brain")
    visits = []
    for day in VISIT_DAYS:
        cells = 0.9 / (1 + np.exp((distance_mm - 12 - 0.06 * day) / 4))
        regions = {
            "enhancing": Image(cells > 0.6, grid, f"enhancing day {day:g}"),
            "edema": Image((cells > 0.2) & (cells <= 0.6), grid, f"edema day {day:g}"),
        }
        adc = Image((3000 * (1 - cells)).astype(np.float32), grid, f"ADC day {day:g}", "1e-6 mm2/s")
        visits.append(Visit(START + timedelta(days=day), {"ADC": adc}, regions))
    treatments = [
        *(RadiotherapyFraction(START + timedelta(days=3 + n, hours=2), 2.0) for n in range(5)),
        *(DrugDose(START + timedelta(days=3 + n), "temozolomide", 75.0, "mg/m2") for n in range(5)),
    ]
    return PatientData("Lékař 7", visits=visits, treatments=treatments, brain_mask=brain)


@pytest.fixture(scope="session")
def patient() -> PatientData:
    return make_patient()


@pytest.fixture
def make_job(tmp_path, patient) -> Callable[..., Path]:
    """Makes job folders, in places as users have them."""

    def make(name: str = "größe ü job 1", **settings) -> Path:
        folder = tmp_path / name
        settings = {"horizon_days": 30.0, "frame_every_days": 10.0, "resolution_mm": 4.0} | settings
        write_job(folder, JobSpec(**settings), patient)
        return folder

    return make


@pytest.fixture
def stand_in(tmp_path) -> Callable[[str], str]:
    """Makes an interpreter that runs the given Python code instead of a worker, which is ``sys.argv[1:]``."""
    if os.name == "nt":
        pytest.skip("scripts are no programs on Windows")

    def make(code: str) -> str:
        script = tmp_path / "stand-in"
        script.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    return make


@pytest.fixture
def long_job(tmp_path, patient) -> Path:
    folder = tmp_path / "long é job"
    write_job(folder, LONG, patient)
    return folder
