"""The module's logic from a console: patients from anywhere, blocking and in the background, results in the scene."""

import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import slicer

from Testing.jobs.conftest import make_patient
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.conversation import State
from TumorTwinLib.jobs.job_folder import load_patient
from TumorTwinLib.jobs.patient_store import patient_digest
from TumorTwinLib.jobs.runner import run_job_folder
from TumorTwinLib.jobs.spec import JobSpec, read_spec
from TumorTwinLib.mrml.forecast import show_forecast
from TumorTwinLib.mrml.logic import TumorTwinLogic
from TumorTwinLib.mrml.patient_selection import PatientSelection
from TumorTwinLib.mrml.scene_run import SceneRun
from TumorTwinLib.mrml.shown_forecast import find_forecast
from TumorTwinLib.mrml.visits import show_patient
from TumorTwinLib.patient.data import MODALITIES

PATIENT = "Lékař 7"
SETTINGS = {"horizonDays": 30.0, "frame_every_days": 10.0, "resolution_mm": 4.0}
HANG_S = 120


@pytest.fixture
def logic() -> TumorTwinLogic:
    return TumorTwinLogic()


@pytest.fixture(scope="module")
def small_patient():
    return make_patient()


@pytest.fixture
def no_leftovers(tmp_path, monkeypatch):
    """Temporary files go where they can be counted; afterwards there are none."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture
def scans(scene, small_patient):
    """The patient's scans as nodes."""
    return show_patient(small_patient, MODALITIES)


def node_names() -> list[str]:
    scene = slicer.mrmlScene
    return sorted(scene.GetNthNode(number).GetName() or "" for number in range(scene.GetNumberOfNodes()))


def follow(handle, condition) -> None:
    until = time.monotonic() + HANG_S
    while not condition():
        handle.poll()
        assert not handle.state.over, handle.message
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.usefixtures("no_leftovers")
def test_three_lines_forecast_the_shipped_patient(logic, repository):
    told = []
    job = logic.jobSpec(repository / "Resources" / "SampleData" / "glioblastoma", horizonDays=30.0, resolution_mm=6.0)
    result = logic.run(job, onProgress=told.append)
    assert (result.status, result.message, result.state) == ("completed", "Done.", State.COMPLETED)
    assert {progress.stage for progress in told} == {"read", "calibrate", "forecast"}
    assert result.sequenceNode.GetNumberOfDataNodes() == 5
    assert result.tableNode.GetNumberOfRows() == 5
    assert result.parameterTable.GetNumberOfRows() == 4
    assert result.stats["seconds"] > 0
    assert result.fit.values == {row.name: row.value for row in result.result.forecast.parameters}
    assert slicer.util.getFirstNodeByName("Brain", "vtkMRMLSegmentationNode")
    assert slicer.util.getFirstNodeByName("T1CE day 0", "vtkMRMLScalarVolumeNode")


def test_a_patient_of_nodes_is_the_patient(logic, scans, small_patient, tmp_path):
    visits = scans.visits
    job = logic.jobSpec(
        adc=[visit.images["ADC"] for visit in visits],
        segmentation=[visit.segmentation for visit in visits],
        times=[visit.time.isoformat() for visit in small_patient.visits],
        brainMask=scans.brain,
        treatments=small_patient.treatments,
        patientId=PATIENT,
        **SETTINGS,
    )
    job.save(tmp_path / "job")
    assert read_spec(tmp_path / "job") == JobSpec(
        patient_id=PATIENT, horizon_days=30.0, frame_every_days=10.0, resolution_mm=4.0
    )
    assert patient_digest(load_patient(job.spec, tmp_path / "job")) == patient_digest(small_patient)
    expected = run_job_folder(tmp_path / "job").forecast
    before = node_names()
    result = logic.run(job)
    np.testing.assert_array_equal(result.result.forecast.cellularity, expected.cellularity)
    assert set(before) < set(node_names())
    assert node_names().count("ADC day 0") == 1  # the scans were there and are not added again


def test_a_patient_is_found_in_the_scene(logic, scans, small_patient):
    named = logic.jobSpec(PATIENT, treatments=small_patient.treatments, **SETTINGS)
    selected = logic.jobSpec(PatientSelection.of_shown(small_patient, scans), treatments=small_patient.treatments)
    in_memory = logic.jobSpec(small_patient)
    assert patient_digest(named.patient) == patient_digest(selected.patient) == patient_digest(in_memory.patient)
    assert (named.in_scene, selected.in_scene, in_memory.in_scene) == (True, True, False)


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        ((), {}, "A job needs one patient"),
        (("somewhere",), {"brainMask": "node"}, "A job needs one patient"),
        (("nobody",), {}, "nobody is no patient: give a folder of visits, .* which has Lékař 7"),
        ((PATIENT,), {"horizonDays": -1}, "The horizon is -1 days"),
        ((PATIENT,), {"model": "sarcoma"}, "no model of the cancer 'sarcoma'"),
        ((), {"adc": ["node"], "times": []}, "There are 0 times and 1 nodes for ADC"),
    ],
)
@pytest.mark.usefixtures("scans")
def test_wrong_inputs_get_one_sentence_and_change_nothing(logic, arguments, settings, sentence):
    before = node_names()
    with pytest.raises(TumorTwinError, match=sentence) as raised:
        logic.jobSpec(*arguments, **settings)
    assert "\n" not in str(raised.value)
    assert node_names() == before


@pytest.mark.usefixtures("no_leftovers")
def test_a_job_that_fails_changes_nothing(logic, small_patient, forecast):
    show_forecast(forecast)
    before = node_names()
    with pytest.raises(TumorTwinError, match="has 3 visits and 1 are to be used"):
        logic.run(logic.jobSpec(small_patient, calibration_visits=1, **SETTINGS))
    assert node_names() == before


def test_a_second_run_refills_the_nodes(logic, small_patient):
    job = logic.jobSpec(small_patient, **SETTINGS)
    first = logic.run(job)
    names = node_names()
    second = logic.run(job.changed(horizon_days=20.0))
    assert node_names() == names
    assert second.nodes == first.nodes
    assert second.sequenceNode.GetNumberOfDataNodes() == 5


@pytest.mark.usefixtures("no_leftovers")
def test_calibrating_and_predicting_is_the_same_as_both_at_once(logic, small_patient):
    job = logic.jobSpec(small_patient, **SETTINGS)
    fitted = logic.calibrate(job)
    assert (fitted.nodes, fitted.result.forecast) == (None, None)
    assert find_forecast(PATIENT) is None
    table = fitted.parameterTable
    values = {
        table.GetTable().GetValue(row, 0).ToString(): table.GetTable().GetValue(row, 2).ToDouble() for row in range(4)
    }
    assert values == fitted.fit.values
    whole = logic.run(job)
    for parameters in (fitted, fitted.parameterTable, fitted.fit.values, whole, whole.parameterTable):
        predicted = logic.predict(job, parameters)
        np.testing.assert_array_equal(predicted.result.forecast.cellularity, whole.result.forecast.cellularity)
        errors = [row.standard_error for row in predicted.result.forecast.parameters]
        expected = [row.standard_error for row in fitted.fit.parameters]
        assert errors == (expected if parameters in (fitted, whole) else [None] * 4)
    assert table.GetScene() is slicer.mrmlScene  # a forecast does not take the calibration's table away


def test_a_table_of_something_else_is_refused(logic, small_patient, forecast):
    table = show_forecast(forecast).table
    with pytest.raises(TumorTwinError, match="has no columns 'parameter' and 'value'"):
        logic.predict(logic.jobSpec(small_patient), table)


@pytest.mark.usefixtures("no_leftovers")
def test_in_the_background_frames_appear_and_then_the_forecast(logic, small_patient):
    frames, finished, days = [], [], []

    def on_frame(frame) -> None:
        frames.append(frame)
        days.append(find_forecast(PATIENT).day_count)

    handle = logic.start(logic.jobSpec(small_patient, **SETTINGS), onFrame=on_frame, onFinished=finished.append)
    assert not handle.state.over
    assert find_forecast(PATIENT) is None
    assert handle.wait(HANG_S)
    assert any(frame.preview for frame in frames)
    final = [count for frame, count in zip(frames, days, strict=True) if not frame.preview]
    assert final == [1, 2, 3, 4, 5, 6]
    (result,) = finished
    assert result.state is State.COMPLETED
    assert find_forecast(PATIENT).day_count == 6
    assert result.tableNode.GetNumberOfRows() == 6


@pytest.mark.usefixtures("no_leftovers")
def test_cancelling_keeps_the_frames_that_are_there(logic, small_patient):
    finished = []
    job = logic.jobSpec(small_patient, **(SETTINGS | {"horizonDays": 20000.0}))
    handle = logic.start(job, onFinished=finished.append)
    follow(handle, lambda: len([frame for frame in handle.conversation.frames if not frame.preview]) >= 2)
    handle.cancel()
    assert handle.wait(HANG_S)
    (result,) = finished
    assert (result.status, result.nodes) == ("cancelled", None)
    assert "the forecast up to day" in result.message
    assert 2 <= find_forecast(PATIENT).day_count == len(result.result.frames) < 2000


@pytest.mark.usefixtures("no_leftovers")
def test_closing_the_scene_stops_the_job_and_the_next_scene_stays_empty(logic, small_patient):
    finished = []
    job = logic.jobSpec(small_patient, **(SETTINGS | {"resolution_mm": 3.0, "tolerance": 1e-5}))
    handle = logic.start(job, onFinished=finished.append)
    follow(handle, lambda: handle.progress is not None and handle.progress.done >= 2)
    slicer.mrmlScene.Clear(0)
    empty = node_names()
    assert handle.state is State.CANCELLING
    assert handle.wait(HANG_S)
    assert [result.state for result in finished] == [State.CANCELLED]
    assert node_names() == empty
    slicer.mrmlScene.Clear(0)  # nobody observes any more


@pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
@pytest.mark.usefixtures("no_leftovers")
def test_a_worker_that_is_killed_leaves_the_scene_usable(logic, small_patient):
    finished = []
    job = logic.jobSpec(small_patient, **(SETTINGS | {"resolution_mm": 3.0, "tolerance": 1e-5}))
    handle = logic.start(job, onFinished=finished.append)
    follow(handle, lambda: handle.progress is not None and handle.progress.done >= 3)
    os.kill(handle.conversation.worker_pid, signal.SIGKILL)
    assert handle.wait(HANG_S)
    (result,) = finished
    assert result.state is State.CRASHED
    assert "killed from outside" in result.message
    assert logic.run(job).state is State.COMPLETED


@pytest.mark.usefixtures("no_leftovers")
def test_a_job_that_cannot_be_started_is_told(logic, small_patient, tmp_path):
    from TumorTwinLib.jobs.runner import start_job

    finished = []
    broken = TumorTwinLogic(lambda folder, listener: start_job(folder, listener, interpreter=str(tmp_path / "none")))
    handle = broken.start(broken.jobSpec(small_patient, **SETTINGS), onFinished=finished.append)
    assert handle.wait(HANG_S)
    assert [result.state for result in finished] == [State.CRASHED]
    assert "could not be started" in finished[0].message


def test_a_job_in_a_folder_of_ones_own_stays_and_continues(small_patient, tmp_path, logic):
    from TumorTwinLib.jobs.runner import start_job

    job = logic.jobSpec(small_patient, **SETTINGS)
    for _ in range(2):
        run = SceneRun(job, start_job, folder=tmp_path / "kept", live=False)
        assert run.handle.wait(HANG_S)
        assert run.result.state is State.COMPLETED
    assert (tmp_path / "kept" / "result.json").is_file()


def test_a_result_that_cannot_be_shown_is_a_failure_with_a_sentence(logic, small_patient, monkeypatch):
    from TumorTwinLib.mrml import scene_run

    def broken(*_) -> None:
        raise ZeroDivisionError("no view")

    monkeypatch.setattr(scene_run, "show", broken)
    with pytest.raises(TumorTwinError, match="cannot be shown"):
        logic.run(logic.jobSpec(small_patient, **SETTINGS))


def test_a_folder_that_cannot_be_written_is_named(logic, small_patient, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TumorTwinError, match="file cannot be written"):
        logic.jobSpec(small_patient).save(Path(tmp_path / "file"))
