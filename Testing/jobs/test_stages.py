"""The computation itself, watched in this process."""

from __future__ import annotations

import itertools
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.inference.least_squares import FitStatus
from TumorTwinLib.jobs import stages
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.protocol import CALIBRATE, FORECAST
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.jobs.stages import compute, fit_notices

SPEC = JobSpec(horizon_days=30.0, frame_every_days=10.0, resolution_mm=4.0, seed=5)
DAYS = [0.0, 30.0, 60.1875, 70.1875, 80.1875, 90.1875]


class Watcher(Observer):
    """Writes everything down, and stops the job where ``stop`` says."""

    wants_previews = True

    def __init__(self, stop=lambda watcher: False) -> None:
        self.told = []
        self.fits = []
        self.calibrations = []
        self.frames = {}
        self.previews = []
        self.sentences = []
        self.stop = stop

    def progress(self, progress) -> None:
        self.told.append(progress)

    def fit(self, fit) -> None:
        self.fits.append(fit)

    def calibrated(self, fit) -> None:
        self.calibrations.append(fit)

    def frame(self, day, cellularity, grid, *, preview) -> None:
        if preview:
            self.previews.append((len(self.fits), day))
        else:
            self.frames[day] = (cellularity.copy(), grid)

    def warning(self, sentence) -> None:
        self.sentences.append(sentence)

    def cancelled(self) -> bool:
        return self.stop(self)


@pytest.fixture(scope="module")
def watched(patient):
    watcher = Watcher()
    return watcher, compute(SPEC, patient, watcher)


def test_the_frames_are_the_forecast(watched):
    watcher, outcome = watched
    assert list(watcher.frames) == outcome.forecast.days.tolist() == DAYS
    np.testing.assert_array_equal(
        np.stack([field for field, _ in watcher.frames.values()]), outcome.forecast.cellularity
    )
    assert all(grid is outcome.forecast.grid for _, grid in watcher.frames.values())


def test_previews_come_while_calibrating_and_are_whole(watched):
    watcher, _ = watched
    days = [day for _, day in watcher.previews]
    assert len(days) >= len(DAYS)
    assert days == DAYS * (len(days) // len(DAYS))
    assert max(fits for fits, _ in watcher.previews) <= len(watcher.fits)


def test_progress_goes_forward_and_knows_what_is_left(watched):
    watcher, outcome = watched
    for stage, total in ((CALIBRATE, None), (FORECAST, DAYS[-1])):
        told = [progress for progress in watcher.told if progress.stage == stage]
        done = [progress.done for progress in told]
        assert done == sorted(done)
        assert told[0].done == 0
        assert all(progress.done <= progress.total for progress in told[1:])
        assert told[-1].eta_s >= 0
        if total is not None:
            assert (told[-1].done, told[-1].total, told[-1].eta_s) == (total, total, 0.0)
    assert [stage for stage, _ in itertools.groupby(progress.stage for progress in watcher.told)] == [
        CALIBRATE,
        FORECAST,
    ]
    last = watcher.told[-1].metrics
    assert last["residual cellularity"] == pytest.approx(outcome.fit.root_mean_square["cellularity"])
    assert last["proliferation_per_day"] == pytest.approx(outcome.fit.map_estimate["proliferation_per_day"])


def test_time_left_is_judged_from_work_and_not_from_the_time_before_it(patient, monkeypatch):
    """Kernels are compiled before the first step: that time must not be multiplied."""
    now = [0.0]
    monkeypatch.setattr(stages.time, "monotonic", lambda: now[0])
    watcher = Watcher()
    clock = stages._ForecastClock(watcher, {})
    now[0] = 100.0  # compiling
    for day in (1.0, 2.0, 20.0, 55.0, 100.0):
        clock.step(day, 100.0, None)
        now[0] += 1.0
    assert [progress.eta_s for progress in watcher.told] == pytest.approx([None, None, 2 / 19 * 80, 3 / 54 * 45, 0.0])
    clock = stages._CalibrationClock(watcher, {})
    watcher.told.clear()
    clock.model_runs = 4
    for day in (10.0, 60.0, 100.0):
        clock.step(day, 100.0, None)
        now[0] += 1.0
    assert [progress.done for progress in watcher.told] == [4.1, 4.6, 5.0]
    assert [progress.total for progress in watcher.told] == [12, 12, 12]
    assert [progress.eta_s for progress in watcher.told] == pytest.approx([None, 7.4 / 0.5, 2 / 0.9 * 7])
    clock.model_runs = 14
    clock.step(50.0, 100.0, None)
    assert (watcher.told[-1].done, watcher.told[-1].total) == (14.5, 15)


def test_the_fit_is_told_as_it_gets_better(watched):
    watcher, outcome = watched
    assert [fit.iterations for fit in watcher.fits] == sorted(fit.iterations for fit in watcher.fits)
    assert watcher.fits[-1].iterations == outcome.fit.iterations
    assert dict(watcher.fits[-1].values) == dict(outcome.fit.map_estimate)
    assert watcher.calibrations == [outcome.fit]


def test_the_result_says_what_it_came_from(watched):
    _, outcome = watched
    provenance = outcome.forecast.provenance
    assert (provenance["seed"], provenance["device"]) == (5, "cpu")
    assert provenance["inputs"] == {"patient": "in the job folder", "visits": 3, "treatment events": 10}
    assert outcome.forecast.forecast_from_day == 60.1875


def test_notices_reach_the_watcher_and_the_outcome(watched):
    watcher, outcome = watched
    assert watcher.sentences == list(outcome.notices)
    assert any(sentence.startswith("The scans say little about") for sentence in outcome.notices)


def test_a_kept_memory_spares_every_model_run(patient, watched):
    memory = {}
    first = compute(SPEC, patient, Observer(), memory)
    watcher = Watcher()
    again = compute(SPEC, patient, watcher, memory)
    assert (first.fit.model_solves > 3, again.fit.model_solves) == (True, 0)
    np.testing.assert_array_equal(again.fit.log_values, watched[1].fit.log_values)
    np.testing.assert_array_equal(again.forecast.cellularity, watched[1].forecast.cellularity)
    assert watcher.previews == []  # what was solved before needs no preview


def test_nobody_pays_for_previews_they_do_not_want(patient):
    watcher = Watcher()
    watcher.wants_previews = False
    compute(SPEC, patient, watcher)
    assert watcher.previews == []
    assert list(watcher.frames) == DAYS


@pytest.mark.parametrize(
    ("when", "kept"),
    [
        (lambda watcher: True, {}),
        (lambda watcher: bool(watcher.told), {}),
        (lambda watcher: len(watcher.fits) >= 3, {"fits": 3}),
        (lambda watcher: bool(watcher.previews), {"fits": 1, "previews": 1}),
        (lambda watcher: bool(watcher.calibrations), {"fits": 3, "calibrations": 1}),
        (lambda watcher: len(watcher.frames) >= 2, {"calibrations": 1, "frames": 2}),
    ],
    ids=["at once", "first step", "third fit", "preview", "calibrated", "second frame"],
)
def test_it_stops_wherever_it_is(patient, when, kept):
    watcher = Watcher(when)
    with pytest.raises(CancelledError, match="Stopped on request"):
        compute(SPEC, patient, watcher)
    for name, least in kept.items():
        assert len(getattr(watcher, name)) >= least
    assert list(watcher.frames) != DAYS


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"calibration_visits": 4}, "has 3 visits and 4 are to be used"),
        ({"calibration_visits": 4, "parameters": {"proliferation_per_day": 0.1}}, "has 3 visits and 4 are to be used"),
        ({"parameters": {"hope": 0.1}}, "Unknown parameter 'hope'"),
        ({"resolution_mm": 50.0}, "give a voxel size between"),
        ({"device": "cuda:77"}, "cuda:77"),
    ],
)
def test_what_cannot_be_done_is_said(patient, changed, sentence):
    with pytest.raises(TumorTwinError, match=sentence):
        compute(JobSpec(**(SPEC.to_dict() | changed)), patient, Observer())


@pytest.mark.parametrize(
    ("status", "informed", "expected"),
    [
        (FitStatus.CONVERGED, True, []),
        (FitStatus.MAX_ITERATIONS, True, ["The calibration has not converged"]),
        (FitStatus.CONVERGED, False, ["The scans say little about alpha"]),
    ],
)
def test_a_weak_fit_is_said(status, informed, expected):
    fit = SimpleNamespace(status=status, message=status.value, informed={"rho": True, "alpha": informed})
    notices = fit_notices(fit)
    assert [notice.startswith(start) for notice, start in zip(notices, expected, strict=True)] == [True] * len(expected)


@pytest.mark.parametrize("module", ["spec", "runner", "job_folder", "folder_run"])
def test_the_solver_is_loaded_when_a_job_needs_it(module, repository):
    """What Slicer itself imports, its user waits for; and a worker must heed a request to stop from the start."""
    code = f"import sys, TumorTwinLib.jobs.{module}; print(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & {"scipy", "numba", "torch", "SimpleITK", "TumorTwinLib.physics.solver"} == set()
