"""Patients, frames and results come back exactly as they were written, and nothing outside the folder is touched."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import fields, replace
from datetime import timedelta

import numpy as np
import pytest

from Testing.jobs.conftest import START
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Curve, Forecast, Measurement, ParameterValue
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.inference.least_squares import FitStatus
from TumorTwinLib.jobs import files
from TumorTwinLib.jobs.files import inside, read_array, write_array, write_json
from TumorTwinLib.jobs.frames import Frame, FrameFolder, frame_name, frames_of, read_frame
from TumorTwinLib.jobs.patient_store import PATIENT_FILE, patient_digest, read_patient, write_patient
from TumorTwinLib.jobs.protocol import Ending
from TumorTwinLib.jobs.result_store import FitSummary, JobResult, read_result, write_result
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.treatment.events import RadiotherapyFraction, Surgery


def assert_same(one, other) -> None:
    """Equal to the last bit, through dataclasses, mappings and arrays."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


@pytest.fixture
def rich_patient(patient, rng) -> PatientData:
    """With everything a patient can have."""
    grid = patient.brain_mask.grid
    fine = Grid.from_spacing((7, 8, 9), (11.0, 11.0, 11.0), (-40.0, -40.0, -40.0))
    dose = Image(rng.random(fine.shape, dtype=np.float32) * 2, fine, "dose plan 1", "Gy")
    first = patient.visits[0]
    anatomy = {"T1CE": Image(rng.integers(-5, 900, grid.shape, dtype=np.int16), grid, "T1CE day 0")}
    return PatientData(
        "Lékař 8",
        visits=[Visit(first.time, {**first.images, **anatomy}, first.regions), *patient.visits[1:]],
        treatments=[
            *patient.treatments,
            RadiotherapyFraction(START + timedelta(days=12, seconds=1), 1.8, dose),
            Surgery(START + timedelta(days=14), first.regions["edema"], 0.25),
            Surgery(START + timedelta(days=15)),
        ],
        brain_mask=patient.brain_mask,
        tissues={"white_matter": Image(rng.random(grid.shape, dtype=np.float32), grid, "white matter")},
        body_surface_area_m2=1.87,
        notices=("The affine of T1CE was repaired.",),
    )


def test_a_patient_comes_back(tmp_path, rich_patient):
    write_patient(tmp_path, rich_patient)
    assert_same(read_patient(tmp_path), rich_patient)


def test_the_shipped_patient_comes_back(tmp_path, repository):
    shipped = PatientData(imaging_dir=repository / "Resources" / "SampleData" / "glioblastoma")
    write_patient(tmp_path, shipped)
    assert_same(read_patient(tmp_path), shipped)


def test_no_file_can_hold_code(tmp_path, patient):
    write_patient(tmp_path, patient)
    np.save(tmp_path / "brain_mask.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(TumorTwinError, match=r"brain_mask\.npy is damaged"):
        read_patient(tmp_path)
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "code.npy", np.array([print], dtype=object))
    assert not (tmp_path / "code.npy").exists()


def change(folder, keys, value) -> None:
    described = json.loads((folder / PATIENT_FILE).read_text(encoding="utf-8"))
    place = described
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / PATIENT_FILE).write_text(json.dumps(described), encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    ["../secret.npy", "/etc/passwd", "..", ".", "", "a//b.npy", "a\\..\\b.npy", "C:secret.npy", ".hidden", 7, None],
)
def test_names_that_lead_out_are_refused(tmp_path, patient, name):
    write_patient(tmp_path / "patient", patient)
    np.save(tmp_path / "secret.npy", patient.brain_mask.array)
    change(tmp_path / "patient", ["brain_mask", "file"], name)
    with pytest.raises(TumorTwinError, match="not inside it"):
        read_patient(tmp_path / "patient")


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_link_that_leads_out_is_refused(tmp_path):
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "array.npy").symlink_to(tmp_path / "secret.npy")
    with pytest.raises(TumorTwinError, match="not inside it"):
        inside(tmp_path / "job", "array.npy")


@pytest.mark.parametrize(
    ("keys", "value", "sentence"),
    [
        (["brain_mask", "shape"], [1, 2, 3], "voxels but its grid has"),
        (["brain_mask", "ijk_to_ras"], [[1]], "geometry"),
        (["brain_mask"], None, "no brain mask"),
        (["visits", 0, "time"], "yesterday", "is no patient of this TumorTwin"),
        (["visits"], [], "has no visits"),
        (["treatments", 0, "kind"], "prayer", "unknown treatment"),
        (["tissues"], 3, "is no patient of this TumorTwin"),
    ],
)
def test_a_patient_that_contradicts_itself_is_refused(tmp_path, patient, keys, value, sentence):
    write_patient(tmp_path, patient)
    change(tmp_path, keys, value)
    with pytest.raises(TumorTwinError, match=sentence) as raised:
        read_patient(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_region_cannot_be_written_outside(tmp_path, patient):
    first = patient.visits[0]
    strange = Visit(first.time, first.images, {"../../enhancing": first.regions["enhancing"]})
    with pytest.raises(TumorTwinError, match="not inside it"):
        write_patient(tmp_path / "patient", PatientData("p", visits=[strange], brain_mask=patient.brain_mask))


def test_the_digest_is_that_of_the_contents(tmp_path, patient, rich_patient):
    write_patient(tmp_path, patient)
    moved = read_patient(tmp_path)
    assert patient_digest(moved) == patient_digest(patient)
    assert patient_digest(rich_patient) != patient_digest(patient)
    moved.visits[2].images["ADC"].array[3, 3, 3] += 1
    assert patient_digest(moved) != patient_digest(patient)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"kept": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"bad": float("nan")})
    monkeypatch.setattr(files.np, "save", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        write_array(tmp_path / "a.npy", np.zeros(3))
    assert json.loads(path.read_text()) == {"kept": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_an_array_that_was_cut_is_named(tmp_path, cut):
    write_array(tmp_path / "a.npy", np.arange(9.0))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:cut])
    with pytest.raises(TumorTwinError, match=r"a\.npy is damaged"):
        read_array(tmp_path / "a.npy")
    with pytest.raises(TumorTwinError, match=r"b\.npy does not exist"):
        read_array(tmp_path / "b.npy")


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (0.0, "day_0000.npy"),
        (12.5, "day_0012.5.npy"),
        (34.927083333333336, "day_0034.927083333333336.npy"),
        (1e-5, "day_0000.00001.npy"),
        (12345.0, "day_12345.npy"),
    ],
)
def test_a_frames_name_holds_its_day(tmp_path, day, name):
    assert frame_name(day) == name
    frames = FrameFolder(tmp_path, Grid.from_spacing((1, 1, 2), (1, 1, 1)), "print")
    frame = frames.write(day, np.ones((1, 1, 2)))
    assert frame == Frame(day, f"frames/{name}")
    assert frames_of(tmp_path) == (frame,)


def test_frames_are_read_where_they_lie(tmp_path, patient, rng):
    grid = patient.brain_mask.grid
    field = rng.random(grid.shape, dtype=np.float32)
    frame = FrameFolder(tmp_path, grid, "print").write(12.5, field)
    image = read_frame(tmp_path, frame)
    np.testing.assert_array_equal(image.array, field)
    np.testing.assert_array_equal(image.grid.ijk_to_ras, grid.ijk_to_ras)
    with pytest.raises(TumorTwinError, match="not inside it"):
        read_frame(tmp_path / "frames", Frame(12.5, "../frames/day_0012.5.npy"))


def test_frames_of_other_inputs_go_and_those_of_the_same_stay(tmp_path):
    grid = Grid.from_spacing((2, 2, 2), (1, 1, 1))
    first = FrameFolder(tmp_path, grid, "one")
    kept = [first.write(day, np.full((2, 2, 2), day)) for day in (2.0, 10.0, 1.0)]
    (tmp_path / "frames" / "day_0003.npy.77.part").write_bytes(b"half")
    again = FrameFolder(tmp_path, grid, "one")
    again.write(2.0, np.zeros((2, 2, 2)))  # is there already
    assert frames_of(tmp_path, "one") == tuple(sorted(kept, key=lambda frame: frame.day))
    assert read_frame(tmp_path, kept[0]).array.max() == 2.0
    assert not list((tmp_path / "frames").glob("*.part"))
    FrameFolder(tmp_path, grid, "two").write(5.0, np.zeros((2, 2, 2)))
    assert [frame.day for frame in frames_of(tmp_path)] == [5.0]
    assert frames_of(tmp_path, "one") == ()


def test_a_preview_is_always_the_latest(tmp_path):
    frames = FrameFolder(tmp_path, Grid.from_spacing((2, 2, 2), (1, 1, 1)), "one", preview=True)
    frames.write(5.0, np.zeros((2, 2, 2)))
    frame = frames.write(5.0, np.ones((2, 2, 2)))
    assert frame == Frame(5.0, "preview/day_0005.npy", preview=True)
    assert read_frame(tmp_path, frame).array.min() == 1.0
    assert frames_of(tmp_path, "one", preview=True) == (frame,)
    assert frames_of(tmp_path, "one") == ()


@pytest.fixture
def forecast(patient, rng) -> Forecast:
    grid, days = patient.brain_mask.grid, np.array([0.0, 30.0, 60.1875])
    volumes = {"core": rng.random(3), "whole_tumor": rng.random(3)}
    return Forecast(
        patient_id="Lékař 7",
        start=START,
        days=days,
        grid=grid,
        cellularity=rng.random((3, *grid.shape), dtype=np.float32),
        thresholds={"core": 0.65, "whole_tumor": 0.25},
        volume_mm3=volumes,
        total_cell_count=rng.random(3) * 1e9,
        curve=Curve(rng.random(9), {name: rng.random(9) for name in volumes}, rng.random(9)),
        forecast_from_day=60.1875,
        measurements=(Measurement(0.0, {"core": 0.1}, 1e9 / 3), Measurement(30.0, {})),
        parameters=(
            ParameterValue("a", "α", 1 / 3, "1/Gy", 0.1, 0.5, "someone"), ParameterValue("b", "b", 2.0, ""),
        ),
        provenance={"seed": 7, "inputs": {"patient": "ü", "visits": 3}},
    )  # fmt: skip


@pytest.fixture
def fit(forecast, rng) -> FitSummary:
    return FitSummary(
        FitStatus.MAX_ITERATIONS, forecast.parameters, {"cellularity": 0.1}, 9, ("a",), rng.random((1, 1)),
        {"cellularity": 0.2}, {"cellularity": 0.3}, (0, 1), (3.0, 1 / 3),
    )  # fmt: skip


@pytest.mark.parametrize("with_curve", [True, False])
def test_a_result_comes_back(tmp_path, forecast, fit, with_curve):
    shown = forecast if with_curve else replace(forecast, curve=None)
    frames = tuple(Frame(day, f"frames/{frame_name(day)}") for day in forecast.days.tolist())
    result = JobResult(Ending.COMPLETED, "Done.", "print", "Lékař 7", fit, shown, frames, ("Note.",), 12.5)
    write_result(tmp_path, result)
    assert_same(read_result(tmp_path), result)
    assert frames_of(tmp_path, "print") == frames


def test_a_result_without_findings_comes_back(tmp_path, fit):
    for part in (None, replace(fit, log_covariance=None, status=FitStatus.CANCELLED)):
        result = JobResult(Ending.CANCELLED, "Stopped.", fit=part)
        write_result(tmp_path, result)
        assert_same(read_result(tmp_path), result)


def test_a_damaged_result_is_named(tmp_path, forecast):
    write_result(tmp_path, JobResult(Ending.COMPLETED, "Done.", "print", forecast=forecast))
    (tmp_path / "frames" / "day_0030.npy").unlink()
    with pytest.raises(TumorTwinError, match=r"day_0030\.npy does not exist although the job names it"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text('{"ending": "completed"}')
    with pytest.raises(TumorTwinError, match=r"result\.json is no result of this TumorTwin"):
        read_result(tmp_path)
