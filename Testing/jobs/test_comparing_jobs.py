"""Jobs that compare regimens: what is stored, files carried along, cancel with what there is, other regimens later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from Testing.jobs.test_resume import times, untimed
from Testing.jobs.test_stores import assert_same
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs.comparing import comparison_task
from TumorTwinLib.jobs.conversation import Listener
from TumorTwinLib.jobs.folder_run import FolderRun
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.protocol import COMPARE, FORECAST, PREDICT, READ, Ending, Progress
from TumorTwinLib.jobs.regimen_choice import RECORDED, chosen_regimens, offered_regimens
from TumorTwinLib.jobs.result_store import JobResult, read_result
from TumorTwinLib.jobs.runner import run_job_folder
from TumorTwinLib.jobs.spec import JobSpec, read_spec
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.treatment import regimens
from TumorTwinLib.treatment.calendar import calendar

EVENTS = "date,kind,name,amount,unit\n2024-05-02T09:00,radiotherapy,,4,Gy\n2024-05-03T09:00,drug,TMZ,150,mg/m2\n"
SPEC = JobSpec(
    horizon_days=30.0, frame_every_days=15.0, resolution_mm=5.0, tolerance=1e-2, bayesian=True, n_samples=60,
    n_futures=16, regimens=("gbm_rt_60_30", RECORDED), comparison_draws=32, target_margin_mm=8.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def told() -> list:
    return []


@pytest.fixture(scope="module")
def finished(tmp_path_factory, patient, told) -> tuple[Path, JobResult]:
    folder = tmp_path_factory.mktemp("compared") / "job"
    write_job(folder, SPEC, patient)
    return folder, run_job_folder(folder, Listener(on_progress=told.append))


def test_the_comparison_is_stored_with_courses_and_maps(finished, told, patient):
    folder, result = finished
    record = result.comparison
    comparison = record.comparison
    assert [o.name for o in comparison.outcomes] == ["gbm_rt_60_30", RECORDED]
    assert comparison.notes[0] == DISCLAIMER
    assert comparison.sentence in result.notices
    assert len(record.courses["gbm_rt_60_30"]) == 30
    assert record.courses[RECORDED] == record.courses["untreated"] == ()
    assert calendar(record.courses["gbm_rt_60_30"])[0].days.count("2 Gy") > 0
    assert list(record.density) == ["gbm_rt_60_30", RECORDED, "untreated"]
    np.testing.assert_allclose(record.days, [60.1875, 75.1875, 90.1875])
    last = {name: int(density[-1].sum(dtype=int)) for name, density in record.density.items()}
    assert last["gbm_rt_60_30"] < last["untreated"] == last[RECORDED]
    first = [density[0] for density in record.density.values()]
    assert (first[0] == first[-1]).all()  # on the day of the decision nothing has been given
    assert_same(read_result(folder), result)
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert stages[-1] == COMPARE
    shares = [(one.done, one.total) for one in told if one.stage == COMPARE and one.total]
    assert shares[-1] == ((32 + 16) * 3, (32 + 16) * 3)
    assert shares == sorted(shares)


def test_other_regimens_keep_the_forecast_and_what_was_compared(finished, patient):
    folder, first = finished
    kept = times(folder, "checkpoint/*compared/*.npy")
    told: list[Progress] = []
    write_job(folder, replace(SPEC, regimens=("gbm_rt_60_30", "gbm_elderly_40_15")), patient)
    result = run_job_folder(folder, Listener(on_progress=told.append))
    assert {one.stage for one in told}.isdisjoint({FORECAST, PREDICT})
    assert_same(result.forecast, first.forecast)
    after = times(folder, "checkpoint/*compared/*.npy")
    assert after.items() >= kept.items()
    assert_same(result.comparison.comparison["gbm_rt_60_30"], first.comparison.comparison["gbm_rt_60_30"])
    assert [o.name for o in result.comparison.comparison.outcomes] == ["gbm_rt_60_30", "gbm_elderly_40_15"]
    told.clear()
    assert_same(untimed(run_job_folder(folder, Listener(on_progress=told.append))), untimed(result))
    assert {one.stage for one in told} == {READ}


@pytest.mark.parametrize(("share", "partial"), [(0.0, False), (0.4, True), (0.8, True)])
def test_stopped_while_comparing_what_there_is_is_kept_and_marked(finished, share, partial):
    """In this process, where nobody is impatient."""
    folder, _ = finished
    for file in (*folder.glob("checkpoint/*compared/*.npy"), *folder.glob("comparison/*.npy")):
        file.unlink()
    spec = read_spec(folder)
    (folder / "job.json").write_text(
        json.dumps(spec.to_dict() | {"seed": spec.seed, "progression_rule": "RECIST volume"})
    )
    far = []

    def emit(event) -> None:
        if isinstance(event, Progress) and event.stage == COMPARE:
            far.append(event.done / (event.total or 1) >= share)

    ending = FolderRun(folder, emit, lambda: any(far)).run()
    stopped = read_result(folder)
    assert ending is stopped.ending is Ending.CANCELLED
    assert stopped.forecast is not None
    assert stopped.forecast.uncertainty is not None
    assert (stopped.comparison is not None) == partial
    if partial:
        assert stopped.comparison.cancelled
        assert "is kept" in stopped.message
        assert len(stopped.comparison.density) < 3


def test_a_job_carries_the_users_files_and_runs_elsewhere(tmp_path, patient, monkeypatch):
    (tmp_path / "mine").mkdir()
    events = tmp_path / "mine" / "two days.csv"
    events.write_text(EVENTS)
    own = json.loads((Path(regimens.__file__).parent / "glioblastoma.json").read_text())
    own["regimens"] = [{**own["regimens"][0], "name": "mine", "title": "Mine"}]
    (tmp_path / "mine" / "own.json").write_text(json.dumps(own))
    monkeypatch.setattr(regimens, "REGIMENS", dict(regimens.REGIMENS))
    regimens.add_user_regimens(tmp_path / "mine")
    assert "mine" in offered_regimens("glioblastoma")
    spec = replace(SPEC, regimens=("mine", str(events)))
    write_job(tmp_path / "job", spec, patient)
    (tmp_path / "mine").rename(tmp_path / "gone")
    del regimens.REGIMENS["mine"]
    stored = read_spec(tmp_path / "job")
    assert stored.regimens == ("mine", "regimens/two days.csv")
    task = comparison_task(stored, patient, chosen_regimens(stored, tmp_path / "job", patient), "")
    assert [plan.title for plan in task.plans] == ["Mine", "two days"]
    assert [len(plan.events) for plan in task.plans] == [30, 2]
    assert (
        task.fingerprint != comparison_task(replace(stored, target_margin_mm=None), patient, task.plans, "").fingerprint
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bayesian": False}, "Regimens are compared on draws of the posterior"),
        ({"horizon_days": None, "output_days": ()}, "Regimens are compared on draws of the posterior"),
        ({"regimens": ("a", "a")}, "regimens is a, a: give each once."),
        ({"regimens": "gbm_stupp"}, "regimens is 'gbm_stupp': give a list of names."),
        ({"comparison_draws": 8}, "comparison_draws is 8: give at least 16"),
        ({"target_margin_mm": -1.0}, "target_margin_mm is -1"),
        ({"regimen_start": "soon"}, "regimen_start is 'soon': give a date and time"),
    ],
)
def test_settings_that_cannot_be(settings, sentence):
    with pytest.raises(TumorTwinError) as refused:
        replace(SPEC, **settings)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("no_such",), "There is no regimen 'no_such': choose from recorded, gbm_"),
        (("prostate_sbrt_36_5",), "prostate_sbrt_36_5 is a regimen for prostate"),
        (("nothing.csv",), "nothing.csv"),
    ],
)
def test_regimens_that_cannot_be(names, sentence, patient, tmp_path):
    with pytest.raises(TumorTwinError, match=sentence):
        chosen_regimens(replace(SPEC, regimens=names), tmp_path, patient)


def test_a_target_needs_an_outline(patient):
    bare = replace(SPEC, calibration_visits=1)
    without = [replace(visit, regions={}) for visit in patient.visits]
    blind = type(patient)(patient.patient_id, visits=without, brain_mask=patient.brain_mask)
    with pytest.raises(TumorTwinError, match="No visit used has an outline"):
        comparison_task(bare, blind, (), "")
