"""Jobs that begin with raw scans, or that ask for new outlines, in the worker's folder run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from Testing.processing.bright_network import install_bright_network
from Testing.processing.small_head import GRID, labels, write_visit
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.jobs.folder_run import FolderRun
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.protocol import Ending, Progress
from TumorTwinLib.jobs.result_store import read_result
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.patient import PatientData
from TumorTwinLib.volume_files import write_volume

QUICK = {"horizon_days": 20.0, "resolution_mm": 8.0, "parameters": {"proliferation_per_day": 0.02}}


@pytest.fixture
def outlines(tmp_path) -> Path:
    """Two label maps without dates, and the brain's tissues."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, radius_mm in ((1, 20.0), (2, 26.0)):
        write_volume(labels(radius_mm), folder / f"x_time{number}_seg.nii.gz")
    for name, share in (("white_matter", 0.8), ("grey_matter", 0.2), ("csf", 0.0)):
        write_volume(Image(np.full(GRID.shape, share, np.float32), GRID), folder / f"{name}.nii.gz")
    return folder


def run(folder: Path, cancelled=lambda: False) -> tuple[Ending, list]:
    events: list = []
    return FolderRun(folder, events.append, cancelled).run(), events


def stages(events: list) -> list[str]:
    return list(dict.fromkeys(event.stage for event in events if isinstance(event, Progress)))


def test_a_folder_of_outlines_is_prepared_and_forecast(outlines, tmp_path):
    write_job(tmp_path / "job", JobSpec(str(outlines), interval_days=45.0, **QUICK))
    ending, events = run(tmp_path / "job")
    assert ending is Ending.COMPLETED, events[-1]
    assert stages(events) == ["read", "imaging", "segmentation", "forecast"]
    result = read_result(tmp_path / "job")
    assert [measured.day for measured in result.forecast.measurements] == [0.0, 45.0]
    assert any("45 days apart" in notice for notice in result.notices)
    assert (tmp_path / "job" / "imaging" / "features.csv").is_file()


def test_prepared_once_and_forecast_again(outlines, tmp_path):
    write_job(tmp_path / "job", JobSpec(str(outlines), **QUICK))
    run(tmp_path / "job")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "job" / "imaging").rglob("*.gz")}
    write_job(tmp_path / "job", JobSpec(str(outlines), **{**QUICK, "horizon_days": 10.0}))
    assert run(tmp_path / "job")[0] is Ending.COMPLETED
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_checking_finds_what_the_scans_lack_and_writes_nothing(outlines, tmp_path, monkeypatch):
    write_job(tmp_path / "job", JobSpec(str(outlines), **QUICK))
    events: list = []
    assert FolderRun(tmp_path / "job", events.append, lambda: False).check() is Ending.COMPLETED
    assert not (tmp_path / "job" / "imaging").exists()
    write_volume(labels(20.0), outlines / "y_time1_seg.nii.gz")
    assert FolderRun(tmp_path / "job", events.append, lambda: False).check() is Ending.FAILED
    assert "has 2 segmentation" in events[-1].message
    monkeypatch.setenv("TUMORTWIN_MODELS", str(tmp_path / "models"))
    write_job(tmp_path / "job2", JobSpec(str(tmp_path / "job"), segmentation_model="no such model", **QUICK))
    assert FolderRun(tmp_path / "job2", events.append, lambda: False).check() is Ending.FAILED


def test_a_stop_while_scans_are_prepared_ends_as_cancelled(outlines, tmp_path):
    write_job(tmp_path / "job", JobSpec(str(outlines), **QUICK))
    asked: list = []

    def soon() -> bool:
        asked.append(1)
        return len(asked) > 15

    assert run(tmp_path / "job", soon)[0] is Ending.CANCELLED
    assert run(tmp_path / "job")[0] is Ending.COMPLETED


def test_a_patient_in_the_job_is_outlined_by_the_model_that_is_named(tmp_path, monkeypatch):
    pytest.importorskip("monai")
    monkeypatch.setenv("TUMORTWIN_MODELS", str(tmp_path / "models"))
    name = install_bright_network()
    write_visit(tmp_path / "patient" / "2024-03-05", 24.0)
    brain = Image(labels(60.0).array > 0, GRID, "brain")
    write_volume(brain, tmp_path / "patient" / "brain_mask.nii.gz")
    patient = PatientData("P", tmp_path / "patient")
    write_job(tmp_path / "job", JobSpec(segmentation_model=name, **QUICK), patient)
    ending, events = run(tmp_path / "job")
    assert ending is Ending.COMPLETED, events[-1]
    assert stages(events) == ["read", "segmentation", "forecast"]
    measured = read_result(tmp_path / "job").forecast.measurements[0].volume_mm3
    assert measured["core"] == 0  # the network calls everything edema; the outlines that came have a core
    assert measured["whole_tumor"] > 0


@pytest.mark.parametrize(
    ("field", "value"), [("interval_days", "ninety"), ("segmentation_model", ""), ("label_convention", 3)]
)
def test_settings_that_mean_nothing_are_refused(field, value):
    with pytest.raises(TumorTwinError, match=field):
        JobSpec("patient", **{field: value})
