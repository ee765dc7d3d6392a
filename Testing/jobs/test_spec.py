"""A job as a value and as a file."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.job_folder import load_patient, write_job
from TumorTwinLib.jobs.spec import JOB_FILE, JobSpec, read_spec, write_spec
from TumorTwinLib.models.registry import CANCERS, find_cancer

FULL = JobSpec(
    patient="/data/Lékař/GBM 1", patient_id="GBM_ü", horizon_days=90.5, output_days=(0.1, 30.0, 90.5),
    frame_every_days=7.0, calibration_visits=2, parameters={"proliferation_per_day": 0.1}, resolution_mm=1.5,
    tolerance=1e-4, device="cuda:1", seed=7,
)  # fmt: skip


@pytest.mark.parametrize("spec", [FULL, JobSpec(), JobSpec(horizon_days=None)])
def test_a_job_survives_its_file(tmp_path, spec):
    write_spec(tmp_path, spec)
    assert read_spec(tmp_path) == spec


def test_a_job_is_a_value():
    assert JobSpec(output_days=[1, 2], horizon_days=np.float64(3), seed=np.int64(4)) == JobSpec(
        output_days=(1.0, 2.0), horizon_days=3.0, seed=4
    )
    assert type(JobSpec(horizon_days=np.float64(3)).horizon_days) is float
    with pytest.raises(FrozenInstanceError):
        FULL.seed = 8


def test_fields_left_out_keep_their_defaults(tmp_path):
    (tmp_path / JOB_FILE).write_text('{"schema_version": 1, "horizon_days": 60}')
    assert read_spec(tmp_path) == JobSpec(horizon_days=60.0)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"horzon_days": 3}, "has the unknown field 'horzon_days': use patient, patient_id"),
        ({"schema_version": 2}, "schema_version 2 and this TumorTwin reads 1: update"),
        ({"horizon_days": "180"}, "horizon_days is '180': give a number."),
        ({"horizon_days": True}, "horizon_days is True: give a number."),
        ({"horizon_days": 0}, "The horizon is 0 days"),
        ({"horizon_days": float("nan")}, "The horizon is nan days"),
        ({"output_days": [0, 30]}, "The output days are 0, 30"),
        ({"output_days": 30}, "output_days is 30: give a list of numbers."),
        ({"output_days": [30, 20]}, "The output days are 30, 20: give them in rising order"),
        ({"output_days": [30, 900]}, "between 0 and the horizon of 180"),
        ({"output_days": [None]}, "output_days is None: give a number."),
        ({"frame_every_days": 0}, "frame_every_days is 0: give a number above zero."),
        ({"calibration_visits": 2.5}, "calibration_visits is 2.5: give a whole number."),
        ({"calibration_visits": 0}, "calibration_visits is 0: give at least 1"),
        ({"parameters": [0.1]}, "parameters is [0.1]: give values by parameter name."),
        ({"parameters": {"proliferation_per_day": "fast"}}, "proliferation_per_day is 'fast': give a number."),
        ({"parameters": {"proliferation_per_day": 0.1}, "horizon_days": None}, "there is nothing to do"),
        ({"resolution_mm": -1}, "resolution_mm is -1: give a number above zero."),
        ({"tolerance": None}, "tolerance is None: give a number."),
        ({"device": "gpu"}, "The device is 'gpu': give cpu, cuda or cuda:0."),
        ({"seed": -1}, "The seed is -1"),
        ({"cancer": "sarcoma"}, "no model of the cancer 'sarcoma': choose from glioblastoma"),
        ({"cancer": 3}, "cancer is 3: give text."),
        ({"patient": ""}, "patient is '': give text."),
    ],
)
def test_a_wrong_field_gets_one_sentence_with_the_file(tmp_path, changed, sentence):
    path = tmp_path / JOB_FILE
    path.write_text(json.dumps(JobSpec().to_dict() | changed))
    with pytest.raises(TumorTwinError) as raised:
        read_spec(tmp_path)
    assert sentence in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist: choose the folder of a job"),
        ("{", "is no valid JSON"),
        ("[]", "holds no object"),
        ("{}", "has no schema_version: add it with the value 1."),
    ],
)
def test_a_file_that_is_no_job_is_named(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / JOB_FILE).write_text(content)
    with pytest.raises(TumorTwinError, match=sentence):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("spec", "days"),
    [
        (JobSpec(horizon_days=100.0), [30, 60, 90, 100]),
        (JobSpec(horizon_days=90.0), [30, 60, 90]),
        (JobSpec(horizon_days=10.0), [10]),
        (JobSpec(horizon_days=0.3, frame_every_days=0.1), [0.1, 0.2, 0.3]),
        (JobSpec(horizon_days=100.0, output_days=(5.0, 50.0)), [5, 50]),
        (JobSpec(horizon_days=None), []),
    ],
)
def test_the_days_of_a_forecast_follow_its_horizon(spec, days):
    assert spec.forecast_days == pytest.approx(days)


def test_a_job_has_one_patient(tmp_path, patient):
    for spec, given in ((JobSpec(), None), (JobSpec(patient="somewhere"), patient)):
        with pytest.raises(TumorTwinError, match="A job needs one patient"):
            write_job(tmp_path, spec, given)
    assert list(tmp_path.iterdir()) == []


def test_a_patient_is_named_from_wherever_the_job_was_made(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(repository / "Resources")
    write_job(tmp_path / "job", JobSpec(patient="SampleData/glioblastoma", patient_id="Somebody"))
    monkeypatch.chdir(tmp_path)
    spec = read_spec(tmp_path / "job")
    assert Path(spec.patient).is_absolute()
    assert load_patient(spec, tmp_path / "job").patient_id == "Somebody"


def test_a_patient_may_lie_beside_the_job(tmp_path, repository):
    (tmp_path / "job").mkdir()
    (tmp_path / "patient files").symlink_to(repository / "Resources" / "SampleData" / "glioblastoma")
    spec = replace(FULL, patient="../patient files")
    assert load_patient(spec, tmp_path / "job").patient_id == "GBM_ü"


@pytest.mark.parametrize("name", CANCERS)
def test_every_cancer_has_its_model(name):
    assert callable(find_cancer(name).model_class().from_patient)
    assert find_cancer(name).title
